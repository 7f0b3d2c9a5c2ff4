"""Reads a journal in Postgres, beside the servers that write it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.postgres.errors import in_our_words
from greenroom.delivery.journal.postgres.opening import check_version, connect, named
from greenroom.delivery.journal.postgres.store import PostgresStore
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.reader import SqlReader
from greenroom.delivery.journal.sql.store import SqlStore

_MOST: Final = """
    SELECT coalesce(
        pg_sequence_last_value(CAST(pg_get_serial_sequence('log', 'number') AS REGCLASS)), 0)
"""
_NEXT: Final = "SELECT CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT)"
_HAVE_ENDED: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= CAST(? AS XID8)"


class PostgresReader(SqlReader):
    """Reads the records of a journal in Postgres. Its role needs `SELECT` on the tables only. Its
    connection is closed together with the reader's memory.

    Raises `JournalFailed` (no journal there, or refused), `JournalTooNew`, `JournalUnreachable`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._database: PostgresDatabase | None = None
        self._settled = 0
        self._settling: tuple[int, str] | None = None
        with self.look():
            pass

    @property
    def where(self) -> str:
        return named(self._url)

    @contextmanager
    def look(self) -> Iterator[PostgresDatabase]:
        """One connection serves all looks. After one that was lost, there is another."""
        with in_our_words(self.where):
            if self._database is None or self._database.connection.closed:
                self._database = self._connected()
            yield self._database

    def settled(self) -> int:
        """Those numbers through which every transaction has ended. Nodes that write beside each
        other commit in another order than that of their numbers."""
        with self.look() as database:
            if self._settling is None:
                most = self._most(database)  # whoever has a number has a transaction's id before it
                self._settling = most, str(database.execute(_NEXT).get)
            most, following = self._settling
            if database.execute(_HAVE_ENDED, (following,)).get:
                self._settled, self._settling = most, None
        return self._settled

    def _connected(self) -> PostgresDatabase:
        connection = connect(self._url)
        try:
            connection.only_read()
            check_version(connection, self.where)
        except BaseException:
            connection.close()
            raise
        weakref.finalize(self, connection.close)
        return PostgresDatabase(connection)

    def _store(self, database: Database) -> SqlStore:
        return PostgresStore(cast(PostgresDatabase, database))

    def _most(self, database: Database) -> int:
        return cast(int, database.execute(_MOST).get)
