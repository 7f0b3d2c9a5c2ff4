"""The part of a database connection that the statements here need: apsw's, and Postgres's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, TypeAlias

SqlValue: TypeAlias = str | int | float | bytes | None


class Rows(Protocol):
    """The rows of an answer, read one after the other."""

    def __iter__(self) -> Iterator[tuple[SqlValue, ...]]: ...

    def fetchall(self) -> Sequence[tuple[SqlValue, ...]]:
        """All that are left."""

    def close(self) -> None:
        """Read no more of them."""

    @property
    def get(self) -> SqlValue | tuple[SqlValue, ...]:
        """The first row; of one column, its value; None if there is no row."""
        ...


class Database(Protocol):
    """A connection. It raises the errors of its own library.

    A statement's values are `?`, or `?1` and so on. Entering it begins a transaction, or a
    savepoint within one; leaving it commits, or undoes it after an error.
    """

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun. The database may end it by itself after an error."""
        ...

    def execute(self, statements: str, bindings: Sequence[SqlValue] = ..., /) -> Rows:
        """Carry out a statement."""

    def executemany(self, statements: str, bindings: Iterable[Sequence[SqlValue]], /) -> Rows:
        """Carry out a statement for each row."""

    def changes(self) -> int:
        """The rows that the last statement changed."""

    def __enter__(self) -> object: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> bool | None: ...


def has_table(database: Database, name: str) -> bool:
    """Whether the journal has the table; one that an older greenroom made lacks later ones."""
    sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    return bool(database.execute(sql, (name,)).get)
