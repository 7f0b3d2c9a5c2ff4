"""The durable journal of a machine: SQLite in WAL mode, `synchronous=FULL`, one writer thread."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import trio

from greenroom.actors.reply import Reply
from greenroom.delivery.errors import JournalError, JournalFailed, JournalFull
from greenroom.delivery.events.ids import EventId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.record import (
    Attempt,
    Bounds,
    Cursor,
    DeadLetter,
    Entry,
    Mark,
    OpenRun,
    Page,
    Record,
    Said,
    ThreadSummary,
)
from greenroom.delivery.journal.health import JournalHealth
from greenroom.delivery.journal.journal import (
    MOST_REPORTS,
    PAGE_BYTES,
    JournalStatistics,
    check_limit,
)
from greenroom.delivery.journal.pace import Pace
from greenroom.delivery.journal.sqlite.committer import Committer
from greenroom.delivery.journal.sqlite.errors import in_our_words
from greenroom.delivery.journal.sqlite.file import SqliteFile, open_file
from greenroom.delivery.journal.sqlite.letters import SqliteLetters
from greenroom.delivery.journal.sqlite.store import SqliteStore
from greenroom.delivery.journal.sqlite.thread import SqliteThread
from greenroom.delivery.journal.undelivered import OverdueUsers, Reached, SearchedTo
from greenroom.delivery.observer import Observer

R = TypeVar("R")


def random_epoch() -> str:
    """16 random characters, unique to a journal."""
    return secrets.token_urlsafe(12)


@asynccontextmanager
async def open_sqlite_journal(
    path: str | os.PathLike[str],
    *,
    new_epoch: Callable[[], str] = random_epoch,
    capacity: int = 1024,
    commit_interval: float = 0.0,
) -> AsyncIterator[SqliteJournal]:
    """Open a journal, creating the file if it does not exist (but not its directory).

    `capacity` bounds the calls that wait for the disk; further callers wait for room.
    `commit_interval`: see `Pace`; in seconds of the machine's clock, even under a `MockClock`.
    Leaving the block finishes the accepted calls, folds the WAL into the file and closes it.
    Raises the errors of `open_file`.
    """
    thread = SqliteThread(capacity=capacity)
    pace = Pace(commit_interval, time.monotonic)
    journal = SqliteJournal(await _open(Path(path), new_epoch, thread), thread, pace)
    thread.look = journal._look
    try:
        yield journal
    finally:
        await journal.aclose()


async def _open(path: Path, new_epoch: Callable[[], str], thread: SqliteThread) -> SqliteFile:
    try:
        with trio.CancelScope(shield=True):  # a cancelled opening would leave the file locked
            return await thread.call(lambda: open_file(path, new_epoch=new_epoch))
    except BaseException:
        await thread.aclose(lambda: None)
        raise
    raise AssertionError("a shielded scope cannot be cancelled")


class SqliteJournal:
    """A `Journal` in a file; created by `open_sqlite_journal`.

    Calls run on the journal's thread in the order of arrival, each in a transaction.
    """

    def __init__(self, file: SqliteFile, thread: SqliteThread, pace: Pace) -> None:
        self._file = file
        self._store = SqliteStore(file.database)
        self._letters = SqliteLetters(file.database)
        self._thread = thread
        self._committer = Committer(self._keep, thread, pace)
        thread.work = self._committer.commit
        self._health = JournalHealth()

    @property
    def epoch(self) -> str:
        return self._file.epoch

    def append_soon(self, entries: Sequence[Entry]) -> Reply[None]:
        return self._committer.append_soon(entries)

    async def append(self, entries: Sequence[Entry]) -> None:
        room = self._thread.room
        await room.acquire()
        reply: Reply[None] = Reply(lambda _: room.release())
        self._committer.accept(entries, reply)
        await reply.wait()

    def report_to(self, observer: Observer) -> None:
        self._committer.observer = observer

    async def bounds(self, user: UserId) -> Bounds:
        return await self._call(lambda: self._store.bounds(user))

    async def read(self, user: UserId, *, after: int, limit: int, max_bytes: int) -> list[Record]:
        check_limit(limit)
        return await self._call(lambda: self._store.read(user, after, limit, max_bytes))

    async def history(
        self,
        user: UserId,
        *,
        thread: ThreadId | None,
        before: int | None,
        limit: int,
        max_bytes: int = PAGE_BYTES,
    ) -> Page:
        check_limit(limit)
        return await self._call(lambda: self._store.history(user, thread, before, limit, max_bytes))

    async def said(self, user: UserId, say: str) -> Said | None:
        return await self._call(lambda: self._store.said(user, say))

    async def open_runs(self, user: UserId) -> list[OpenRun]:
        return await self._call(lambda: self._store.open_runs(user))

    async def cursor(self, user: UserId, session: SessionId) -> Cursor | None:
        return await self._call(lambda: self._store.cursor(user, session))

    async def event_at(self, user: UserId, offset: int) -> EventId | None:
        return await self._call(lambda: self._store.event_at(user, offset))

    async def agrees_through(self, user: UserId, *, offset: int, event: EventId) -> int:
        return await self._call(lambda: self._store.agrees_through(user, offset, event))

    async def sent_to(
        self, user: UserId, offset: int, *, limit: int = MOST_REPORTS
    ) -> list[Cursor]:
        check_limit(limit)
        return await self._call(lambda: self._store.sent_to(user, offset, limit))

    async def received_through(self, user: UserId, after: int) -> int:
        return await self._call(lambda: self._store.received(user, after).through(after))

    async def reached(self, user: UserId, *, after: int, limit: int) -> list[Reached]:
        check_limit(limit)
        return await self._call(
            lambda: self._store.reached(user, after, limit, self._letters.pauses)
        )

    async def find(self, event: EventId) -> Record | None:
        return await self._call(lambda: self._store.find(event))

    async def marks(self, user: UserId, *, after: int, limit: int) -> list[Mark]:
        check_limit(limit)
        return await self._call(lambda: self._store.marks(user, after, limit))

    async def attempts(
        self, user: UserId, first: int, last: int | None = None, *, limit: int = MOST_REPORTS
    ) -> list[Attempt]:
        check_limit(limit)
        end = first if last is None else last
        return await self._call(lambda: self._letters.attempts(user, first, end, limit))

    async def settled(self, user: UserId) -> Mapping[EventClass, int]:
        return await self._call(lambda: self._letters.settled(user))

    async def overdue(
        self, event_class: EventClass, *, before: int, after: SearchedTo | None = None, limit: int
    ) -> OverdueUsers:
        check_limit(limit)
        return await self._call(lambda: self._letters.overdue(event_class, before, after, limit))

    async def alive(self, now: int, *, after: int) -> None:
        await self._call(lambda: self._letters.alive(now, after))

    async def dead_letters(
        self, *, user: UserId | None = None, after: EventId | None = None, limit: int
    ) -> list[DeadLetter]:
        check_limit(limit)
        return await self._call(lambda: self._letters.dead_letters(user, after or "", limit))

    async def dead_letter(self, event: EventId) -> DeadLetter | None:
        return await self._call(lambda: self._letters.dead_letter(event))

    async def drop_dead_letter(self, event: EventId) -> bool:
        return await self._write(lambda: self._letters.drop(event))

    async def threads(self, user: UserId) -> list[ThreadSummary]:
        return await self._call(lambda: self._store.threads(user))

    async def trim(self, user: UserId, *, through: int) -> int:
        return await self._write(lambda: self._store.trim(user, through))

    def statistics(self) -> JournalStatistics:
        committer, thread = self._committer, self._thread
        return JournalStatistics(
            appends=committer.appends,
            entries=committer.entries,
            failures=committer.failures,
            waiting=thread.waiting + committer.unanswered,
            peak_waiting=max(thread.peak, committer.peak),
            bytes=self._file.bytes(),
            trouble=self._health.trouble,
        )

    async def aclose(self) -> None:
        """Finish what was accepted, checkpoint, close and unlock, even if cancelled."""
        self._committer.hand_over()
        await self._thread.aclose(self._close)

    async def _write(self, work: Callable[[], R]) -> R:
        """Run `work` unless the files at the journal's path are no longer the journal's."""
        return await self._thread.call(lambda: self._on_thread(work, self._file.watch.check))

    async def _call(self, work: Callable[[], R]) -> R:
        watch = self._file.watch
        return await self._thread.call(lambda: self._on_thread(work, watch.raise_if_lost))

    def _on_thread(self, work: Callable[[], R], check: Callable[[], None]) -> R:
        try:
            with in_our_words(self._file.path):
                check()
                return work()
        except JournalError as error:
            self._health.note(self._precisely(error))
            raise

    def _precisely(self, error: JournalError) -> JournalError:
        """The precise error: a file that may grow no further fails with just `SQLITE_IOERR`."""
        try:
            if type(error) is JournalFailed:
                self._file.check_room()
        except JournalFull as full:
            return full
        return error

    def _look(self) -> None:
        """Check periodically, on the thread, that the files exist and can be written."""
        file = self._file
        try:
            with in_our_words(file.path):
                file.watch.look()
                file.check_room()
                if self._health.may_pass:
                    file.try_to_write()
        except JournalError as error:
            self._health.note(error)
        else:
            self._health.passed()

    def _close(self) -> None:
        self._committer.commit_now()
        self._look()  # files found lost are left alone
        self._file.close()

    def _keep(self, entries: Sequence[Entry]) -> None:
        self._on_thread(lambda: self._store.append(entries), self._file.watch.check)
