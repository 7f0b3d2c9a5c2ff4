"""The durable journal of a machine: SQLite in WAL mode, `synchronous=FULL`, one writer thread."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import apsw
import trio

from greenroom.delivery.errors import JournalError, JournalFailed, JournalFull
from greenroom.delivery.journal.commits.pace import Pace
from greenroom.delivery.journal.commits.thread import JournalThread
from greenroom.delivery.journal.commits.threaded_journal import ThreadedJournal, random_epoch
from greenroom.delivery.journal.readers import Answer
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.journal.retention.cutoffs import Cutoffs, Swept, SweptTo
from greenroom.delivery.journal.retention.sqlite_sweeper import SqliteSweeper
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.errors import in_our_words
from greenroom.delivery.journal.sqlite.file import SqliteFile, open_file
from greenroom.delivery.journal.sqlite.moved import check_not_moved
from greenroom.delivery.journal.sqlite.reader import JournalReader

R = TypeVar("R")

FOLD_FRAMES: Final = 3_000
"""Frames of the WAL from which on a step of retention has them folded into the file, beside the
commits: before one of them does it (`WAL_PAGES`)."""

READERS: Final = 2
"""Threads that answer questions: an asker's long question leaves one to the others."""


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
    file = await thread.begin(partial(_open, Path(path), new_epoch))
    journal = SqliteJournal(file, thread, pace)
    thread.look = journal._look
    try:
        yield journal
    finally:
        await journal.aclose()


def _open(path: Path, new_epoch: Callable[[], str]) -> SqliteFile:
    file = open_file(path, new_epoch=new_epoch)
    try:
        check_not_moved(file.database)
        for _ in range(READERS):
            file.open_to_read()
    except BaseException:
        file.close()
        raise
    return file


class SqliteJournal(ThreadedJournal):
    """A `Journal` in a file; created by `open_sqlite_journal`."""

    def __init__(self, file: SqliteFile, thread: JournalThread, pace: Pace) -> None:
        self._file = file
        store = SqlStore(file.database)
        answers = [self._reading(each) for each in file.to_read]
        sweeper = SqliteSweeper(file.database, store)
        super().__init__(file.database, store, sweeper, answers, thread, pace)
        self._free_bytes, self._oldest_at = self._sweeper.use()

    @property
    def epoch(self) -> str:
        return self._file.epoch

    def reader(self) -> JournalReader:
        """Reads beside this journal, in any thread. Raises the errors of `JournalReader`."""
        return JournalReader(self._file.path)

    async def sweep(self, cutoffs: Cutoffs, place: SweptTo) -> Swept:
        swept = await super().sweep(cutoffs, place)
        if self._file.watch.unfolded >= FOLD_FRAMES:
            await trio.to_thread.run_sync(self._file.fold)
        return swept

    def _erase(self, step: Callable[[], bool]) -> bool:
        """After the last step the WAL, which has the pages as they were, is emptied."""
        if step():
            return True
        self._file.empty_wal()
        return False

    def _check(self) -> None:
        self._file.watch.check()

    def _in_our_words(self) -> in_our_words:
        return in_our_words(self._file.path)

    def _bytes(self) -> int:
        return self._file.bytes()

    def _reading(self, database: apsw.Connection) -> Answer:
        return partial(self._answer_from, SqlStore(database))

    def _answer_from(self, store: SqlStore, question: Question[R]) -> R:
        """Runs on a reader's thread."""
        return self._on_thread(partial(store.answer, question), self._file.watch.raise_if_lost)

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
        self._file.restart_wal()
        return super()._sweep(cutoffs, place)

    def _close(self) -> None:
        self._committer.commit_now()
        self._readers.close()
        self._look()  # files found lost are left alone
        self._file.close()
