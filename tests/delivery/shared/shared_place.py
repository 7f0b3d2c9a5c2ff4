"""A journal that several nodes share, in Postgres and in Redis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest.mock import patch

import attrs
import trio
from psycopg.conninfo import conninfo_to_dict

from greenroom.delivery.journal.postgres.journal import PostgresJournal, open_postgres_journal
from greenroom.delivery.journal.redis.client import RedisClient
from greenroom.delivery.journal.redis.journal import RedisJournal, open_redis_journal
from tests.delivery.journal.postgres_server import database_of, postgres_server
from tests.delivery.journal.redis_server import (
    number_of,
    redis_server,
    redis_url_of,
)

SharedJournal: TypeAlias = PostgresJournal | RedisJournal


@attrs.frozen
class SharedPlace(ABC):
    """Where a test's nodes have their journal."""

    directory: Path

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def open(
        self, lease: float = 60, *, is_deaf: bool = False
    ) -> AbstractAsyncContextManager[SharedJournal]:
        """One more node. A deaf one hears nothing of others."""

    @abstractmethod
    def end_lease(self, number: int | None) -> None:
        """As if the node had not renewed it for long."""

    async def stand_still(self, journal: SharedJournal) -> None:
        """The node renews its lease no more, and the lease is over."""
        thread = journal._thread
        thread.look = _nothing
        await thread.call(_nothing)  # it does not look just now
        await trio.to_thread.run_sync(self.end_lease, journal._lease.number)


class InPostgres(SharedPlace):
    @property
    def url(self) -> str:
        return database_of(self.directory)

    def open(
        self, lease: float = 60, *, is_deaf: bool = False
    ) -> AbstractAsyncContextManager[PostgresJournal]:
        opened = open_postgres_journal(self.url, lease_seconds=lease)
        return _deaf(opened) if is_deaf else opened

    def end_lease(self, number: int | None) -> None:
        name = str(conninfo_to_dict(self.url)["dbname"])
        over = f"UPDATE greenroom.node SET expires = '-infinity' WHERE number = {number}"
        postgres_server().command(over, name)


class InRedis(SharedPlace):
    @property
    def url(self) -> str:
        return redis_url_of(self.directory)

    def open(
        self, lease: float = 60, *, is_deaf: bool = False
    ) -> AbstractAsyncContextManager[RedisJournal]:
        opened = open_redis_journal(self.url, lease_seconds=lease)
        return _silent(opened) if is_deaf else opened

    def end_lease(self, number: int | None) -> None:
        words = ("EVAL", _END_LEASE, "1", "greenroom:nodes", str(number))
        redis_server().command(*words, number=number_of(self.directory))


_END_LEASE: Final = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], (string.gsub(known, '^%d+', '0')))
"""


@asynccontextmanager
async def _deaf(
    opened: AbstractAsyncContextManager[PostgresJournal],
) -> AsyncIterator[PostgresJournal]:
    async with opened as journal:
        wake_ups = journal.nodes._wake_ups  # type: ignore[attr-defined]
        wake_ups.listen = wake_ups.speak = _hear_nothing
        yield journal


@asynccontextmanager
async def _silent(opened: AbstractAsyncContextManager[RedisJournal]) -> AsyncIterator[RedisJournal]:
    with patch.object(RedisClient, "listen", _nothing):
        journal = await opened.__aenter__()
    try:
        yield journal
    finally:
        await opened.__aexit__(None, None, None)


async def _hear_nothing(*_: object) -> None:
    await trio.sleep_forever()


def _nothing(*_: Any) -> None:
    """What is done otherwise is not done now."""
