"""Causes: what lies behind an event that says to the user that something failed (pure)."""

from __future__ import annotations

from typing import Final

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import EventId, RunId, UserId

CAUSES_KEPT: Final = 5_000
"""The newest causes that a journal keeps."""

TEXT_CHARS, TRACEBACK_CHARS = 2_000, 6_000
"""Characters of a cause's text and, its end, of its traceback."""


@attrs.frozen
class FailureCause:
    """Why `event`, an `agent_failed` or a `tool_completed`, says that something failed.

    For operators: users see the event's id, as a reference. `type` is `module:Class`.
    """

    user: UserId
    event: EventId
    run: RunId
    at: int
    type: str
    text: str = attrs.field(metadata=SECRET)
    traceback: str = attrs.field(metadata=SECRET)
