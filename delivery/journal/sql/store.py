"""What a journal keeps and answers, in SQL. Synchronous; used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Final, TypeVar, cast

from greenroom.delivery.events.exported import ExportPiece, ExportPlace
from greenroom.delivery.events.ids import EventId, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import ASK_KINDS
from greenroom.delivery.events.record import (
    RUN_TURNS,
    Bounds,
    Cursor,
    Entry,
    Mark,
    OpenRun,
    Page,
    Record,
    Said,
    ThreadSummary,
    Unsaid,
)
from greenroom.delivery.journal.checks import check_unsaid
from greenroom.delivery.journal.journal import agreed_through, within
from greenroom.delivery.journal.node import OneNode
from greenroom.delivery.journal.paging import PAGE_BYTES, page_of
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.journal.sql.database import Database, Rows, SqlValue
from greenroom.delivery.journal.sql.letters import SqlLetters, letter_writes
from greenroom.delivery.journal.sql.log_ends import (
    EMPTY,
    LogEnd,
    LogEnds,
    ends_of,
    spans_of,
)
from greenroom.delivery.journal.sql.rows import (
    CURSOR_COLUMNS,
    MARK_COLUMNS,
    RECORD_COLUMNS,
    CursorRow,
    MarkRow,
    ReachedRow,
    RecordRow,
    Write,
    cursor_of,
    cursor_row,
    mark_of,
    mark_row,
    reached_of,
    record_of,
    record_row,
)
from greenroom.delivery.journal.sql.tables.asks import SqlAsks, ask_writes
from greenroom.delivery.journal.sql.tables.bans import SqlBans, ban_writes
from greenroom.delivery.journal.sql.tables.causes import SqlCauses, cause_writes
from greenroom.delivery.journal.sql.tables.crashes import SqlCrashes, crash_writes
from greenroom.delivery.journal.sql.tables.erasure import TRIM_STEP, erase_thread, erase_user
from greenroom.delivery.journal.sql.tables.files import SqlFiles, cut_file, file_writes
from greenroom.delivery.journal.sql.tables.policies import SqlPolicies, policy_writes
from greenroom.delivery.journal.sql.tables.runs import SqlRuns, going_on_writes, run_writes
from greenroom.delivery.journal.sql.tables.threads import SqlThreads, thread_writes
from greenroom.delivery.journal.sql.tables.trims import forget_progress, trim
from greenroom.delivery.journal.sql.tables.user_rows import keeps_user, user_rows
from greenroom.delivery.journal.sql.tables.users import SqlUsers
from greenroom.delivery.journal.undelivered import Reached, Stretches

R = TypeVar("R")

_END: Final = 2**63 - 1
_FOLLOWED: Final = RUN_TURNS | ASK_KINDS
"""Only the events of these kinds change what is known of runs, threads and questions."""
_TAILS_KEPT: Final = 50_000

_INSERT_RECORD: Final = (
    f"INSERT INTO log ({RECORD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_SPAN: Final = "INSERT INTO span (user, first, thread) VALUES (?, ?, ?)"
_SET_CURSOR: Final = """
    INSERT INTO cursor (user, session, start, "offset", sent, at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (user, session) DO UPDATE SET
        start = CASE WHEN excluded.start > cursor.sent
            THEN excluded.start ELSE min(cursor.start, excluded.start) END,
        "offset" = CASE WHEN excluded.start > cursor.sent
            THEN excluded."offset" ELSE max(cursor."offset", excluded."offset") END,
        sent = max(cursor.sent, excluded.sent),
        at = excluded.at
"""
_SET_MARK: Final = f"""
    INSERT INTO mark ({MARK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (user, "offset", session, stage) DO UPDATE SET
        verdict = excluded.verdict, note = excluded.note, at = excluded.at
"""

_EVENT_AT: Final = 'SELECT id FROM log WHERE user = ? AND "offset" = ?'
# Of a user whose records are all trimmed, the last offset is known, and its thread is not.
_TAIL: Final = """
    SELECT * FROM (
        SELECT "offset", thread FROM log WHERE user = ?1 ORDER BY "offset" DESC LIMIT 1) AS last
    UNION ALL SELECT through, NULL FROM trimmed WHERE user = ?1 LIMIT 1
"""
_TRIMMED: Final = "SELECT through FROM trimmed WHERE user = ?"
_READ: Final = f"""
    SELECT {RECORD_COLUMNS} FROM log WHERE user = ? AND "offset" > ? ORDER BY "offset" LIMIT ?
"""
_HISTORY: Final = f"""
    SELECT {RECORD_COLUMNS} FROM log
    WHERE user = ? AND "offset" < ? AND kind != 'superseded' ORDER BY "offset" DESC LIMIT ?
"""
# Walks backwards through the thread's spans, and through the records in each: no sorting.
_THREAD_HISTORY: Final = f"""
    SELECT {", ".join("log." + name for name in RECORD_COLUMNS.split(", "))}
    FROM span CROSS JOIN log
    WHERE log.user = span.user AND log."offset" >= span.first
        AND log."offset" < min(?, coalesce(
            (SELECT min(later.first) FROM span AS later
             WHERE later.user = span.user AND later.first > span.first), {_END}))
        AND span.user = ? AND span.thread = ? AND span.first < ? AND log.kind != 'superseded'
    ORDER BY span.first DESC, log."offset" DESC LIMIT ?
"""
_SAID: Final = (
    "SELECT run, thread, body FROM log WHERE user = ? AND say = ? ORDER BY number LIMIT 1"
)
_CURSOR: Final = f"SELECT {CURSOR_COLUMNS} FROM cursor WHERE user = ? AND session = ?"
_SENT_TO: Final = f"""
    SELECT {CURSOR_COLUMNS} FROM (
        SELECT {CURSOR_COLUMNS} FROM cursor WHERE user = ?1 AND start < ?2 AND sent >= ?2
        ORDER BY "offset" >= ?2 DESC, session LIMIT ?3) AS preferred
    ORDER BY session
"""
_RECEIVED: Final = """
    SELECT start, "offset" FROM cursor WHERE user = ?1 AND "offset" > ?2
    UNION ALL SELECT start, through FROM received WHERE user = ?1 AND through > ?2
"""
_REACHED: Final = """
    SELECT "offset", id, kind, class, run, at, number, (
        SELECT max(CASE stage WHEN 'confirmed' THEN 1 ELSE 0 END) FROM mark
        WHERE mark.user = log.user AND mark."offset" = log."offset")
    FROM log WHERE user = ? AND "offset" > ? ORDER BY "offset" LIMIT ?
"""
_FIND: Final = f"SELECT {RECORD_COLUMNS} FROM log WHERE id = ? ORDER BY number LIMIT 1"
_MARKS: Final = f"""
    SELECT {MARK_COLUMNS} FROM mark
    WHERE user = ?1 AND "offset" > ?2 AND "offset" <= coalesce(
        (SELECT "offset" FROM mark WHERE user = ?1 AND "offset" > ?2
         ORDER BY "offset" LIMIT 1 OFFSET ?3 - 1), {_END})
    ORDER BY "offset", session, stage
"""


class SqlStore(SqlLetters, SqlCauses, SqlBans, SqlPolicies, OneNode):
    """Keeps entries, and implements `Reads`, on a connection that only this store uses.

    Two stores of one journal see what the other one has committed. Only one may `append` or `trim`.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.runs = SqlRuns(database)
        self.thread_list = SqlThreads(database)
        self.asks = SqlAsks(database)
        self.crashes = SqlCrashes(database)
        self.files = SqlFiles(database)
        self.user_list = SqlUsers(database)
        self._tails: LogEnds = {}

    def append(self, entries: Sequence[Entry]) -> None:
        records = [entry for entry in entries if type(entry) is Record]
        ends = ends_of(records)
        if self._needs_no_look_up(entries, ends):
            self._write(self._writes(entries, records, ends))
        else:
            with self._transaction():  # which the look-ups share: one of its own costs as much
                check_unsaid(entries, self.said)
                self._carry_out(self._writes(entries, records, ends))
        self._remember(ends)

    def bounds(self, user: UserId) -> Bounds:
        last = self._tail(user)[0]
        return Bounds(self._trimmed(user) + 1 if last else 0, last)

    def read(self, user: UserId, after: int, limit: int, max_bytes: int) -> list[Record]:
        with closing(self._fetch(_READ, user, after, limit)) as rows:
            return list(within(max_bytes, map(record_of, cast(Iterator[RecordRow], iter(rows)))))

    def history(
        self,
        user: UserId,
        thread: ThreadId | None,
        before: int | None,
        limit: int,
        max_bytes: int = PAGE_BYTES,
    ) -> Page:
        """Reads rows one by one, at most one more than the page holds."""
        end = _END if before is None else before
        if thread is None:
            rows = self._fetch(_HISTORY, user, end, limit + 1)
        else:
            rows = self._fetch(_THREAD_HISTORY, end, user, thread, end, limit + 1)
        with closing(rows):
            return page_of(map(record_of, cast(Iterator[RecordRow], iter(rows))), limit, max_bytes)

    def said(self, user: UserId, say: str) -> Said | None:
        for run, thread, body in cast(list[tuple[str, str, bytes]], self._rows(_SAID, user, say)):
            return Said(RunId.trusted(run), ThreadId.trusted(thread), body)
        return None

    def open_runs(self, user: UserId) -> list[OpenRun]:
        return self.runs.open_runs(user)

    def cursor(self, user: UserId, session: SessionId) -> Cursor | None:
        rows = self._rows(_CURSOR, user, session)
        return next((cursor_of(cast(CursorRow, row)) for row in rows), None)

    def event_at(self, user: UserId, offset: int) -> EventId | None:
        found = self._value(_EVENT_AT, user, offset)
        return None if found is None else EventId.trusted(str(found))

    def agrees_through(self, user: UserId, offset: int, event: EventId) -> int:
        def event_at(offset: int) -> EventId:
            return EventId.trusted(str(self._value(_EVENT_AT, user, offset)))

        return agreed_through(offset, event, self.bounds(user), event_at)

    def sent_to(self, user: UserId, offset: int, limit: int) -> list[Cursor]:
        rows = self._rows(_SENT_TO, user, offset, limit)
        return [cursor_of(cast(CursorRow, row)) for row in rows]

    def received_through(self, user: UserId, after: int) -> int:
        return self._received(user, after).through(after)

    def reached(self, user: UserId, after: int, limit: int) -> list[Reached]:
        received, pauses = self._received(user, after), self.pauses
        rows = cast("list[ReachedRow]", self._rows(_REACHED, user, after, limit))
        return [reached_of(row, pauses, received=row[0] in received) for row in rows]

    def find(self, event: EventId) -> Record | None:
        rows = self._rows(_FIND, event)
        return next((record_of(cast(RecordRow, row)) for row in rows), None)

    def marks(self, user: UserId, after: int, limit: int) -> list[Mark]:
        return [mark_of(cast(MarkRow, row)) for row in self._rows(_MARKS, user, after, limit)]

    def threads(self, user: UserId) -> list[ThreadSummary]:
        return self.thread_list.summaries(user, self._tail(user)[0])

    def lasts(self, users: Sequence[UserId]) -> Mapping[UserId, int]:
        return {user: self._tail(user)[0] for user in users}

    def keeps_user(self, user: UserId) -> bool:
        return keeps_user(self._database, user)

    def user_rows(self, user: UserId, place: ExportPlace | None) -> ExportPiece:
        return user_rows(self._database, user, place)

    def erase_thread(self, user: UserId, thread: ThreadId, through: int) -> bool:
        self._tails.pop(user, None)
        with self._transaction():
            return erase_thread(self._database, user, thread, through)

    def erase_user(self, user: UserId) -> bool:
        through = self.bounds(user).first - 1 + TRIM_STEP
        if self.cut_file(user) or self.trim(user, through) == TRIM_STEP:
            return True
        self._tails.pop(user, None)
        with self._transaction():
            erase_user(self._database, user)
        return False

    def answer(self, question: Question[R]) -> R:
        """Answer from one state of the journal, whatever is committed meanwhile."""
        self._database.execute("BEGIN")
        try:
            return question.answer(self)
        finally:
            self._end_reading()

    def trim(self, user: UserId, through: int) -> int:
        self._tails.pop(user, None)
        with self._transaction():
            return trim(self._database, user, min(through, self._tail(user)[0]))

    def cut_file(self, user: UserId, said: tuple[int, int] | None = None) -> bool:
        with self._transaction():
            return cut_file(self._database, user, said)

    def forget_progress(self, user: UserId, through: int) -> int:
        """See `Journal.sweep`. Returns the number of events that left only their places."""
        with self._transaction():
            return forget_progress(self._database, user, through)

    def forget_ends(self) -> None:
        """Look the ends of logs up again: another writer may have appended."""
        self._tails.clear()

    def _needs_no_look_up(self, entries: Sequence[Entry], users: LogEnds) -> bool:
        return self._tails.keys() >= users.keys() and Unsaid not in set(map(type, entries))

    def _writes(
        self, entries: Sequence[Entry], records: list[Record], ends: LogEnds
    ) -> list[Write]:
        """`ends`: of the users of the records; set to those after them. Raises `OutOfSequence`."""
        writes = self._record_writes(records, ends) if records else []
        if len(records) < len(entries):
            writes += _delivery_writes([each for each in entries if type(each) is not Record])
        return writes

    def _record_writes(self, records: list[Record], ends: LogEnds) -> list[Write]:
        for user in ends:
            ends[user] = self._tail(user)
        spans = spans_of(records, ends)
        writes: list[Write] = [(_INSERT_RECORD, list(map(record_row, records)))]
        if spans:
            writes.append((_INSERT_SPAN, spans))
        if not _FOLLOWED.isdisjoint([record.kind for record in records]):
            writes += run_writes(records)
            writes += thread_writes(records)
            writes += ask_writes(records)
        return writes

    def _write(self, writes: Sequence[Write]) -> None:
        """Carry out all or nothing. A single statement is a transaction by itself."""
        match writes:
            case []:
                return
            case [(sql, [row])]:
                self._database.execute(sql, row)
            case _:
                with self._transaction():
                    self._carry_out(writes)

    def _carry_out(self, writes: Sequence[Write]) -> None:
        for sql, rows in writes:
            self._database.executemany(sql, rows)

    def _received(self, user: UserId, after: int) -> Stretches:
        """The stretches past `after` that some session received."""
        return Stretches(cast("list[tuple[int, int]]", self._rows(_RECEIVED, user, after)))

    def _remember(self, ends: LogEnds) -> None:
        """Cache the ends of committed logs: looking one up costs as much as a record."""
        if len(self._tails) > _TAILS_KEPT:
            self._tails.clear()
        self._tails.update(ends)

    def _tail(self, user: UserId) -> LogEnd:
        return self._tails.get(user) or self._look_up_tail(user)

    def _look_up_tail(self, user: UserId) -> LogEnd:
        for last, thread in cast("list[tuple[int, str | None]]", self._rows(_TAIL, user)):
            return last, thread
        return EMPTY

    def _trimmed(self, user: UserId) -> int:
        return cast("int | None", self._value(_TRIMMED, user)) or 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # SQLite ends it itself after some errors
                self._database.execute("ROLLBACK")
            raise

    def _end_reading(self) -> None:
        if self._database.in_transaction:  # SQLite ends it itself after some errors
            self._database.execute("COMMIT")

    def _fetch(self, sql: str, *values: SqlValue) -> Rows:
        """Rows that need not all be read, and would take much room at once."""
        return self._database.execute(sql, values)

    def _rows(self, sql: str, *values: SqlValue) -> list[tuple[SqlValue, ...]]:
        return cast("list[tuple[SqlValue, ...]]", self._database.execute(sql, values).fetchall())

    def _value(self, sql: str, *values: SqlValue) -> SqlValue:
        return cast(SqlValue, self._database.execute(sql, values).get)


def _delivery_writes(entries: Sequence[Entry]) -> Iterator[Write]:
    """What keeps the entries that are no records."""
    if cursors := [cursor_row(entry) for entry in entries if isinstance(entry, Cursor)]:
        yield _SET_CURSOR, cursors
    if len(cursors) == len(entries):  # nearly always: no other kind need be looked for
        return
    if marks := [mark_row(entry) for entry in entries if isinstance(entry, Mark)]:
        yield _SET_MARK, marks
    yield from letter_writes(entries)
    yield from going_on_writes(entries)
    yield from cause_writes(entries)
    yield from crash_writes(entries)
    yield from ban_writes(entries)
    yield from policy_writes(entries)
    yield from file_writes(entries)
