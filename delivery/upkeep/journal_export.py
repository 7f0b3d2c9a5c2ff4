"""Exports a journal as JSON Lines, and imports it again (the lines: `journal_lines`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

import apsw
import attrs

from greenroom.actors.text.safe import safe_str
from greenroom.delivery.errors import JournalCorrupt
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.tables.threads import fill_in
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.errors import in_our_words
from greenroom.delivery.journal.sqlite.file import SqliteFile, open_file
from greenroom.delivery.journal.sqlite.place import lock_path
from greenroom.delivery.upkeep import journal_lines
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_intake import Refusals, insert_all
from greenroom.delivery.upkeep.journal_lines import BadExport, Header, TableRow
from greenroom.delivery.upkeep.journal_upkeep import (
    EVERY,
    TellProgress,
    back_up,
    backups,
    no_progress,
    open_for_upkeep,
    settle_mapped,
)
from greenroom.delivery.upkeep.sql_tables import SqlTable, count_rows, tables

SHOWN: Final = 10


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
        return export_entries(file.database, file.epoch, write, progress)


def export_entries(
    database: Database, epoch: str, write: Callable[[bytes], object], progress: TellProgress
) -> int:
    """Write all rows of the tables, a line each, and return their number."""
    rows, total = 0, count_rows(database)
    write(journal_lines.header_line(Header(epoch, sqlite_schema.VERSION)))
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


def _lines(database: Database, table: SqlTable) -> Iterator[bytes]:
    query = f'SELECT {table.names} FROM "{table.name}" ORDER BY {table.order}'
    for values in database.execute(query):
        row = dict(zip(table.columns, values, strict=True))
        try:
            yield journal_lines.row_line(table.name, row)
        except ValueError as error:
            raise JournalCorrupt(
                f"{table.name} of {row.get('user')!r}, offset {row.get('offset')!r}: {error}",
                advice="run `greenroom journal check` to list all flaws",
            ) from error


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
            rows = insert_all(database, journal_lines.read_rows(lines), REFUSALS, progress)
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


REFUSALS: Final = Refusals((apsw.ConstraintError, OverflowError), _why_not)
