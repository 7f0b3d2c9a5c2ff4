"""Reads a journal in a database, whether or not a server is writing it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

import attrs

from greenroom.delivery.errors import JournalCorrupt, JournalFailed
from greenroom.delivery.events.exported import ExportPiece, ExportPlace
from greenroom.delivery.events.ids import EventId, ThreadId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import DeadLetter, FailureCause, Record
from greenroom.delivery.events.threads import Thread, ThreadsPage
from greenroom.delivery.journal.paging import check_limit
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.journal.sql.database import Database, has_table
from greenroom.delivery.journal.sql.letters import SqlLetters
from greenroom.delivery.journal.sql.rows import RECORD_COLUMNS, RecordRow, record_of
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sql.tables.causes import SqlCauses
from greenroom.delivery.journal.sql.tables.threads import SqlThreads
from greenroom.delivery.journal.sql.tables.user_rows import user_rows

R = TypeVar("R")
CHUNK: Final = 500

_EPOCH: Final = "SELECT value FROM meta WHERE name = 'epoch'"
_NEWEST: Final = "SELECT number, id FROM log ORDER BY number DESC LIMIT 1"
_LAST_OLDER: Final = "SELECT coalesce(max(number), 0) FROM log WHERE id < ?"

_NumberedRow: TypeAlias = tuple[int, *RecordRow]


@attrs.frozen
class Numbered:
    """A record and its number in the log of all users. Numbers rise and are never reused."""

    number: int
    record: Record


@attrs.frozen
class ReadTo:
    """A reader's position: the number of the last record it has read (0: none), and its event."""

    number: int = 0
    event: EventId | None = None


@runtime_checkable
class ReadBeside(Protocol):
    """A journal that others can read beside it."""

    def reader(self) -> SqlReader: ...


class SqlReader(ABC):
    """Reads the records of a journal. It needs only read permission.

    It never makes the writer wait: a snapshot lasts for one chunk of rows, and is closed before
    the records are yielded. Raises `JournalError`s.
    """

    @property
    @abstractmethod
    def where(self) -> str:
        """What errors call the journal."""

    @abstractmethod
    def look(self) -> AbstractContextManager[Database]:
        """A read-only connection for one look. The database's errors are raised as
        `JournalError`s. Keep it short."""

    @abstractmethod
    def _store(self, database: Database) -> SqlStore:
        """What answers questions."""

    @abstractmethod
    def _most(self, database: Database) -> int:
        """The highest number that was ever given to a record."""

    def epoch(self) -> str:
        """The journal's epoch."""
        with self.look() as database:
            for (epoch,) in database.execute(_EPOCH):
                return str(epoch)
        raise JournalCorrupt(f"{self.where} has no epoch", advice="restore a backup")

    def settled(self) -> int:
        """The number through which the log is complete: nothing more comes before it."""
        return self.last_number()

    def last_number(self) -> int:
        """The number of the newest record, 0 if there is none."""
        return self.end().number

    def end(self) -> ReadTo:
        """The position of the newest record, to follow the log from."""
        with self.look() as database:
            for number, event in database.execute(_NEWEST):
                return ReadTo(cast(int, number), EventId.trusted(str(event)))
            return ReadTo()

    def agreed(self, place: ReadTo) -> int:
        """The number after which to read on: the position's own, unless a backup was restored and
        the journal has another record there. Then that of the last record older than the event."""
        with self.look() as database:
            given = database.execute("SELECT id FROM log WHERE number = ?", (place.number,)).get
            if place.event in (None, given):
                return place.number
            if given is None and place.number <= self._most(database):
                return place.number  # it is trimmed
            return cast(int, database.execute(_LAST_OLDER, (place.event,)).get)

    def read(
        self,
        *,
        user: UserId | None = None,
        thread: ThreadId | None = None,
        legacy_thread: str | None = None,
        kind: Kind | None = None,
        after: int = 0,
        through: int | None = None,
        limit: int | None = None,
    ) -> Iterator[Numbered]:
        """Records with a number past `after` and up to `through`, oldest first, that match every
        given filter.

        `legacy_thread`: the thread's former id; a journal not yet migrated has records with both.
        Ends at the end of the log: to follow it, call again with the last number it yielded, and
        `settled` as `through`.
        """
        if limit is not None:
            check_limit(limit)
        query = _Statement(user, thread, legacy_thread, kind, after, through)
        left = limit
        while left is None or left > 0:
            size = CHUNK if left is None else min(left, CHUNK)
            chunk = self._chunk(query, size)
            yield from chunk
            if len(chunk) < size:
                return
            query = query.past(chunk[-1])
            left = None if left is None else left - size

    def find(self, event: EventId) -> Record | None:
        """The record of the event; None if trimmed or unknown."""
        with self.look() as database:
            return self._store(database).find(event)

    def dead_letters(
        self, *, user: UserId | None = None, after: EventId | None = None, limit: int
    ) -> list[DeadLetter]:
        """As `Journal.dead_letters`."""
        check_limit(limit)
        with self.look() as database:
            return SqlLetters(database).dead_letters(user, after, limit)

    def dead_letter(self, event: EventId) -> DeadLetter | None:
        """As `Journal.dead_letter`."""
        with self.look() as database:
            return SqlLetters(database).dead_letter(event)

    def threads(
        self, user: UserId, before: ThreadId | None, limit: int, *, archived: bool
    ) -> ThreadsPage:
        """A page of the user's threads, as `ThreadReads.page`."""
        with self._look_at_threads() as database:
            return SqlThreads(database).page(user, before, limit, archived=archived)

    def thread(self, user: UserId, thread: ThreadId) -> Thread | None:
        """The thread; None if it is unknown or erased."""
        with self._look_at_threads() as database:
            return SqlThreads(database).find(user, thread)

    def user_rows(self, user: UserId, place: ExportPlace | None) -> ExportPiece:
        """As `Reads.user_rows`."""
        with self.look() as database:
            return user_rows(database, user, place)

    @contextmanager
    def _look_at_threads(self) -> Iterator[Database]:
        with self.look() as database:
            if not has_table(database, "thread"):
                raise JournalFailed(
                    f"{self.where} was last written by a greenroom without a list of threads",
                    advice="start a server of this version once, and it has one",
                )
            yield database

    def answer(self, question: Question[R]) -> R:
        """Answer from one state of the journal. A journal that only an older version opened lacks
        what newer questions read, and raises `JournalFailed` for them."""
        with self.look() as database:
            return self._store(database).answer(question)

    def cause(self, event: EventId) -> FailureCause | None:
        """As `Journal.cause`; None in a journal that no server with causes has opened."""
        with self.look() as database:
            return SqlCauses(database).cause(event) if has_table(database, "cause") else None

    def _chunk(self, query: _Statement, size: int) -> list[Numbered]:
        with self.look() as database:
            rows = database.execute(query.sql(), (*query.values(), size)).fetchall()
            return [
                Numbered(number, record_of(cast(RecordRow, tuple(row))))
                for number, *row in cast("list[_NumberedRow]", rows)
            ]


@attrs.frozen
class _Statement:
    """Which records to select, and past which. A user's records are selected by offset, since that
    index keeps the order."""

    user: UserId | None
    thread: ThreadId | None
    legacy_thread: str | None
    kind: Kind | None
    number: int
    through: int | None
    offset: int = 0

    def past(self, last: Numbered) -> _Statement:
        return attrs.evolve(self, number=last.number, offset=last.record.offset)

    def sql(self) -> str:
        conditions = " AND ".join(condition for condition, _ in self._conditions())
        order = "number" if self.user is None else '"offset"'
        return (
            f"SELECT number, {RECORD_COLUMNS} FROM log WHERE {conditions} ORDER BY {order} LIMIT ?"
        )

    def values(self) -> list[str | int | None]:
        return [value for _, values in self._conditions() for value in values]

    def _conditions(self) -> Iterator[tuple[str, Sequence[str | int | None]]]:
        yield "number > ?", [self.number]
        if self.through is not None:
            yield "number <= ?", [self.through]
        if self.user is not None:
            yield 'user = ? AND "offset" > ?', [self.user, self.offset]
        if self.thread is not None:
            yield "thread IN (?, ?)", [self.thread, self.legacy_thread]
        if self.kind is not None:
            yield "kind = ?", [self.kind]
