"""Crash reports of this process and earlier ones, in SQL. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, cast

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import CRASH_BYTES, CRASHES_KEPT, Entry, KeptCrash
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import Write

_COLUMNS: Final = "user, crash, at, process, began, line, report"
CrashRow: TypeAlias = tuple[str | None, str, int, str, int, str, str]
_ADD: Final = f"""
    INSERT INTO crash ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (crash) DO NOTHING
"""
_FORGET: Final = "DELETE FROM crash WHERE number <= (SELECT max(number) FROM crash) - ?"
_FORGET_BYTES: Final = """
    DELETE FROM crash WHERE number IN (
        SELECT number FROM (
            SELECT number, sum(length(report)) OVER (ORDER BY number DESC) AS bytes FROM crash
        ) AS sizes WHERE bytes > ?)
"""
_LIST: Final = "SELECT user, crash, at, process, began, line, '' FROM crash ORDER BY number"
_FIND: Final = f"SELECT {_COLUMNS} FROM crash WHERE crash = ?"


def crash_writes(entries: Sequence[Entry]) -> Iterator[Write]:
    """What keeps the crashes among the entries, and forgets the oldest ones."""
    if crashes := [entry for entry in entries if isinstance(entry, KeptCrash)]:
        yield _ADD, [_row(crash) for crash in crashes]
        yield _FORGET, [(CRASHES_KEPT,)]
        yield _FORGET_BYTES, [(CRASH_BYTES,)]


class SqlCrashes:
    """Implements `CrashReads`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[KeptCrash]:
        rows = self._database.execute(_LIST).fetchall()
        return [_crash_of(row) for row in cast("list[CrashRow]", rows)]

    def find(self, crash: str) -> KeptCrash | None:
        rows = cast("list[CrashRow]", self._database.execute(_FIND, (crash,)).fetchall())
        return next(map(_crash_of, rows), None)


def _crash_of(row: CrashRow) -> KeptCrash:
    user, crash, at, process, began, line, report = row
    whose = None if user is None else UserId.trusted(user)
    return KeptCrash(whose, crash, at, process, began, line, report)


def _row(crash: KeptCrash) -> CrashRow:
    return (
        crash.user,
        crash.crash,
        crash.at,
        crash.process,
        crash.began,
        crash.line,
        crash.report,
    )
