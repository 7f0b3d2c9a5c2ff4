"""Notices: what a node tells the others about a user that is no event (pure)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

import attrs

from greenroom.delivery.events.ids import UserId


class What(enum.StrEnum):
    """What a notice is about, and what it says beside the user: `of`."""

    CANCEL = "cancel"
    """A run is to be cancelled: its id."""
    TYPING = "typing"
    """Someone is writing: the thread, and who."""
    SESSION = "session"
    """A session is attached at a node: its id, and the connection's. That node reads it, too."""
    THREAD_ERASED = "thread_erased"
    """A thread is erased: its id, and the offset through which."""
    USER_ERASED = "user_erased"
    """All of the user is erased, or about to be."""
    DISCONNECTED = "disconnected"
    """The user is disconnected: the reason, or an empty text; 1 if clients may come back by
    themselves; 1 if runs are cancelled; until when the user is banned, in ms, or 0."""
    READMITTED = "readmitted"
    """The user is banned no longer."""
    RUN_QUEUED = "run_queued"
    """A run of the user waits for a worker."""


WHATS: Final = frozenset(What)
"""What is known here; a newer version may say more."""

NOTICES_KEPT_SECONDS: Final = 600.0
"""Seconds for which a notice is kept."""

HINTS: Final = frozenset({What.TYPING, What.RUN_QUEUED})
"""What is sent and not kept: it may be lost."""


@attrs.frozen
class Notice:
    """What a node tells the others about a user. A journal that several nodes share keeps it for a
    while, with what it is about if both are appended together."""

    user: UserId
    what: What
    of: Sequence[str | int] = ()
