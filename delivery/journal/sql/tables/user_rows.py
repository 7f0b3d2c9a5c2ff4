"""All rows of one user, of whatever table, a bounded piece at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from greenroom.delivery.events.exported import ExportedRow, ExportPiece, ExportPlace
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.sql.database import Database, Rows
from greenroom.delivery.journal.sql.tables.threads import SqlThreads

PIECE_ROWS: Final = 100
PIECE_BYTES: Final = 64 * 1024
"""A larger piece would hold up a server's loop, which makes its lines, for milliseconds."""
_TABLES: Final = """
    SELECT tables.name FROM sqlite_schema AS tables
    CROSS JOIN pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND columns.name = 'user'
        AND tables.name NOT IN ('unsettled', 'log_end') AND tables.name > ?
    ORDER BY tables.name
"""
_NEXT_TABLE: Final = f"{_TABLES} LIMIT 1"
_COLUMNS: Final = "SELECT name, pk FROM pragma_table_info(?) ORDER BY cid"

# By an index that begins with the user: by the number of all users' rows, each piece would have to
# sort all that is left of the user's.
_KEYS: Final = {"log": ["offset"], "attempt": ["through", "number"], "open_run": ["run"]}


def user_rows(database: Database, user: UserId, place: ExportPlace | None) -> ExportPiece:
    """See `Reads.user_rows`."""
    if place is None or not place.key:
        table = database.execute(_NEXT_TABLE, (place.table if place else "",)).get
        if table is None:
            return ExportPiece((), None)
        place = ExportPlace(str(table), ())
    columns, key = _columns(database, place.table)
    rows: list[ExportedRow] = []
    size = 0
    for values in _select(database, user, place, columns, key):
        row = dict(zip(columns, values, strict=True))
        if place.table == "thread":
            row["title"] = SqlThreads(database).title_of(user, row)
        rows.append(ExportedRow(place.table, row))
        size += sum(len(each) for each in values if isinstance(each, str | bytes))
        if size > PIECE_BYTES or len(rows) == PIECE_ROWS:
            return ExportPiece(rows, ExportPlace(place.table, tuple(row[name] for name in key)))
    return ExportPiece(rows, ExportPlace(place.table, ()))


def keeps_user(database: Database, user: UserId) -> bool:
    """See `Reads.keeps_user`."""
    tables = cast("list[tuple[str]]", database.execute(_TABLES, ("",)).fetchall())
    return any(
        database.execute(f'SELECT 1 FROM "{table}" WHERE user = ? LIMIT 1', (user,)).get
        for (table,) in tables
    )


def _columns(database: Database, table: str) -> tuple[list[str], list[str]]:
    """The table's columns, and those that its rows of a user are sorted by."""
    found = cast("list[tuple[str, int]]", database.execute(_COLUMNS, (table,)).fetchall())
    key = _KEYS.get(table) or [name for name, place in found if place]
    return [name for name, _ in found], key


def _select(
    database: Database,
    user: UserId,
    place: ExportPlace,
    columns: Sequence[str],
    key: Sequence[str],
) -> Rows:
    names, keys = _listed(columns), _listed(key)
    past = f" AND ({keys}) > ({', '.join('?' * len(key))})" if place.key else ""
    sql = f'SELECT {names} FROM "{place.table}" WHERE user = ?{past} ORDER BY {keys} LIMIT ?'
    return database.execute(sql, (user, *place.key, PIECE_ROWS))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
