"""The durable journal of a machine: SQLite in WAL mode, `synchronous=FULL`, one writer thread."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Never, TypeVar

import apsw
import trio

from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply
from greenroom.delivery.errors import JournalError, JournalFailed, JournalFull
from greenroom.delivery.events.ids import EventId, ThreadId, UserId
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.async_reads import AsyncReads
from greenroom.delivery.journal.commits.committer import Committer
from greenroom.delivery.journal.commits.pace import Pace
from greenroom.delivery.journal.commits.thread import JournalThread
from greenroom.delivery.journal.health import JournalHealth
from greenroom.delivery.journal.journal import JournalStatistics
from greenroom.delivery.journal.readers import Answer, Readers
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.journal.retention.cutoffs import STEP_SECONDS, Cutoffs, Swept, SweptTo
from greenroom.delivery.journal.retention.sqlite_sweeper import SqliteSweeper
from greenroom.delivery.journal.sql.letters import SqlLetters
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sql.tables.threads import change_thread
from greenroom.delivery.journal.sqlite.errors import in_our_words
from greenroom.delivery.journal.sqlite.file import SqliteFile, open_file
from greenroom.delivery.observer import Observer

R = TypeVar("R")

FOLD_FRAMES: Final = 3_000
"""Frames of the WAL from which on a step of retention has them folded into the file, beside the
commits: before one of them does it (`WAL_PAGES`)."""

LEAST_SECONDS: Final = 0.0005
"""A step of retention that has less time than this before the next commit is put off."""

READERS: Final = 2
"""Threads that answer questions: an asker's long question leaves one to the others."""


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
    thread = JournalThread(capacity=capacity)
    pace = Pace(commit_interval, time.monotonic)
    journal = SqliteJournal(await _open(Path(path), new_epoch, thread), thread, pace)
    thread.look = journal._look
    try:
        yield journal
    finally:
        await journal.aclose()


async def _open(path: Path, new_epoch: Callable[[], str], thread: JournalThread) -> SqliteFile:
    try:
        with trio.CancelScope(shield=True):  # a cancelled opening would leave the file locked
            return await thread.call(partial(_open_file, path, new_epoch))
    except BaseException:
        await thread.aclose(lambda: None)
        raise
    raise AssertionError("a shielded scope cannot be cancelled")


def _open_file(path: Path, new_epoch: Callable[[], str]) -> SqliteFile:
    file = open_file(path, new_epoch=new_epoch)
    try:
        for _ in range(READERS):
            file.open_to_read()
    except BaseException:
        file.close()
        raise
    return file


class SqliteJournal(AsyncReads):
    """A `Journal` in a file; created by `open_sqlite_journal`.

    Everything that writes runs on the journal's thread in the order of arrival, each call and each
    group of appends in a transaction. Questions are answered on threads and connections of their
    own: neither waits for the other. A question sees all that was durable when it was asked.
    """

    def __init__(self, file: SqliteFile, thread: JournalThread, pace: Pace) -> None:
        self._file = file
        self._store = SqlStore(file.database)
        self._letters = SqlLetters(file.database)
        self._thread = thread
        self._committer = Committer(self._keep, thread, pace)
        thread.work = self._committer.commit
        self._health = JournalHealth()
        self._readers = Readers([self._reading(database) for database in file.to_read])
        self._sweeper = SqliteSweeper(file.database, self._store)
        self._free_bytes, self._oldest_at = self._sweeper.use()

    @property
    def epoch(self) -> str:
        return self._file.epoch

    def append_soon(self, entries: Sequence[Entry]) -> Reply[None]:
        return self._committer.append_soon(entries)

    async def append(self, entries: Sequence[Entry]) -> None:
        self._thread.check_thread()
        room = self._thread.room
        if room.value:  # without the turn of the scheduler of `acquire`: the reply takes one
            await trio.lowlevel.checkpoint_if_cancelled()
            room.acquire_nowait()
        else:
            await room.acquire()
        reply: Reply[None] = Reply(lambda _: room.release())
        self._committer.accept(entries, reply)
        self._committer.hand_over()
        await reply.wait()

    def report_to(self, observer: Observer) -> None:
        self._committer.observer = self._readers.observer = observer

    def ask(
        self,
        question: Question[R],
        *,
        whose: Hashable = None,
        asker: Ref[Never] | None = None,
    ) -> Reply[R]:
        return self._readers.ask(question, whose=whose, asker=asker)

    async def alive(self, now: int, *, after: int) -> None:
        await self._write(partial(self._letters.alive, now, after))

    async def drop_dead_letter(self, event: EventId) -> bool:
        return await self._write(partial(self._letters.drop, event))

    async def trim(self, user: UserId, *, through: int) -> int:
        return await self._write(partial(self._store.trim, user, through))

    def change_thread_soon(
        self,
        user: UserId,
        thread: ThreadId,
        *,
        title: str | None = None,
        archived: bool | None = None,
    ) -> Reply[bool]:
        change = partial(change_thread, self._file.database, user, thread, title, archived)
        return self._write_soon(change)

    def erase_thread_soon(self, user: UserId, thread: ThreadId, *, through: int) -> Reply[bool]:
        return self._erase_soon(partial(self._store.erase_thread, user, thread, through))

    def erase_user_soon(self, user: UserId) -> Reply[bool]:
        return self._erase_soon(partial(self._store.erase_user, user))

    async def sweep(self, cutoffs: Cutoffs, place: SweptTo) -> Swept:
        swept = await self._write(partial(self._sweep, cutoffs, place))
        if self._file.watch.unfolded >= FOLD_FRAMES:
            await trio.to_thread.run_sync(self._file.fold)
        return swept

    @property
    def is_appending(self) -> bool:
        return self._committer.under_way > 0

    @property
    def trouble(self) -> str:
        return self._health.trouble

    def statistics(self) -> JournalStatistics:
        committer, thread, readers = self._committer, self._thread, self._readers
        return JournalStatistics(
            appends=committer.appends,
            entries=committer.entries,
            failures=committer.failures,
            waiting=thread.waiting + committer.unanswered + readers.unanswered,
            bytes=self._file.bytes(),
            trouble=self.trouble,
            free_bytes=self._free_bytes,
            oldest_at=self._oldest_at,
        )

    async def aclose(self) -> None:
        """Finish what was accepted, checkpoint, close and unlock, even if cancelled."""
        self._committer.hand_over()
        self._readers.refuse()
        await self._thread.aclose(self._close)

    async def _write(self, work: Callable[[], R]) -> R:
        """Run `work` unless the files at the journal's path are no longer the journal's."""
        return await self._thread.call(partial(self._on_thread, work, self._file.watch.check))

    def _write_soon(self, work: Callable[[], R]) -> Reply[R]:
        return self._thread.call_soon(partial(self._on_thread, work, self._file.watch.check))

    def _erase_soon(self, step: Callable[[], bool]) -> Reply[bool]:
        return self._write_soon(partial(self._erase, step))

    def _erase(self, step: Callable[[], bool]) -> bool:
        """After the last step the WAL, which has the pages as they were, is emptied."""
        if step():
            return True
        self._file.empty_wal()
        return False

    async def _answer(self, question: Question[R]) -> R:
        """An awaited read sees also what was appended before it and is not yet durable."""
        if self._committer.under_way:
            await self._committer.append_soon(()).wait()
        return await self.ask(question).wait()

    def _reading(self, database: apsw.Connection) -> Answer:
        return partial(self._answer_from, SqlStore(database))

    def _answer_from(self, store: SqlStore, question: Question[R]) -> R:
        """Runs on a reader's thread."""
        return self._on_thread(partial(store.answer, question), self._file.watch.raise_if_lost)

    def _on_thread(self, work: Callable[[], R], check: Callable[[], None]) -> R:
        try:
            with in_our_words(self._file.path):
                check()
                return work()
        except JournalError as error:
            precise = self._precisely(error)
            self._health.note(precise)
            if precise is error:
                raise
            raise precise from error

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
                file.empty_wal_if_owed()
                if self._health.may_pass:
                    file.try_to_write()
                self._free_bytes, self._oldest_at = self._sweeper.use()
        except JournalError as error:
            self._health.note(error)
        else:
            self._health.passed()

    def _sweep(self, cutoffs: Cutoffs, place: SweptTo) -> Swept:
        """Runs on the thread, between two commits: what is due to be committed goes first."""
        self._file.restart_wal()
        seconds = min(STEP_SECONDS, self._thread.work_now())
        if seconds < LEAST_SECONDS:
            return Swept(place)
        return self._sweeper.sweep(cutoffs, place, seconds)

    def _close(self) -> None:
        self._committer.commit_now()
        self._readers.close()
        self._look()  # files found lost are left alone
        self._file.close()

    def _keep(self, entries: Sequence[Entry]) -> None:
        self._on_thread(partial(self._store.append, entries), self._file.watch.check)
