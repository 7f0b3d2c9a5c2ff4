"""Reads a journal in Redis, beside the servers that write it."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import apsw
import attrs
from coredis import Redis

from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.journal.redis.copy import Copy
from greenroom.delivery.journal.redis.errors import in_our_words
from greenroom.delivery.journal.redis.holding import Holding
from greenroom.delivery.journal.redis.mirror import RENEW_SECONDS, mirror_of
from greenroom.delivery.journal.redis.store import RedisStore
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.reader import SqlReader
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.errors import in_our_words as of_the_copy

LEASE_SECONDS: Final = 5.0
"""For how long Redis keeps what is committed while the journal is read."""

_MOST: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'log'"


class CopyReader(SqlReader):
    """Reads the copy of a server beside it, on any thread, as far as the server has come."""

    def __init__(self, holding: Holding, copy: Copy) -> None:
        self._holding = holding
        self._copy = copy

    @property
    def where(self) -> str:
        return self._holding.where

    @contextmanager
    def look(self) -> Iterator[apsw.Connection]:
        with self._in_our_words(), self._copy.looking() as database:
            yield database

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        with in_our_words(self.where), of_the_copy(f"the copy of {self.where}"):
            yield

    def _store(self, database: Database) -> SqlStore:
        return RedisStore(database, _of_no_node, self._holding.current_beat)

    def _most(self, database: Database) -> int:
        return cast("int | None", database.execute(_MOST).get) or 0


class RedisReader(CopyReader):
    """Reads a whole journal into a copy of its own, as of one moment; `settled` reads on. To the
    servers it is a node that has no runs. It ends together with the reader's memory.

    Raises `JournalFailed` (no journal there, or refused), `JournalTooNew`, `JournalUnreachable`.
    """

    def __init__(self, url: str) -> None:
        self._holding = Holding(url, LEASE_SECONDS)
        try:
            with self._in_our_words():
                if not self._holding.client.call(_Epoch(self._holding.keys.root)):
                    raise JournalFailed(
                        f"{self.where} has no journal",
                        advice="name another database, or start a server on this one",
                    )
                self._mirror = mirror_of(self._holding, "")
        except BaseException:
            self._holding.client.close()
            raise
        super().__init__(self._holding, self._mirror.copy)
        weakref.finalize(self, self._holding.client.close)
        self._renew_at = time.monotonic() + RENEW_SECONDS

    def settled(self) -> int:
        with self._in_our_words():
            if time.monotonic() >= self._renew_at:
                self._holding.renew()
                self._renew_at = time.monotonic() + RENEW_SECONDS
            self._mirror.follow()
        return self.last_number()


@attrs.frozen
class _Epoch:
    root: str

    async def __call__(self, client: Redis[bytes]) -> bytes | None:
        return await client.hget(self.root, "epoch")


def _of_no_node() -> int | None:
    return None
