"""Migration: replaces all legacy ids in a journal with new ids, in one transaction."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import apsw
import attrs

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import JournalError
from greenroom.delivery.events.ids import BadId
from greenroom.delivery.legacy.legacy_ids import ADVICE
from greenroom.delivery.legacy.legacy_rows import ID_COLUMNS, modern_body, modern_id
from greenroom.delivery.upkeep.journal_upkeep import (
    EVERY,
    TellProgress,
    back_up,
    copied,
    no_progress,
    open_for_upkeep,
    settle_mapped,
)
from greenroom.delivery.upkeep.sql_tables import SqlTable, count_rows, tables

SHOWN: Final = 10

# A client that reconnected while its session still had a legacy id also has a cursor with the new
# id; the cursor with the higher offset stays.
_DROP_OUTRUN_CURSORS: Final = """
    DELETE FROM cursor WHERE EXISTS (
        SELECT 1 FROM cursor AS newer WHERE newer.user = cursor.user
            AND newer.session = modern_id('session', cursor.session)
            AND newer.session != cursor.session AND newer."offset" >= cursor."offset")
"""


class NotMigratable(JournalError):
    """The journal has ids or events that cannot be mapped to new ones."""

    fault = Fault.OPERATOR


@attrs.frozen
class Migrated:
    """The number of rows with new ids, by table, and the path of the backup if one was made."""

    rows: dict[str, int]
    backup: Path | None


def migrate(
    path: Path,
    *,
    to: Path | None = None,
    now: datetime | None = None,
    progress: TellProgress = no_progress,
) -> Migrated:
    """Replace every legacy id in the journal with its new id, in one transaction, after a backup.

    With `to`, a migrated copy is made there and the journal stays as it is. Without legacy ids
    nothing is written at all. A migration that is killed has happened completely or not at all,
    and may always be repeated. Raises `NotMigratable` before anything is written, and the errors
    of `open_for_upkeep`.
    """
    with open_for_upkeep(path) as file:
        if not _legacy_rows(file.database, progress):
            return Migrated({}, None)
        if to is not None:
            with copied(file, to, progress) as copy:
                return Migrated(_rewrite(copy, progress), None)
        backup = back_up(file, progress, now)
        return Migrated(_rewrite(file.database, progress), backup)


class _Rows:
    """The SQL function that finds rows with legacy ids. Counts rows, and keeps some complaints."""

    def __init__(self, database: apsw.Connection, what: str, progress: TellProgress) -> None:
        self._what = what
        self._progress = progress
        self._total = count_rows(database)
        self._done = 0
        self.bad = 0
        self.complaints: list[str] = []

    def is_legacy(self, *row: apsw.SQLiteValue) -> bool:
        """`row`: the table's name, the names of columns joined by spaces, and their values."""
        table, columns, *values = row
        self._done += 1
        if self._done % EVERY == 0 or self._done == self._total:
            self._progress(self._what, self._done, self._total)
        try:
            pairs = zip(str(columns).split(), values, strict=True)
            found = [_is_legacy(column, value) for column, value in pairs if value is not None]
            return any(found)
        except (BadId, ValueError) as error:
            self.bad += 1
            if len(self.complaints) < SHOWN:
                message = error.message if isinstance(error, BadId) else f"an event: {error}"
                self.complaints.append(f"{table}: {message}")
            return False


def _is_legacy(column: str, value: apsw.SQLiteValue) -> bool:
    if isinstance(value, bytes):
        return modern_body(value) is not value
    return modern_id(column, str(value)) != value


def _legacy_rows(database: apsw.Connection, progress: TellProgress) -> int:
    """The number of rows with legacy ids. Raises `NotMigratable`."""
    rows = _Rows(database, "looking for legacy ids", progress)
    database.create_scalar_function("is_legacy", rows.is_legacy)
    counts = [
        database.execute(f'SELECT count(*) FROM "{table.name}" WHERE {_condition(table)}').get
        for table in tables(database)
        if _places(table)
    ]
    if rows.bad:
        more = [f"… and {rows.bad - SHOWN} more"] if rows.bad > SHOWN else []
        complaints = "\n".join([*rows.complaints, *more])
        raise NotMigratable(f"{database.filename} cannot be migrated\n{complaints}", advice=ADVICE)
    return sum(map(int, counts))


def _rewrite(database: apsw.Connection, progress: TellProgress) -> dict[str, int]:
    """Replace the ids in every table, in one transaction. Returns the number of rows by table."""
    rows = _Rows(database, "giving new ids", progress)
    database.create_scalar_function("is_legacy", rows.is_legacy)
    database.create_scalar_function("modern_id", _modern_id, 2)
    database.create_scalar_function("modern_body", _modern_body, 1)
    with database:
        database.execute(_DROP_OUTRUN_CURSORS)
        changed = {table.name: _rewrite_table(database, table) for table in tables(database)}
        settle_mapped(database)
    return {name: count for name, count in changed.items() if count}


def _rewrite_table(database: apsw.Connection, table: SqlTable) -> int:
    places = _places(table)
    if not places:
        return 0
    new = ", ".join(f"{_quoted(column)} = {_modern(column)}" for column in places)
    database.execute(f'UPDATE OR REPLACE "{table.name}" SET {new} WHERE {_condition(table)}')
    return database.changes()


def _modern(column: str) -> str:
    if column == "body":
        return "modern_body(body)"
    return f"modern_id('{column}', {_quoted(column)})"


def _condition(table: SqlTable) -> str:
    places = _places(table)
    values = ", ".join(map(_quoted, places))
    return f"is_legacy('{table.name}', '{' '.join(places)}', {values})"


def _places(table: SqlTable) -> list[str]:
    """The columns with ids, or with events that contain ids. User ids are never mapped."""
    return [c for c in table.columns if (c in ID_COLUMNS and c != "user") or c == "body"]


def _modern_id(*arguments: apsw.SQLiteValue) -> apsw.SQLiteValue:
    column, text = arguments
    return None if text is None else modern_id(str(column), str(text))


def _modern_body(*arguments: apsw.SQLiteValue) -> apsw.SQLiteValue:
    (body,) = arguments
    return modern_body(body) if isinstance(body, bytes) else body


def _quoted(column: str) -> str:
    return f'"{column}"'
