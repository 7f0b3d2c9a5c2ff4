"""A journal written out as JSON Lines, and read in again (the lines: `journal_lines`)."""

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
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.errors import in_our_words
from greenroom.delivery.journal.sqlite.file import SqliteFile, open_file
from greenroom.delivery.journal.sqlite.place import lock_path
from greenroom.delivery.journal.sqlite.rows import RECORD_COLUMNS, RecordRow
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
_RECORD: Final = RECORD_COLUMNS.replace('"', "").split(", ")


class NotMixed(JournalError):
    """An import and the journal it goes into have users in common."""


@attrs.frozen
class Imported:
    """Rows that came in, and where the journal as it was is kept, if it was not empty."""

    rows: int
    backup: Path | None


def export_journal(
    path: Path, write: Callable[[bytes], object], *, progress: TellProgress = no_progress
) -> int:
    """Write all rows of the journal, a line each. How many.

    Raises the errors of `open_for_upkeep`, `JournalCorrupt` for an event that is no JSON.
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
    """Read an export into a journal: all of it, checked as `check` does, or nothing.

    A new or empty journal takes the export's epoch, so clients resume in it. One that has users
    keeps its own, is backed up first, and must have none of the export's. Legacy ids become new.
    Raises `BadExport`, `NotMixed`, `JournalTooNew` and the errors of `open_file`.
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
        for each in made:  # killed here, what stays is an empty journal: as good as none
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
                advice="`greenroom journal check` lists all that is wrong",
            ) from error


def _order(table: SqlTable) -> str:
    """By number where rows have one: the order of all users' events is theirs."""
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
            if found := list(islice(check(database, progress, strict=False), SHOWN)):
                raise BadExport("what it holds makes no sound journal\n" + "\n".join(found))
    except BaseException:
        if backup and backup not in older:  # of what is as it was
            backup.unlink()
        raise
    return Imported(rows, backup)


def _insert_all(database: apsw.Connection, lines: Iterable[bytes], progress: TellProgress) -> int:
    strangers, intake, rows = _Strangers(database), _Intake(database), 0
    for row in strangers.only(journal_lines.read_rows(lines)):
        intake.insert(row)
        rows += 1
        if rows % EVERY == 0:
            progress("importing", rows, 0)
    return rows


class _Strangers:
    """Lets in only rows of users that the journal did not have before."""

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
        """The rows as they come. Raises `NotMixed` at the first that is no stranger's."""
        for row in rows:
            user = row.values.get("user")
            if not isinstance(user, str):
                raise BadExport(f"line {row.line}: a row needs a `user`")
            if self._is_old(user):
                raise NotMixed(
                    f"line {row.line}: the journal has events of user {str(user)!r} already",
                    advice="import into a new journal; nothing was changed",
                )
            yield row

    def _look_up(self, user: str) -> bool:
        return bool(self._database.execute("SELECT 1 FROM old_user WHERE user = ?", (user,)).get)


class _Intake:
    """Puts rows into the tables they name."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database
        self._columns = {table.name: table.columns for table in tables(database)}
        self._statement = lru_cache(maxsize=64)(self._new_statement)

    def insert(self, row: TableRow) -> None:
        """Raises `BadExport` for a row that has no place, or an event that contradicts itself."""
        try:
            statement = self._statement(row.table, tuple(row.values))
            if row.table == "log" and (flaw := next(_event_flaws(row), None)):
                raise _NoPlace(flaw)
            self._database.execute(statement, tuple(row.values.values()))
        except (apsw.ConstraintError, OverflowError, _NoPlace) as error:
            raise BadExport(
                f"line {row.line}: {_why_not(error, row)}",
                advice="it is not as `greenroom journal export` wrote it; nothing was changed",
            ) from error

    def _new_statement(self, table: str, columns: tuple[str, ...]) -> str:
        if table not in self._columns:
            raise _NoPlace(f"a journal has no table {table!r}")
        for column in columns:
            if column not in self._columns[table]:
                raise _NoPlace(f"{table} has no column {column!r}")
        names = ", ".join(f'"{column}"' for column in columns)
        return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'


class _NoPlace(ValueError):
    """No table or column of that name, or no sound event."""


def _event_flaws(row: TableRow) -> Iterator[str]:
    """Here, where the line is known: `check` would tell them of the finished journal."""
    columns = [row.values.get(column) for column in _RECORD]
    if None not in (columns[1], columns[-1]):  # its offset, its body: SQLite asks for the rest
        yield from record_flaws(cast(RecordRow, tuple(columns)))


_BROKEN: Final = re.compile(r"(\w+)(?: \w+)? constraint failed: (.*)")
_MISTYPED: Final = re.compile(r"cannot store (\w+) value in (\w+) column \w+\.(\w+)")


def _why_not(error: Exception, row: TableRow) -> str:
    """SQLite's reasons in our words (sqlite.org/rescode.html names the constraints)."""
    if isinstance(error, OverflowError):
        return "a number in it is too big"
    if broken := _BROKEN.search(safe_str(error)):
        names = [name.rpartition(".")[2] for name in broken[2].split(", ")]
        if broken[1] == "NOT":
            return f"{row.table} needs {' and '.join(f'`{name}`' for name in names)}"
        same = ", ".join(f"{name} {row.values.get(name)!r}" for name in names)
        return f"{row.table} has {same} already, on a line before"
    if mistyped := _MISTYPED.search(safe_str(error)):
        return f"`{mistyped[3]}` must be {mistyped[2]}, not {mistyped[1]}"
    return safe_str(error)
