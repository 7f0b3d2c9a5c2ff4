"""The stage an event has reached, per session of its user and overall (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import SessionId
from greenroom.delivery.events.kinds import JSON


class ReceiptStage(enum.IntEnum):
    """Each stage implies those before it. `SENT`: written to a socket, perhaps never received."""

    ACCEPTED = 0
    SENT = 1
    RECEIVED = 2
    DISPLAYED = 3
    CONFIRMED = 4

    def __str__(self) -> str:
        return self.name.lower()


class Outcome(enum.StrEnum):
    """How an event ended. Every event gets exactly one outcome, which is final."""

    CONFIRMED = "confirmed"
    DISPLAYED = "displayed"
    RECEIVED = "received"
    EXPIRED = "expired"
    DEAD_LETTERED = "dead_lettered"


@attrs.frozen
class SessionStanding:
    """The stage an event reached in one session. Its confirmation carried `verdict` and `note`."""

    session: SessionId
    stage: ReceiptStage
    verdict: JSON = attrs.field(default=None, metadata=SECRET)
    note: str | None = attrs.field(default=None, metadata=SECRET)


@attrs.frozen
class Standing:
    """The furthest stage an event reached in any of its user's sessions, and each session's stage.

    `outcome` is None until the policy of the event's class decides it.
    """

    stage: ReceiptStage
    sessions: tuple[SessionStanding, ...]
    outcome: Outcome | None = None


def furthest(sessions: Iterable[SessionStanding]) -> ReceiptStage:
    """The furthest stage in any session."""
    return max((each.stage for each in sessions), default=ReceiptStage.ACCEPTED)
