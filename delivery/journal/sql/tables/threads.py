"""A user's threads in SQL: the list, titles, and what is archived."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias, cast

from greenroom.delivery.events.exported import RowValue
from greenroom.delivery.events.ids import ThreadId, UserId, born_beside
from greenroom.delivery.events.record import RUN_OPENS, Record, ThreadSummary
from greenroom.delivery.events.threads import (
    ERASED_THREAD,
    Thread,
    ThreadsPage,
    UnknownThread,
    last_of,
    page_of_threads,
    title_of,
)
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import RECORD_COLUMNS, RecordRow, Write, record_of

_OPENS: Final = ", ".join(f"'{kind}'" for kind in sorted(RUN_OPENS))
_FROM_SPANS: Final = """
    INSERT INTO thread SELECT user, thread, NULL, 0, coalesce(
        (SELECT at FROM log WHERE log.user = ends.user AND log."offset" = ends.first), 0), 0, recent
    FROM (SELECT user, thread, min(first) AS first, max(first) AS recent FROM span
          WHERE {} GROUP BY user, thread) AS ends
"""
_OF_ALL: Final = _FROM_SPANS.format(f"thread != '{ERASED_THREAD}'")
_OF_ONE: Final = _FROM_SPANS.format("user = ? AND thread = ?")
_SET_RUNS: Final = "UPDATE thread SET runs = ? WHERE user = ? AND thread = ?"
_COUNT_RUNS: Final = f"""
    UPDATE thread SET runs = counted.runs FROM (
        SELECT user, thread, count(DISTINCT run) AS runs FROM log
        WHERE kind IN ({_OPENS}) AND parent IS NULL GROUP BY user, thread) AS counted
    WHERE thread.user = counted.user AND thread.thread = counted.thread AND thread.runs = 0
"""
_UNTITLED: Final = f"""
    SELECT {", ".join("log." + name for name in RECORD_COLUMNS.split(", "))}
    FROM (SELECT min(number) AS number FROM log WHERE kind IN ({_OPENS}) GROUP BY user, thread)
        AS firsts
    JOIN log USING (number) JOIN thread ON thread.user = log.user AND thread.thread = log.thread
    WHERE thread.title IS NULL
"""
_OPENED: Final = f"""
    SELECT {RECORD_COLUMNS} FROM log WHERE user = ?1 AND thread = ?2 AND kind IN ({_OPENS})
        AND "offset" >= (SELECT min(first) FROM span WHERE user = ?1 AND thread = ?2)
    ORDER BY "offset"
"""
_NAME: Final = "UPDATE thread SET title = ?3 WHERE user = ?1 AND thread = ?2 AND title IS NULL"
_CHANGE: Final = """
    UPDATE thread SET title = coalesce(?3, title), archived = coalesce(?4, archived)
    WHERE user = ?1 AND thread = ?2
"""

_SUMMARIES: Final = """
    WITH ends AS (
        SELECT thread, first, lead(first, 1, ?2 + 1) OVER (ORDER BY first) - 1 AS last
        FROM span WHERE user = ?1
    ), threads AS (
        SELECT thread, min(first) AS first, max(last) AS last,
            CAST(sum(last - first + 1) AS BIGINT) AS events
        FROM ends WHERE thread != ?3 GROUP BY thread
    )
    SELECT threads.thread, threads.first, threads.last, threads.events, log.at
    FROM threads JOIN log ON log.user = ?1 AND log."offset" = threads.last
    ORDER BY threads.first
"""

_COLUMNS: Final = "thread, title, archived, created, runs, recent"
_ThreadRow: TypeAlias = tuple[str, "str | None", int, int, int, int]
_PAGE: Final = f"""
    SELECT {_COLUMNS} FROM thread WHERE user = ? AND archived = ? AND recent <= ?
    ORDER BY recent DESC LIMIT ?
"""
_ONE: Final = f"SELECT {_COLUMNS} FROM thread WHERE user = ? AND thread = ?"
_OWNER: Final = """
    SELECT thread.user FROM (SELECT DISTINCT user FROM log WHERE id BETWEEN ?1 AND ?2) AS born
    JOIN thread ON thread.user = born.user AND thread.thread = ?3 LIMIT 1
"""
_SPAN_END: Final = "SELECT min(first) - 1 FROM span WHERE user = ? AND first > ?"
_ENDS: Final = 'SELECT min("offset"), max("offset") FROM log WHERE user = ?'
_AT: Final = 'SELECT at FROM log WHERE user = ? AND "offset" = ?'
_BEGAN: Final = f"""
    SELECT {RECORD_COLUMNS} FROM log WHERE user = ?1 AND "offset" = (
        SELECT min(first) FROM span WHERE user = ?1 AND thread = ?2)
"""
_LAST: Final = f"""
    SELECT {RECORD_COLUMNS} FROM log WHERE user = ? AND "offset" <= ?
    ORDER BY "offset" DESC LIMIT 1
"""
_END: Final = 2**63 - 1


def add_threads(database: Database) -> None:
    """Add the threads of the events of a journal that had no list of them."""
    database.execute(_OF_ALL)
    fill_in(database)


def fill_in(database: Database) -> None:
    """Count the runs and find the titles of threads that have none, from the events."""
    database.execute(_COUNT_RUNS)
    untitled = database.execute(_UNTITLED).fetchall()
    database.executemany(_NAME, _names(record_of(cast(RecordRow, row)) for row in untitled))


def add_thread_again(database: Database, user: UserId, thread: ThreadId) -> None:
    """The thread was erased: forget it, unless something was said in it since."""
    database.execute("DELETE FROM thread WHERE user = ? AND thread = ?", (user, thread))
    rows = database.execute(_OPENED, (user, thread)).fetchall()
    opened = [record_of(cast(RecordRow, row)) for row in rows]
    runs = len({record.run for record in opened if record.parent is None})
    database.execute(_OF_ONE, (user, thread))
    database.execute(_SET_RUNS, (runs, user, thread))
    for write in thread_writes(opened):
        database.executemany(*write)


def thread_writes(records: Sequence[Record]) -> Iterator[Write]:
    """What keeps a thread's title, from the first thing said in it."""
    if names := list(_names(record for record in records if record.kind in RUN_OPENS)):
        yield _NAME, names


def _names(records: Iterator[Record]) -> Iterator[tuple[str, str, str]]:
    for record in records:
        if (title := title_of(record)) is not None:
            yield record.user, record.thread, title


def change_thread(
    database: Database,
    user: UserId,
    thread: ThreadId,
    title: str | None,
    archived: bool | None,
) -> bool:
    """Set what is not None; False if there is no such thread."""
    flag = None if archived is None else int(archived)
    database.execute(_CHANGE, (user, thread, title, flag))
    return bool(database.changes())


class SqlThreads:
    """The part of `SqlStore` that reads the list of threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, user: UserId, before: int | ThreadId | None, limit: int, *, archived: bool
    ) -> ThreadsPage:
        """See `ThreadReads`."""
        upto = self._upto(user, before)
        # one more shows that there are more; another one is the thread in which `before` lies
        values = (user, int(archived), upto, limit + 2)
        rows = cast("list[_ThreadRow]", self._database.execute(_PAGE, values).fetchall())
        found = [self._thread(user, row) for row in rows]
        if isinstance(before, int):
            found = [thread for thread in found if thread.updated < before]
        return page_of_threads(found[: limit + 1], limit)

    def summaries(self, user: UserId, last: int) -> list[ThreadSummary]:
        """See `Journal.threads`. `last`: the user's last offset."""
        rows = self._database.execute(_SUMMARIES, (user, last, ERASED_THREAD)).fetchall()
        return [
            ThreadSummary(ThreadId.trusted(thread), first, last, events, at)
            for thread, first, last, events, at in cast(list[tuple[str, int, int, int, int]], rows)
        ]

    def find(self, user: UserId, thread: ThreadId) -> Thread | None:
        """See `ThreadReads`."""
        rows = cast("list[_ThreadRow]", self._database.execute(_ONE, (user, thread)).fetchall())
        return next((self._thread(user, row) for row in rows), None)

    def owner(self, thread: ThreadId) -> UserId | None:
        """See `ThreadReads`."""
        found = self._database.execute(_OWNER, (*born_beside(thread), thread)).get
        return None if found is None else UserId.trusted(str(found))

    def title_of(self, user: UserId, row: Mapping[str, RowValue]) -> str | None:
        """The title that the list shows, of a thread with this row."""
        title = row["title"]
        return self._first_words(user, str(row["thread"])) if title is None else str(title)

    def _upto(self, user: UserId, before: int | ThreadId | None) -> int:
        """The last offset at which the newest span of a thread in the page may begin."""
        if before is None:
            return _END
        if isinstance(before, ThreadId):
            for row in self._database.execute(_ONE, (user, before)):
                return int(str(row[-1])) - 1
            raise UnknownThread(
                f"before: there is no thread {before}", advice="begin the list again"
            )
        return self._last_before(user, before)

    def _last_before(self, user: UserId, at: int) -> int:
        """The last offset before a time. Times rise with offsets, unless a clock was set back."""
        first, last = next(iter(self._database.execute(_ENDS, (user,))))
        if first is None:
            return 0
        offsets = range(cast(int, first), cast(int, last) + 1)
        return offsets.start + bisect_left(offsets, at, key=partial(self._at, user)) - 1

    def _at(self, user: UserId, offset: int) -> int:
        return cast(int, self._database.execute(_AT, (user, offset)).get)

    def _thread(self, user: UserId, row: _ThreadRow) -> Thread:
        thread, title, archived, created, runs, recent = row
        end = self._database.execute(_SPAN_END, (user, recent)).get
        values = (user, _END if end is None else cast(int, end))
        last = record_of(cast(RecordRow, next(iter(self._database.execute(_LAST, values)))))
        if title is None:
            title = self._first_words(user, thread)
        return Thread(
            ThreadId.trusted(thread), title, created, last.at, runs, last_of(last), bool(archived)
        )

    def _first_words(self, user: UserId, thread: str) -> str | None:
        """The title of a thread that an older greenroom began: its triggers know no titles."""
        rows = self._database.execute(_BEGAN, (user, thread)).fetchall()
        return next((title_of(record_of(cast(RecordRow, row))) for row in rows), None)
