"""How far an event got, by what is kept of its sessions, and how it ended (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from greenroom.delivery.events.ids import SessionId
from greenroom.delivery.events.policy import Policy
from greenroom.delivery.events.record import Cursor, DeadLetter, Mark
from greenroom.delivery.events.stages import Outcome, ReceiptStage, SessionStanding

MARK_STAGES = {"displayed": ReceiptStage.DISPLAYED, "confirmed": ReceiptStage.CONFIRMED}


def standings(
    offset: int, cursors: Iterable[Cursor], marks: Iterable[Mark]
) -> tuple[SessionStanding, ...]:
    """Each session's standing, sorted by session: the furthest stage that it reported."""
    found: dict[SessionId, SessionStanding] = {}
    for cursor in cursors:
        _raise(found, SessionStanding(cursor.session, cursor_stage(cursor, offset)))
    for mark in marks:
        if mark.offset == offset:
            stage = MARK_STAGES[mark.stage]
            _raise(found, SessionStanding(mark.session, stage, mark.verdict, mark.note))
    reached = [found[session] for session in sorted(found)]
    return tuple(each for each in reached if each.stage is not ReceiptStage.ACCEPTED)


def cursor_stage(cursor: Cursor, offset: int) -> ReceiptStage:
    """The stage that a session's cursor implies for an event."""
    if not cursor.start < offset <= cursor.sent:
        return ReceiptStage.ACCEPTED
    return ReceiptStage.RECEIVED if offset <= cursor.offset else ReceiptStage.SENT


def outcome_of(stage: ReceiptStage, policy: Policy, letter: DeadLetter | None) -> Outcome | None:
    """How an event ended. `stage` must be durable, or a crash could revoke an outcome.

    A dead letter's outcome is final, even if a client receives the event later.
    """
    if letter is not None:
        return Outcome(letter.outcome)
    return policy.delivered if stage >= policy.done else None


def _raise(found: dict[SessionId, SessionStanding], new: SessionStanding) -> None:
    known = found.get(new.session)
    if known is None or new.stage >= known.stage:
        found[new.session] = new
