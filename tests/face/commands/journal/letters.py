"""A dead letter, and the event that it is of."""

from __future__ import annotations

from greenroom.delivery.events.ids import ConnectionId, IdSource
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Attempt, DeadLetter, Record
from tests.delivery.journal.journal_conformance import ALICE, SESSIONS, record

BODY = (
    b'{"offset":1,"at":1,"id":"%b","kind":"final_report","class":"critical","thread":"%b",'
    b'"run":"%b","request":"%b","data":{"report":"a saving"}}'
)


def alices_letter() -> tuple[Record, DeadLetter]:
    """A report that was tried twice; the first of her events."""
    plain = record(1, kind=Kind.FINAL_REPORT)
    ids = [each.encode() for each in (plain.id, plain.thread, plain.run, plain.request)]
    kept = record(1, kind=Kind.FINAL_REPORT, body=BODY % tuple(ids))
    connection = IdSource().new(ConnectionId)
    attempts = [Attempt(ALICE, SESSIONS[0], connection, 0, 1, number, 1000) for number in (1, 2)]
    return kept, DeadLetter(ALICE, 1, kept.id, kept.kind, "dead_lettered", attempts, at=5_000)
