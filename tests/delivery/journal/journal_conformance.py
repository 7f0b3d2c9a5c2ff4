"""What journal tests share: the backends, and entries with few words.

A backend joins the tests that every journal passes by one line in `BACKENDS`, and the public suite
by a class in `test_journal_conformance.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    ASKS,
    BOB,
    IDS,
    REQUEST,
    RUNS,
    SESSIONS,
    THREADS,
    confirmed,
    cursor,
    displayed,
    offset_of,
    record,
    records,
)
from greenroom.testing.journal_conformance.sync_journal import OpenJournal
from tests.delivery.journal.postgres_server import HAS_POSTGRES, database_of
from tests.delivery.journal.redis_server import HAS_REDIS, redis_url_of

__all__ = [
    "ALICE",
    "ASKS",
    "BACKENDS",
    "BOB",
    "DURABLE",
    "IDS",
    "REQUEST",
    "RUNS",
    "SESSIONS",
    "THREADS",
    "OpenJournal",
    "confirmed",
    "cursor",
    "displayed",
    "offset_of",
    "record",
    "records",
]


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


def _open_redis(directory: Path) -> AbstractAsyncContextManager[Journal]:
    from greenroom.delivery.journal.redis.journal import open_redis_journal  # if there is one

    return open_redis_journal(redis_url_of(directory))


DURABLE: dict[str, OpenJournal] = {"sqlite": _open_sqlite}
if HAS_POSTGRES:
    DURABLE["postgres"] = _open_postgres
if HAS_REDIS:
    DURABLE["redis"] = _open_redis
BACKENDS: dict[str, OpenJournal] = {"memory": _open_memory, **DURABLE}
