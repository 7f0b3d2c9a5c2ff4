"""The engines on which nodes share a journal: a server of each, and one journal in it."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest
from side_by_side.postgres import PostgresServer

from greenroom.delivery.journal.journal import Journal
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, postgres_server
from tests.delivery.journal.redis_server import (
    NEEDS_REDIS,
    RedisServer,
    number_of,
    redis_server,
)


class Engine(ABC):
    """`port`: where the server listens."""

    @property
    @abstractmethod
    def port(self) -> int: ...

    @abstractmethod
    def url(self, port: int) -> str:
        """The journal's address, over a link at that port."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Journal]:
        """One more node, without a link."""

    @abstractmethod
    def end_of_runs(self, user: str) -> int | None:
        """The last offset of a user without open runs."""

    @abstractmethod
    def stop(self) -> None:
        """As if it were killed."""

    @abstractmethod
    def start(self) -> None: ...


@attrs.frozen
class OnPostgres(Engine):
    server: PostgresServer
    database: str

    def __attrs_post_init__(self) -> None:
        self.server.command("ALTER ROLE greenroom PASSWORD 'tests'")
        self.server.url(self.database)

    @property
    def port(self) -> int:
        return self.server.port

    def url(self, port: int) -> str:
        return f"postgresql://greenroom:tests@127.0.0.1:{port}/{self.database}"

    def open(self) -> AbstractAsyncContextManager[Journal]:
        from greenroom.delivery.journal.postgres.journal import open_postgres_journal

        return open_postgres_journal(self.server.url(self.database))

    def end_of_runs(self, user: str) -> int | None:
        import psycopg

        with psycopg.connect(self.server.url(self.database)) as connection:
            row = connection.execute(_END_OF_RUNS, {"user": user}).fetchone()
        return None if row is None else int(row[0])

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server.start()


@attrs.frozen
class OnRedis(Engine):
    """Nothing is trimmed: a user's last offset is the number of the events."""

    server: RedisServer
    number: int = 0

    @property
    def port(self) -> int:
        return self.server.port

    def url(self, port: int) -> str:
        return f"redis://127.0.0.1:{port}/{self.number}"

    def open(self) -> AbstractAsyncContextManager[Journal]:
        from greenroom.delivery.journal.redis.journal import open_redis_journal

        return open_redis_journal(self.url(self.port))

    def end_of_runs(self, user: str) -> int | None:
        places = [f"greenroom:rows:{table}:{{{user}}}" for table in ("open_run", "log")]
        answer = self.server.command("EVAL", _LENGTHS, "2", *places, number=self.number)
        runs, events = answer.decode().split()[1:]
        return None if int(runs[1:]) else int(events[1:])

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server.start()


def engine(kind: str, name: str) -> Engine:
    """A journal of that name in the server of that kind which all tests share."""
    if kind == "redis":
        return OnRedis(redis_server(), number_of(Path(name)))
    return OnPostgres(postgres_server(), name)


@contextmanager
def engine_alone(kind: str) -> Iterator[Engine]:
    """One with a server of its own, which keeps what it accepted."""
    if kind == "redis":
        with tempfile.TemporaryDirectory(prefix="greenroom-redis-") as directory:
            settings = ("--appendonly", "yes", "--appendfsync", "always")
            server = RedisServer(Path(directory), *settings)
            try:
                yield OnRedis(server)
            finally:
                server.stop()
    else:
        with PostgresServer.alone("fsync = off", "max_connections = 200") as postgres:
            yield OnPostgres(postgres, "alone")


ENGINES: Final = (
    pytest.param("postgres", marks=NEEDS_POSTGRES),
    pytest.param("redis", marks=NEEDS_REDIS),
)
_LENGTHS: Final = "return {redis.call('HLEN', KEYS[1]), redis.call('HLEN', KEYS[2])}"
_END_OF_RUNS: Final = """
    SELECT coalesce(max("offset"), 0) FROM greenroom.log WHERE "user" = %(user)s
    HAVING NOT EXISTS (SELECT 1 FROM greenroom.open_run WHERE "user" = %(user)s)
"""
