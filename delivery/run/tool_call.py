"""A tool at work within a run (pure)."""

from __future__ import annotations

import attrs

from greenroom.delivery.events.ids import ToolCallId
from greenroom.delivery.events.kinds import JSON


@attrs.define
class ToolCall:
    """A tool at work. Give its outcome to `result` before the block ends."""

    id: ToolCallId
    name: str
    value: JSON = None

    def result(self, value: JSON) -> None:
        """What the tool found; sent with `tool_completed` when the block ends."""
        self.value = value
