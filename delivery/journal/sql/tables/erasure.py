"""Erasure in SQL: the events of a thread, or all that is kept of a user, a bounded step at a time.

After each step the journal is sound: a thread has become shorter, or a user's log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

from greenroom.delivery.events.ids import ThreadId, UserId
from greenroom.delivery.events.record import RUN_ENDS, Record
from greenroom.delivery.events.threads import ERASED_THREAD, erased
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import (
    RECORD_COLUMNS,
    RecordRow,
    record_of,
    record_row,
)
from greenroom.delivery.journal.sql.tables.files import cut_file
from greenroom.delivery.journal.sql.tables.threads import add_thread_again

STEP: Final = 20
"""Events of a thread that are erased in one transaction: other users' commits get their turn in
between. 20 take 4 ms or, each alone between those of others, 8; 200 took 13 or 50."""

TRIM_STEP: Final = 100
"""Events of a user to erase that are deleted in one transaction."""

_SPANS: Final = """
    SELECT first, coalesce(
        (SELECT min(later.first) - 1 FROM span AS later
         WHERE later.user = span.user AND later.first > span.first),
        (SELECT max("offset") FROM log WHERE log.user = span.user))
    FROM span WHERE user = ? AND thread = ? AND first <= ? ORDER BY first LIMIT ?
"""
_RECORDS: Final = f"""
    SELECT {RECORD_COLUMNS} FROM log WHERE user = ? AND "offset" BETWEEN ? AND ? ORDER BY "offset"
"""
_SET: Final = ", ".join(f"{name} = ?" for name in RECORD_COLUMNS.split(", "))
_REPLACE: Final = f'UPDATE log SET {_SET} WHERE user = ? AND "offset" = ?'
_BEGIN_SPAN: Final = """
    INSERT INTO span (user, first, thread) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""
_EMPTY_SPAN: Final = "UPDATE span SET thread = ?3 WHERE user = ?1 AND first = ?2"
_DROP_SPAN: Final = "DELETE FROM span WHERE user = ? AND first = ?"
_THREAD_BEFORE: Final = """
    SELECT thread FROM span WHERE user = ? AND first < ? ORDER BY first DESC LIMIT 1
"""
_THREAD_AT: Final = "SELECT thread FROM span WHERE user = ? AND first = ?"
_OF_SPANS: Final = "SELECT 1 FROM span WHERE user = ? AND thread = ? AND first <= ? LIMIT 1"
_WITH_COLUMN: Final = """
    SELECT tables.name FROM sqlite_schema AS tables
    CROSS JOIN pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND columns.name IN ('user', ?1)
    GROUP BY tables.name
    HAVING count(DISTINCT columns.name) = CASE ?1 WHEN 'user' THEN 1 ELSE 2 END
"""
_OF_THREADS_OWN: Final = frozenset({"log", "span"})


def erase_thread(database: Database, user: UserId, thread: ThreadId, through: int) -> bool:
    """Erase at most `STEP` of the thread's events through an offset; True if there are more."""
    if thread == ERASED_THREAD:  # it would never become shorter
        return False
    pieces = list(_step(_spans(database, user, thread, through), through))
    if any(cut_file(database, user, (first, last)) for first, last, _ in pieces):
        return True
    gone = list[Record]()
    for first, last, end in pieces:
        gone += _erase(database, user, first, last)
        _erase_span(database, user, thread, first, last, end)
    _erase_runs(database, user, gone)
    if database.execute(_OF_SPANS, (user, thread, through)).get:
        return True
    for table in _tables_with(database, "thread") - _OF_THREADS_OWN:
        if table != "open_run":  # a run that began meanwhile
            database.execute(f'DELETE FROM "{table}" WHERE user = ? AND thread = ?', (user, thread))
    add_thread_again(database, user, thread)
    return False


def erase_user(database: Database, user: UserId) -> None:
    """Erase all that is left of a user whose events are trimmed."""
    for table in _tables_with(database, "user"):
        database.execute(f'DELETE FROM "{table}" WHERE user = ?', (user,))


def _step(spans: Sequence[tuple[int, int]], through: int) -> Iterator[tuple[int, int, int]]:
    """The first and the last offset of what one step erases of each span, and the span's end."""
    left = STEP
    for first, end in spans:
        last = min(end, through, first + left - 1)
        yield first, last, end
        left -= last - first + 1
        if not left:
            return


def _spans(
    database: Database, user: UserId, thread: ThreadId, through: int
) -> Sequence[tuple[int, int]]:
    values = (user, thread, through, STEP)
    return cast("list[tuple[int, int]]", database.execute(_SPANS, values).fetchall())


def _erase(database: Database, user: UserId, first: int, last: int) -> list[Record]:
    """Returns what was erased."""
    rows = database.execute(_RECORDS, (user, first, last)).fetchall()
    records = [record_of(cast(RecordRow, row)) for row in rows]
    emptied = [(*record_row(erased(record)), user, record.offset) for record in records]
    database.executemany(_REPLACE, emptied)
    span = (user, first, last)
    database.execute('DELETE FROM mark WHERE user = ? AND "offset" BETWEEN ? AND ?', span)
    letters = [(record.id,) for record in records]
    database.executemany("DELETE FROM dead_letter WHERE event = ?", letters)
    return records


def _erase_runs(database: Database, user: UserId, gone: Sequence[Record]) -> None:
    """What is kept of runs beside their events; they have ended. A policy goes with its run's last
    event: if no further step follows, it holds for the events that are left."""
    runs = {(user, record.run) for record in gone}
    ended = {(user, record.run) for record in gone if record.kind in RUN_ENDS}
    for table in _tables_with(database, "run") - _OF_THREADS_OWN:
        of_these = ended if table == "run_policy" else runs
        database.executemany(f'DELETE FROM "{table}" WHERE user = ? AND run = ?', of_these)


def _erase_span(
    database: Database, user: UserId, thread: ThreadId, first: int, last: int, end: int
) -> None:
    """The events from `first` through `last` of a span through `end` are erased: spans of erased
    events that meet become one."""
    if last < end:
        database.execute(_BEGIN_SPAN, (user, last + 1, thread))
    elif database.execute(_THREAD_AT, (user, last + 1)).get == ERASED_THREAD:
        database.execute(_DROP_SPAN, (user, last + 1))
    if database.execute(_THREAD_BEFORE, (user, first)).get == ERASED_THREAD:
        database.execute(_DROP_SPAN, (user, first))
    else:
        database.execute(_EMPTY_SPAN, (user, first, ERASED_THREAD))


def _tables_with(database: Database, column: str) -> set[str]:
    """The tables with a `user` and this column, whatever feature they belong to."""
    return {str(name) for (name,) in database.execute(_WITH_COLUMN, (column,))}
