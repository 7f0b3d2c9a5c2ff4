"""What journal tests share: the backends, and entries with few words.

A backend joins the conformance suite by one line in `BACKENDS`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TypeAlias

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
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from tests.delivery.journal.postgres_server import HAS_POSTGRES, database_of

OpenJournal: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Journal]]


@asynccontextmanager
async def _open_memory(_: Path) -> AsyncIterator[Journal]:
    journal = MemoryJournal()
    yield journal
    await journal.aclose()


def _open_sqlite(directory: Path) -> AbstractAsyncContextManager[Journal]:
    return open_sqlite_journal(directory / "journal.db")


def _open_postgres(directory: Path) -> AbstractAsyncContextManager[Journal]:
    from greenroom.delivery.journal.postgres.journal import open_postgres_journal  # if there is one

    return open_postgres_journal(database_of(directory))


DURABLE: dict[str, OpenJournal] = {"sqlite": _open_sqlite}
if HAS_POSTGRES:
    DURABLE["postgres"] = _open_postgres
BACKENDS: dict[str, OpenJournal] = {"memory": _open_memory, **DURABLE}

ALICE, BOB = UserId("alice"), UserId("bob")
_numbers = count(1)
IDS = IdSource(now_ms=lambda: 0, random_bits=lambda _: next(_numbers))
THREADS = [IDS.new(ThreadId) for _ in range(3)]
RUNS = [IDS.new(RunId) for _ in range(4)]
ASKS = [IDS.new(AskId) for _ in range(3)]
SESSIONS = [IDS.new(SessionId) for _ in range(2)]
REQUEST = IDS.new(RequestId)


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
    return [record(offset, user=user) for offset in range(first, last + 1)]


def cursor(
    offset: int,
    *,
    user: UserId = ALICE,
    session: SessionId = SESSIONS[0],
    start: int = 0,
    sent: int | None = None,
) -> Cursor:
    return Cursor(user, session, start, offset, max(offset, sent or 0), at=offset)


async def offset_of(journal: Journal, session: SessionId, user: UserId = ALICE) -> int | None:
    """What a session has received through."""
    found = await journal.cursor(user, session)
    return found and found.offset


def displayed(offset: int, *, user: UserId = ALICE, session: SessionId = SESSIONS[0]) -> Mark:
    return Mark(user, session, offset, "displayed", None, None, at=offset)


def confirmed(offset: int, *, verdict: str = "good", note: str | None = None) -> Mark:
    return Mark(ALICE, SESSIONS[0], offset, "confirmed", {"verdict": verdict}, note, at=offset)
