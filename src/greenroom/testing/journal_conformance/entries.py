"""Entries for tests of journals, in few words."""

from __future__ import annotations

from itertools import count
from typing import Final

from greenroom.delivery.events.ids import (
    AskId,
    EventId,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import ASK_KINDS, Kind, class_of
from greenroom.delivery.events.record import Cursor, Mark, Record
from greenroom.delivery.journal.journal import Journal

PLENTY: Final = 1_000_000
"""More events, and more bytes, than a test has."""

ALICE, BOB = UserId("alice"), UserId("bob")
_numbers = count(1)
IDS: Final = IdSource(now_ms=lambda: 0, random_bits=lambda _: next(_numbers))
"""New ids, each of which sorts after the ones before."""

THREADS: Final = [IDS.new(ThreadId) for _ in range(3)]
RUNS: Final = [IDS.new(RunId) for _ in range(4)]
ASKS: Final = [IDS.new(AskId) for _ in range(3)]
SESSIONS: Final = [IDS.new(SessionId) for _ in range(2)]
REQUEST: Final = IDS.new(RequestId)


def record(
    offset: int,
    *,
    user: UserId = ALICE,
    kind: Kind = Kind.AGENT_THINKING,
    thread: ThreadId = THREADS[0],
    run: RunId = RUNS[0],
    parent: RunId | None = None,
    say: str | None = None,
    ask: AskId = ASKS[0],
    body: bytes | None = None,
) -> Record:
    """A record whose time is its offset. `ask`: of an event of a question."""
    if body is None:
        data = f',"data":{{"ask":"{ask}"}}' if kind in ASK_KINDS else ""
        body = f'{{"offset":{offset}{data}}}'.encode()
    event = IDS.new(EventId)
    return Record(
        user, offset, event, kind, class_of(kind), thread, run, parent, REQUEST, offset, say, body
    )


def records(first: int, last: int, *, user: UserId = ALICE) -> list[Record]:
    """Records of these offsets."""
    return [record(offset, user=user) for offset in range(first, last + 1)]


def cursor(
    offset: int,
    *,
    user: UserId = ALICE,
    session: SessionId = SESSIONS[0],
    start: int = 0,
    sent: int | None = None,
) -> Cursor:
    """A session has received everything past `start` and through `offset`."""
    return Cursor(user, session, start, offset, max(offset, sent or 0), at=offset)


def displayed(offset: int, *, user: UserId = ALICE, session: SessionId = SESSIONS[0]) -> Mark:
    """A session has displayed the event at this offset."""
    return Mark(user, session, offset, "displayed", None, None, at=offset)


def confirmed(offset: int, *, verdict: str = "good", note: str | None = None) -> Mark:
    """Alice has confirmed the event at this offset."""
    return Mark(ALICE, SESSIONS[0], offset, "confirmed", {"verdict": verdict}, note, at=offset)


async def offset_of(journal: Journal, session: SessionId, user: UserId = ALICE) -> int | None:
    """What a session has received through."""
    found = await journal.cursor(user, session)
    return None if found is None else found.offset


async def read_offsets(journal: Journal, user: UserId = ALICE, after: int = 0) -> list[int]:
    """The offsets of all records past `after`."""
    found = await journal.read(user, after=after, limit=PLENTY, max_bytes=PLENTY)
    return [record.offset for record in found]
