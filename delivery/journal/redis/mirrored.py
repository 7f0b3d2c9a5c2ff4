"""A connection to the copy whose commits are kept in Redis first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Final, cast

import apsw

from greenroom.delivery.journal.redis.rows import Change, Row
from greenroom.delivery.journal.sql.database import Rows, SqlValue

_WRITES: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE")


class MirroredDatabase:
    """Implements `Database`. `keep` is called with the changes of each transaction before it is
    committed here: if it raises, the transaction is undone. `kept` is called afterwards."""

    def __init__(
        self,
        connection: apsw.Connection,
        keep: Callable[[Sequence[Change]], None],
        kept: Callable[[], None],
    ) -> None:
        self.connection = connection
        self._keep = keep
        self._kept = kept
        self._session: apsw.Session | None = None
        self._shapes = Shapes(connection)
        self._depth = 0

    @property
    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    def execute(self, statements: str, bindings: Sequence[SqlValue] = (), /) -> Rows:
        match statements:
            case "BEGIN IMMEDIATE":
                self._begin()
            case "COMMIT":
                self._commit()
            case "ROLLBACK":
                self._undo()
            case _ if self._stands_alone(statements):
                with self:
                    return cast(Rows, self.connection.execute(statements, bindings))
            case _:
                return cast(Rows, self.connection.execute(statements, bindings))
        return cast(Rows, self.connection.execute("SELECT 1 WHERE false"))

    def executemany(self, statements: str, bindings: Iterable[Sequence[SqlValue]], /) -> Rows:
        if self._stands_alone(statements):
            with self:
                return cast(Rows, self.connection.executemany(statements, bindings))
        return cast(Rows, self.connection.executemany(statements, bindings))

    def changes(self) -> int:
        return self.connection.changes()

    def __enter__(self) -> MirroredDatabase:
        if self._depth or self.in_transaction:
            self.connection.__enter__()
        else:
            self._begin()
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> bool | None:
        self._depth -= 1
        if self._depth:
            return self.connection.__exit__(kind, error, trace)
        if error is not None:
            self._undo()
            return None
        try:
            self._commit()
        except BaseException:
            self._undo()
            raise
        return None

    def _stands_alone(self, sql: str) -> bool:
        return not self.in_transaction and sql.lstrip().upper().startswith(_WRITES)

    def _begin(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self._session = apsw.Session(self.connection, "main")
        self._session.attach()

    def _commit(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            changes = list(changes_of(session.changeset(), self._shapes))
            session.close()
            if changes:
                self._keep(changes)
                self.connection.execute("COMMIT")
                self._kept()
                return
        self.connection.execute("COMMIT")

    def _undo(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        if self.in_transaction:  # SQLite ends it itself after some errors
            self.connection.execute("ROLLBACK")


def changes_of(changeset: bytes, shapes: Shapes) -> Iterator[Change]:
    """What a changeset says, with whole rows (https://sqlite.org/sessionintro.html)."""
    for change in apsw.Changeset.iter(changeset):
        shape, op = shapes.of(change.name), change.op
        known = cast("Row", change.new if op == "INSERT" else change.old)
        key = shape.key(known)
        if op == "DELETE":
            yield Change(change.name, shape.user(known), key, None)
            continue
        row = known if op == "INSERT" else shape.row(key)
        if op == "UPDATE" and shape.moved(known, row):
            yield Change(change.name, shape.user(known), key, None)
        yield Change(change.name, shape.user(row), key, row)


class Shapes:
    """The columns of a database's tables, each looked up once."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._known: dict[str, Shape] = {}

    def of(self, table: str) -> Shape:
        if table not in self._known:
            self._known[table] = Shape(self._connection, table)
        return self._known[table]


class Shape:
    """The columns of a table."""

    def __init__(self, connection: apsw.Connection, table: str) -> None:
        self._connection = connection
        info = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        names = [str(row[1]) for row in info]
        self._user = names.index("user") if "user" in names else None
        self._keys = [number for number, row in enumerate(info) if row[5]]
        where = " AND ".join(f'"{names[number]}" IS ?' for number in self._keys)
        self._select = f'SELECT * FROM "{table}" WHERE {where}'

    def user(self, row: Row) -> str | None:
        return None if self._user is None else cast("str | None", row[self._user])

    def key(self, row: Row) -> Row:
        return tuple([row[number] for number in self._keys])

    def moved(self, old: Row, row: Row) -> bool:
        """Whether the row was another user's: a number that a removed row had is used again."""
        there: object = self.user(old)
        return there is not apsw.no_change and there != self.user(row)

    def row(self, key: Row) -> Row:
        return cast(Row, next(iter(self._connection.execute(self._select, key))))
