"""Exports a journal as JSON Lines, and imports it again (the lines: `journal_lines`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final, cast

import apsw
import attrs

from greenroom.actors.text.safe import safe_str
from greenroom.delivery.errors import JournalCorrupt, JournalError
from greenroom.delivery.journal.sql.rows import RECORD_COLUMNS, RecordRow
from greenroom.delivery.journal.sql.tables.threads import fill_in
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.errors import in_our_words
from greenroom.delivery.journal.sqlite.file import SqliteFile, open_file
from greenroom.delivery.journal.sqlite.place import lock_path
from greenroom.delivery.upkeep import journal_lines
from greenroom.delivery.upkeep.journal_check import check, record_flaws
from greenroom.delivery.upkeep.journal_lines import BadExport, Header, TableRow, TableValue
from greenroom.delivery.upkeep.journal_upkeep import (
    EVERY,
    SqlTable,
    TellProgress,
    back_up,
    backups,
    count_rows,
    no_progress,
    open_for_upkeep,
    settle_mapped,
    tables,
)

SHOWN: Final = 10
MADE_BY_EVENTS: Final = frozenset({"thread"})
"""Tables whose rows are there already once the events are: a line of the export replaces them."""
OF_NO_USER: Final = frozenset({"crash"})
"""Tables whose rows need not have a user."""
_RECORD: Final = RECORD_COLUMNS.replace('"', "").split(", ")


class NotMixed(JournalError):
    """The import and the journal have users in common."""


@attrs.frozen
class Imported:
    """The number of imported rows, and the path of the backup unless the journal was empty."""

    rows: int
    backup: Path | None


def export_journal(
    path: Path, write: Callable[[bytes], object], *, progress: TellProgress = no_progress
) -> int:
    """Write all rows of the journal, a line each, and return their number.

    Raises the errors of `open_for_upkeep`, and `JournalCorrupt` for an event that is not JSON.
    """
    with open_for_upkeep(path) as file:
        database, rows, total = file.database, 0, count_rows(file.database)
        write(journal_lines.header_line(Header(file.epoch, sqlite_schema.VERSION)))
        for table in tables(database):
            for line in _lines(database, table):
                write(line)
                rows += 1
                if rows % EVERY == 0 or rows == total:
                    progress("exporting", rows, total)
        write(journal_lines.end_line(rows))
        return rows


def import_journal(
    path: Path,
    lines: Iterable[bytes],
    *,
    now: datetime | None = None,
    progress: TellProgress = no_progress,
) -> Imported:
    """Read an export into a journal: all of it, checked as by `check`, or nothing.

    A new or empty journal takes the export's epoch, so that clients can resume in it. A journal
    with users keeps its own epoch, is backed up first, and must have no user of the export.
    Legacy ids become new ids. Raises `BadExport`, `NotMixed`, `JournalTooNew` and the errors of
    `open_file`.
    """
    lines, path = iter(lines), path.resolve()
    header = journal_lines.read_header(next(lines, b""), sqlite_schema.VERSION)
    made = [each for each in (path, lock_path(path)) if not each.exists()]
    try:
        with in_our_words(str(path)):
            file = open_file(path, new_epoch=lambda: header.epoch)
            try:
                return _import(file, header, lines, now, progress)
            finally:
                file.close()
    except BaseException:
        for each in made:  # if killed here, an empty journal remains, which does no harm
            with suppress(FileNotFoundError):
                each.unlink()
        raise


def _lines(database: apsw.Connection, table: SqlTable) -> Iterator[bytes]:
    names = ", ".join(f'"{column}"' for column in table.columns)
    for values in database.execute(f'SELECT {names} FROM "{table.name}" ORDER BY {_order(table)}'):
        row = dict(zip(table.columns, cast("tuple[TableValue, ...]", values), strict=True))
        try:
            yield journal_lines.row_line(table.name, row)
        except ValueError as error:
            raise JournalCorrupt(
                f"{table.name} of {row.get('user')!r}, offset {row.get('offset')!r}: {error}",
                advice="run `greenroom journal check` to list all flaws",
            ) from error


def _order(table: SqlTable) -> str:
    """The order of a table's rows: by number if they have one, to keep the order of all events."""
    return "number" if table.numbered else "1, 2"


def _import(
    file: SqliteFile,
    header: Header,
    lines: Iterable[bytes],
    now: datetime | None,
    progress: TellProgress,
) -> Imported:
    database = file.database
    empty = not count_rows(database)
    older = backups(Path(file.path))
    backup = None if empty else back_up(file, progress, now)
    try:
        with database:
            if empty:
                database.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (header.epoch,))
            rows = _insert_all(database, lines, progress)
            settle_mapped(database)
            fill_in(database)
            if found := list(islice(check(database, progress, strict=False), SHOWN)):
                raise BadExport(
                    "the export's rows do not form a sound journal\n" + "\n".join(found)
                )
    except BaseException:
        if backup and backup not in older:  # the journal is unchanged
            backup.unlink()
        raise
    return Imported(rows, backup)


def _insert_all(database: apsw.Connection, lines: Iterable[bytes], progress: TellProgress) -> int:
    new_users, intake, rows = _NewUsers(database), _Intake(database), 0
    for row in new_users.only(journal_lines.read_rows(lines)):
        intake.insert(row)
        rows += 1
        if rows % EVERY == 0:
            progress("importing", rows, 0)
    return rows


class _NewUsers:
    """Accepts only rows of users that the journal did not have before."""

    def __init__(self, database: apsw.Connection) -> None:
        self._is_old = lru_cache(maxsize=65_536)(self._look_up)
        self._database = database
        database.execute("CREATE TEMP TABLE old_user (user TEXT PRIMARY KEY) WITHOUT ROWID")
        for table in tables(database):
            if "user" in table.columns:
                database.execute(
                    f'INSERT OR IGNORE INTO old_user SELECT DISTINCT user FROM "{table.name}"'
                )

    def only(self, rows: Iterable[TableRow]) -> Iterator[TableRow]:
        """Yield the rows. Raises `NotMixed` at the first row of a user that the journal has."""
        for row in rows:
            user = row.values.get("user")
            if user is None and row.table in OF_NO_USER:
                yield row
                continue
            if not isinstance(user, str):
                raise BadExport(f"line {row.line}: the row must have a `user`")
            if self._is_old(user):
                raise NotMixed(
                    f"line {row.line}: the journal already has entries of user {str(user)!r}",
                    advice="import into a new journal; nothing was changed",
                )
            yield row

    def _look_up(self, user: str) -> bool:
        return bool(self._database.execute("SELECT 1 FROM old_user WHERE user = ?", (user,)).get)


class _Intake:
    """Inserts rows into their tables."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database
        self._columns = {table.name: table.columns for table in tables(database)}
        self._statement = lru_cache(maxsize=64)(self._new_statement)

    def insert(self, row: TableRow) -> None:
        """Raises `BadExport` if the table or a column does not exist, or if an event is unsound."""
        try:
            statement = self._statement(row.table, tuple(row.values))
            if row.table == "log" and (flaw := next(_event_flaws(row), None)):
                raise _NoPlace(flaw)
            self._database.execute(statement, tuple(row.values.values()))
        except (apsw.ConstraintError, OverflowError, _NoPlace) as error:
            raise BadExport(
                f"line {row.line}: {_why_not(error, row)}",
                advice="`greenroom journal export` does not write such a line: export again; "
                "nothing was changed",
            ) from error

    def _new_statement(self, table: str, columns: tuple[str, ...]) -> str:
        if table not in self._columns:
            raise _NoPlace(f"a journal has no table {table!r}")
        for column in columns:
            if column not in self._columns[table]:
                raise _NoPlace(f"{table} has no column {column!r}")
        names = ", ".join(f'"{column}"' for column in columns)
        insert = "INSERT OR REPLACE" if table in MADE_BY_EVENTS else "INSERT"
        return f'{insert} INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'


class _NoPlace(ValueError):
    """The table or a column does not exist, or the event is unsound."""


def _event_flaws(row: TableRow) -> Iterator[str]:
    """The flaws of an event, found here where the line is known; `check` runs only afterwards."""
    columns = [row.values.get(column) for column in _RECORD]
    if None not in (columns[1], columns[-1]):  # offset and body; SQLite requires the other columns
        yield from record_flaws(cast(RecordRow, tuple(columns)))


_BROKEN: Final = re.compile(r"(\w+)(?: \w+)? constraint failed: (.*)")
_MISTYPED: Final = re.compile(r"cannot store (\w+) value in (\w+) column \w+\.(\w+)")


def _why_not(error: Exception, row: TableRow) -> str:
    """SQLite's error in plain words (sqlite.org/rescode.html lists the constraints)."""
    if isinstance(error, OverflowError):
        return "its numbers must fit in 64 bits"
    if broken := _BROKEN.search(safe_str(error)):
        names = [name.rpartition(".")[2] for name in broken[2].split(", ")]
        if broken[1] == "NOT":
            return f"a row of {row.table} must have {' and '.join(f'`{name}`' for name in names)}"
        same = ", ".join(f"{name} {row.values.get(name)!r}" for name in names)
        return f"{row.table} has {same} on an earlier line already"
    if mistyped := _MISTYPED.search(safe_str(error)):
        return f"`{mistyped[3]}` must be {mistyped[2]}, not {mistyped[1]}"
    return safe_str(error)
