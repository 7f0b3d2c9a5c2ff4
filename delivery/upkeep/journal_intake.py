"""Takes the rows of an export into the tables of a journal (the lines: `journal_lines`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final, TypeAlias, cast

import attrs

from greenroom.delivery.errors import JournalError
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import RECORD_COLUMNS, RecordRow
from greenroom.delivery.upkeep.journal_check import record_flaws
from greenroom.delivery.upkeep.journal_lines import BadExport, TableRow
from greenroom.delivery.upkeep.journal_upkeep import EVERY, TellProgress
from greenroom.delivery.upkeep.sql_tables import tables

CHUNK: Final = 500
REPLACED: Final = {"thread": ("user", "thread")}
"""Tables whose rows are there already once the events are, and their keys: a line of the export
replaces them."""
OF_NO_USER: Final = frozenset({"crash"})
"""Tables whose rows need not have a user."""
_RECORD: Final = RECORD_COLUMNS.replace('"', "").split(", ")

WhyNot: TypeAlias = Callable[[Exception, TableRow], str]
"""What is wrong with a row that the database refused, in plain words."""


class NotMixed(JournalError):
    """The import and the journal have users in common."""


class NoPlace(ValueError):
    """The table or a column does not exist, or the event is unsound."""


@attrs.frozen
class Refusals:
    """The errors by which a database refuses a row, and what they mean."""

    errors: tuple[type[Exception], ...]
    why_not: WhyNot


def insert_all(
    database: Database, rows: Iterable[TableRow], refusals: Refusals, progress: TellProgress
) -> int:
    """Insert the rows, and return their number. Raises `BadExport` and `NotMixed`."""
    new_users, intake, count = _NewUsers(database), _Intake(database, refusals), 0
    for alike in _alike(new_users.only(rows)):
        intake.insert(alike)
        before, count = count, count + len(alike)
        if before // EVERY != count // EVERY:
            progress("importing", count, 0)
    return count


def _alike(rows: Iterable[TableRow]) -> Iterator[list[TableRow]]:
    """Rows of one table with the same columns. Those before a line that cannot be read come first:
    one of them may be refused, and the error names the first line that is wrong."""
    found: list[TableRow] = []
    try:
        for row in rows:
            if found and (_shape(row) != _shape(found[0]) or len(found) == CHUNK):
                yield found
                found = []
            found.append(row)
    except JournalError:
        if found:
            yield found
        raise
    if found:
        yield found


def _shape(row: TableRow) -> tuple[str, tuple[str, ...]]:
    return row.table, tuple(row.values)


class _NewUsers:
    """Accepts only rows of users that the journal did not have before."""

    def __init__(self, database: Database) -> None:
        self._is_old = lru_cache(maxsize=65_536)(self._look_up)
        self._database = database
        database.execute("CREATE TEMPORARY TABLE old_user (user TEXT PRIMARY KEY)")
        for table in tables(database):
            if "user" in table.columns:
                database.execute(
                    f'INSERT INTO old_user SELECT DISTINCT user FROM "{table.name}" WHERE true'
                    " ON CONFLICT DO NOTHING"
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

    def __init__(self, database: Database, refusals: Refusals) -> None:
        self._database = database
        self._refusals = refusals
        self._columns = {table.name: table.columns for table in tables(database)}
        self._statement = lru_cache(maxsize=64)(self._new_statement)

    def insert(self, rows: list[TableRow]) -> None:
        """Insert rows of one table with the same columns. Raises `BadExport` if the table or a
        column does not exist, or if a row has no place in it."""
        statement = self._statement_for(rows[0])
        for row in rows:
            if row.table == "log" and (flaw := next(_event_flaws(row), None)):
                raise _refused(row, flaw)
        try:
            with self._database:
                self._database.executemany(statement, [(*row.values.values(),) for row in rows])
        except self._refusals.errors:
            self._insert_singly(statement, rows)

    def _insert_singly(self, statement: str, rows: list[TableRow]) -> None:
        """To know which one is refused."""
        for row in rows:
            try:
                self._database.execute(statement, (*row.values.values(),))
            except self._refusals.errors as error:
                raise _refused(row, self._refusals.why_not(error, row)) from error

    def _statement_for(self, row: TableRow) -> str:
        try:
            return self._statement(row.table, tuple(row.values))
        except NoPlace as error:
            raise _refused(row, str(error)) from error

    def _new_statement(self, table: str, columns: tuple[str, ...]) -> str:
        if table not in self._columns:
            raise NoPlace(f"a journal has no table {table!r}")
        for column in columns:
            if column not in self._columns[table]:
                raise NoPlace(f"{table} has no column {column!r}")
        names = ", ".join(f'"{column}"' for column in columns)
        places = ", ".join("?" * len(columns))
        return f'INSERT INTO "{table}" ({names}) VALUES ({places}){_replacing(table, columns)}'


def _replacing(table: str, columns: tuple[str, ...]) -> str:
    if table not in REPLACED:
        return ""
    changes = ", ".join(f'"{each}" = excluded."{each}"' for each in columns)
    return f" ON CONFLICT ({', '.join(REPLACED[table])}) DO UPDATE SET {changes}"


def _refused(row: TableRow, why: str) -> BadExport:
    return BadExport(
        f"line {row.line}: {why}",
        advice="`greenroom journal export` does not write such a line: export again; "
        "nothing was changed",
    )


def _event_flaws(row: TableRow) -> Iterator[str]:
    """The flaws of an event, found here where the line is known; `check` runs only afterwards."""
    columns = [row.values.get(column) for column in _RECORD]
    if None not in (columns[1], columns[-1]):  # offset and body; SQLite requires the other columns
        yield from record_flaws(cast(RecordRow, tuple(columns)))
