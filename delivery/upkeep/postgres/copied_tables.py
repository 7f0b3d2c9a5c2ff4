"""The tables of a journal that is copied from a file to Postgres: what differs in a part of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import md5
from typing import Final, cast

import apsw
import attrs

from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.sql.database import Database, SqlValue
from greenroom.delivery.upkeep.journal_lines import BYTES_COLUMNS, JSON_COLUMNS
from greenroom.delivery.upkeep.sql_tables import NOT_ENTRIES, OF_NODES

Row = tuple[SqlValue, ...]

_NAMES: Final = """
    SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite|_%' ESCAPE '|'
"""
_COLUMNS: Final = "SELECT name, pk FROM pragma_table_info(?) ORDER BY cid"
_NOT_COPIED: Final = NOT_ENTRIES - {"unsettled"}  # which says the same in both
_FIRST: Final = ("log", "span", "open_run", "file")
"""Their triggers change rows of the others, which therefore come later."""
_LAST: Final = "thread"

# An event that is erased or forgotten changes its kind, too. A part of a file never changes.
_TELLING: Final = {
    "log": ("user", "offset", "id", "kind"),
    "file_part": (),
}
"""The columns beside the key that tell whether a row has changed, where not all are needed."""
_LARGE: Final = BYTES_COLUMNS | JSON_COLUMNS.keys()


@attrs.frozen
class CopiedTable:
    """A table with its columns, and those of its primary key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns that show whether two rows are the same, the key first."""
        columns = _TELLING.get(self.name, self.columns)
        return (*self.key, *(each for each in columns if each not in self.key))

    @property
    def reuses_numbers(self) -> bool:
        """Whether a new row may have the number of a deleted one, of any user."""
        return self.key == ("number",) and self.name != "log"

    def rows(self, where: str) -> str:
        """A query for what is compared: of large values their digests."""
        values = ", ".join(f'md5("{c}")' if c in _LARGE else f'"{c}"' for c in self.compared)
        return f'SELECT {values} FROM "{self.name}" WHERE {where} ORDER BY {_listed(self.key)}'

    def by_key(self) -> str:
        return " AND ".join(f'"{column}" = ?' for column in self.key)


def copied_tables(source: Database, target: Database) -> list[CopiedTable]:
    """In the order in which they are copied. Raises `JournalFailed` if the source lacks a table or
    a column: a server of this version adds it."""
    theirs, mine = _tables(source), _tables(target)
    if missing := [name for name in mine if theirs.get(name) != mine[name]]:
        raise JournalFailed(
            f"the journal's file is of an older version: {missing[0]} is not as it is now",
            advice="start a server of this version on it once",
        )
    return sorted(mine.values(), key=_place)


def mend(
    source: Database, target: PostgresDatabase, table: CopiedTable, where: str, *values: SqlValue
) -> int:
    """Make the rows of the target that `where` selects those of the source, in a transaction of
    the caller's, and return the number of rows that were written or deleted."""
    found = set(target.execute(table.rows(where), values))
    wanted = {as_kept(row): row for row in source.execute(table.rows(where), values)}
    width = len(table.key)
    gone = [row[:width] for row in found if row not in wanted]
    new = [row[:width] for kept, row in wanted.items() if kept not in found]
    _delete(target, table, gone)
    if table.reuses_numbers:
        _delete(target, table, new)
    _copy(source, target, table, new)
    return len(gone) + len(new)


def with_digests(source: apsw.Connection) -> apsw.Connection:
    """Give a connection to a file the function that `CopiedTable.rows` uses."""
    source.create_scalar_function("md5", _digest, 1, deterministic=True)
    return source


def as_kept(row: Row) -> Row:
    """A row as Postgres keeps it: text has no null characters."""
    if any(isinstance(value, str) and "\0" in value for value in row):
        return tuple(map(_without_nulls, row))
    return row


def _tables(database: Database) -> dict[str, CopiedTable]:
    names = [str(name) for (name,) in database.execute(_NAMES).fetchall()]
    return {name: _table(database, name) for name in names if name not in _NOT_COPIED}


def _table(database: Database, name: str) -> CopiedTable:
    found = cast("list[tuple[str, int]]", database.execute(_COLUMNS, (name,)).fetchall())
    columns = tuple(sorted(each for each, _ in found if each not in OF_NODES))
    return CopiedTable(name, columns, tuple(each for each, place in found if place))


def _place(table: CopiedTable) -> tuple[int, str]:
    if table.name in _FIRST:
        return _FIRST.index(table.name), ""
    return len(_FIRST) + (table.name == _LAST), table.name


def _delete(target: PostgresDatabase, table: CopiedTable, keys: Sequence[Row]) -> None:
    if keys:
        target.executemany(f'DELETE FROM "{table.name}" WHERE {table.by_key()}', keys)


def _copy(
    source: Database, target: PostgresDatabase, table: CopiedTable, keys: Sequence[Row]
) -> None:
    if not keys:
        return
    columns = _listed(table.columns)
    sql = f'COPY "{table.name}" ({columns}) FROM STDIN'
    with target.connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
        for row in _whole_rows(source, table, keys):
            copy.write_row(as_kept(row))


def _whole_rows(source: Database, table: CopiedTable, keys: Sequence[Row]) -> Iterator[Row]:
    query = f'SELECT {_listed(table.columns)} FROM "{table.name}" WHERE {table.by_key()}'
    for key in keys:
        yield from source.execute(query, key)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _digest(*values: apsw.SQLiteValue) -> str | None:
    (value,) = values
    if value is None:
        return None
    data = value if isinstance(value, bytes) else str(_without_nulls(str(value))).encode()
    return md5(data, usedforsecurity=False).hexdigest()


def _without_nulls(value: SqlValue) -> SqlValue:
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
