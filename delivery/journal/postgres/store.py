"""What the statements of `sql/` do otherwise in Postgres: a fence, and fewer round trips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, cast

import psycopg

from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.postgres.connection import PostgresDatabase, PostgresRows
from greenroom.delivery.journal.sql.database import SqlValue
from greenroom.delivery.journal.sql.log_ends import LogEnds
from greenroom.delivery.journal.sql.rows import Write
from greenroom.delivery.journal.sql.store import SqlStore

_FENCE: Final = "SELECT fence(?, ?, ?)"


class PostgresStore(SqlStore):
    """An `SqlStore` whose statements go to the server together, in one round trip a transaction.

    Other nodes append, too: each append says where it thinks that its users' logs end, and is
    refused as a whole if one of them has gone on (`fence` in `tables.py`).
    """

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database)
        self._postgres = database

    def append(self, entries: Sequence[Entry]) -> None:
        try:
            self._append(entries)
        except OutOfSequence:  # perhaps only by the ends that were known here
            self._append(entries)

    def _append(self, entries: Sequence[Entry]) -> None:
        try:
            super().append(entries)
        except (psycopg.Error, OutOfSequence):
            self.forget_ends()
            raise

    def _record_writes(self, records: list[Record], ends: LogEnds) -> list[Write]:
        counts = Counter([record.user for record in records])
        users = sorted(counts)
        row = (users, [self._tail(user)[0] for user in users], [counts[user] for user in users])
        writes = super()._record_writes(records, ends)
        return [(_FENCE, [cast("tuple[str | int | bytes | None, ...]", row)]), *writes]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """An error shows at the end at the latest, when the answers to all statements are read."""
        connection = self._postgres.connection
        try:
            with connection.pipeline():
                self._database.execute("BEGIN IMMEDIATE")
                yield
                self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                connection.rollback()  # which forgets what the failed pipeline did not prepare
            raise

    def _fetch(self, sql: str, *values: SqlValue) -> PostgresRows:
        return self._postgres.fetch(sql, values)
