"""A connection to Postgres with the methods that the statements of `sql/` need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import count
from types import TracebackType
from typing import Any, Final, TypeAlias, cast

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.raw_cursor import RawCursor, RawServerCursor

from greenroom.delivery.journal.postgres.connections.dialect import TRANSACTIONS, postgres_of
from greenroom.delivery.journal.postgres.connections.pooling import JournalConnection
from greenroom.delivery.journal.sql.database import SqlValue

Row: TypeAlias = tuple[SqlValue, ...]

CHUNK: Final = 32
"""Rows of a long answer that are fetched at a time: each may have 1 MiB."""

MANY: Final = 256
"""The same for who reads a whole journal."""


class PostgresRows:
    """The rows of an answer."""

    def __init__(self, cursor: RawCursor[Any] | RawServerCursor[Any]) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[Row]:
        return cast("Iterator[Row]", iter(self._cursor))

    def fetchall(self) -> Sequence[Row]:
        """All that are left."""
        return cast("list[Row]", self._cursor.fetchall())

    def close(self) -> None:
        """Read no more of them."""
        self._cursor.close()

    @property
    def get(self) -> SqlValue | Row:
        """The first row; of one column, its value; None if there is no row."""
        row = cast("Row | None", self._cursor.fetchone())
        return row[0] if row is not None and len(row) == 1 else row


class PostgresDatabase:
    """Implements `Database`. Raises `psycopg.Error`."""

    def __init__(self, connection: JournalConnection) -> None:
        self.connection = connection
        self._last: RawCursor[Any] | None = None
        self._entered: list[AbstractContextManager[object]] = []

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun, and the connection lives."""
        status = self.connection.info.transaction_status
        return status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)

    def execute(self, statements: str, bindings: Sequence[SqlValue] = (), /) -> PostgresRows:
        """Carry out a statement."""
        if not self.connection.is_bare:
            return self._execute(statements, bindings)
        if statements in TRANSACTIONS:
            return self._begin(statements)
        with self:
            return self._execute(statements, bindings)

    def _begin(self, statement: str) -> PostgresRows:
        """In one trip: outside of a pipeline a message may have several statements."""
        if self.connection.info.pipeline_status == PipelineStatus.OFF:
            return self._execute(f"{postgres_of(statement)}; {self.connection.beginning}")
        self._execute(statement)
        return self._execute(self.connection.beginning)

    def _execute(self, statements: str, bindings: Sequence[SqlValue] = ()) -> PostgresRows:
        cursor = self._last = RawCursor(self.connection)
        sql = postgres_of(statements).encode()
        try:
            cursor.execute(sql, bindings or None)
        except psycopg.DataError:
            if not _has_nulls(bindings):
                raise
            cursor.execute(sql, _without_nulls(bindings))
        return PostgresRows(cursor)

    def executemany(
        self, statements: str, bindings: Iterable[Sequence[SqlValue]], /
    ) -> PostgresRows:
        """Carry out a statement for each row."""
        rows = list(bindings)
        if len(rows) == 1:
            return self.execute(statements, rows[0])
        if not self.connection.is_bare:
            return self._execute_all(statements, rows)
        with self:
            return self._execute_all(statements, rows)

    def _execute_all(self, statements: str, rows: Sequence[Sequence[SqlValue]]) -> PostgresRows:
        cursor = self._last = RawCursor(self.connection)
        sql = postgres_of(statements).encode()
        try:
            cursor.executemany(sql, rows)
        except psycopg.DataError:
            if not any(map(_has_nulls, rows)):
                raise
            cursor.executemany(sql, list(map(_without_nulls, rows)))
        return PostgresRows(cursor)

    def fetch(self, statements: str, bindings: Sequence[SqlValue]) -> PostgresRows:
        """As `execute`, in a transaction, for an answer that need not be read to its end."""
        cursor = RawServerCursor(self.connection, "rows")
        cursor.itersize = CHUNK
        cursor.execute(postgres_of(statements).encode(), bindings)
        return PostgresRows(cursor)

    def changes(self) -> int:
        """The rows that the last statement changed."""
        if self.connection.info.pipeline_status != PipelineStatus.OFF:
            with self.connection.pipeline() as pipeline:  # the one that we are in
                pipeline.sync()
        return 0 if self._last is None else self._last.rowcount

    def __enter__(self) -> PostgresDatabase:
        block = self.connection.transaction()
        block.__enter__()
        self._entered.append(block)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> bool | None:
        return self._entered.pop().__exit__(kind, error, trace)


class StreamingDatabase(PostgresDatabase):
    """Within one transaction, answers whose rows stay at the server until they are read."""

    def __init__(self, connection: JournalConnection) -> None:
        super().__init__(connection)
        self._names = count(1)

    def execute(self, statements: str, bindings: Sequence[SqlValue] = (), /) -> PostgresRows:
        cursor = RawServerCursor(self.connection, f"rows{next(self._names)}")
        cursor.itersize = MANY
        cursor.execute(postgres_of(statements).encode(), bindings or None)
        return StreamedRows(cursor)


class StreamedRows(PostgresRows):
    """Rows that are fetched as they are read, and given up at the end."""

    def __iter__(self) -> Iterator[Row]:
        with self._cursor:
            yield from super().__iter__()

    def fetchall(self) -> Sequence[Row]:
        with self._cursor:
            return super().fetchall()

    @property
    def get(self) -> SqlValue | Row:
        with self._cursor:
            return super().get


def _has_nulls(bindings: Sequence[SqlValue]) -> bool:
    return any(isinstance(value, str) and "\0" in value for value in bindings)


def _without_nulls(bindings: Sequence[SqlValue]) -> list[SqlValue]:
    """Text may have none (https://www.postgresql.org/docs/current/datatype-character.html); such an
    error comes before anything is sent."""
    return [
        value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
        for value in bindings
    ]
