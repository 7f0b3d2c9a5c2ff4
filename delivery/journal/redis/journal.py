"""The journal in Redis or Valkey."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from socket import gethostname
from typing import TypeVar

import apsw

from greenroom.delivery.errors import JournalError
from greenroom.delivery.journal.commits.pace import Pace
from greenroom.delivery.journal.commits.thread import JournalThread
from greenroom.delivery.journal.commits.threaded_journal import ThreadedJournal, random_epoch
from greenroom.delivery.journal.readers import Answer
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.journal.redis.copy import Copy
from greenroom.delivery.journal.redis.errors import in_our_words
from greenroom.delivery.journal.redis.holding import LEASE_SECONDS, Holding
from greenroom.delivery.journal.redis.mirrored import MirroredDatabase
from greenroom.delivery.journal.redis.store import RedisStore
from greenroom.delivery.journal.redis.sweeper import RedisSweeper
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.errors import in_our_words as of_the_copy

R = TypeVar("R")


@asynccontextmanager
async def open_redis_journal(
    url: str,
    *,
    new_epoch: Callable[[], str] = random_epoch,
    capacity: int = 1024,
    commit_interval: float = 0.0,
    lease_seconds: float = LEASE_SECONDS,
) -> AsyncIterator[RedisJournal]:
    """Connect to the server at `url` (`redis://user@host/0`), and read the journal that is there.

    Raises `JournalUnreachable`, `JournalBusy`, `JournalFailed` and `JournalTooNew`.
    """
    thread = JournalThread(capacity=capacity)
    pace = Pace(commit_interval, time.monotonic)
    holding, copy = await thread.begin(partial(_open, url, new_epoch, lease_seconds))
    journal = RedisJournal(holding, copy, thread, pace)
    thread.look = journal._look
    try:
        yield journal
    finally:
        await journal.aclose()


def _open(url: str, new_epoch: Callable[[], str], lease: float) -> tuple[Holding, Copy]:
    holding = Holding(url, f"{gethostname()}:{os.getpid()}", lease)
    try:
        with in_our_words(holding.where):
            holding.take(new_epoch())
            copy = Copy(holding.epoch)
            with copy.database:
                for table, rows in holding.rows():
                    copy.fill(table, rows)
                copy.continue_from(holding.number)
    except BaseException:
        holding.abandon()
        raise
    return holding, copy


class RedisJournal(ThreadedJournal):
    """A `Journal` in Redis; created by `open_redis_journal`."""

    def __init__(self, holding: Holding, copy: Copy, thread: JournalThread, pace: Pace) -> None:
        self._holding, self._copy = holding, copy
        self._mirrored = database = MirroredDatabase(copy.database, holding.keep)
        store = RedisStore(database)
        answers = [self._reading(each) for each in copy.to_read]
        sweeper = RedisSweeper(database, store)
        super().__init__(database, store, sweeper, answers, thread, pace)
        self._used = copy.bytes()
        self._free_bytes, self._oldest_at = self._sweeper.use()

    @property
    def epoch(self) -> str:
        return self._holding.epoch

    def _check(self) -> None:
        self._holding.check()
        self._pay()

    def _pay(self) -> None:
        if owed := self._mirrored.owed:
            self._copy.catch_up(owed)
            self._store.forget_ends()
            self._mirrored.owed = ()

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        with in_our_words(self._holding.where), of_the_copy("the copy of the journal"):
            yield

    def _bytes(self) -> int:
        return self._used

    def _reading(self, database: apsw.Connection) -> Answer:
        return partial(self._answer_from, SqlStore(database))

    def _answer_from(self, store: SqlStore, question: Question[R]) -> R:
        """Runs on a reader's thread."""
        return self._on_thread(partial(store.answer, question), self._holding.check_lost)

    def _look(self) -> None:
        try:
            with self._in_our_words():
                if kept := self._holding.look():
                    self._mirrored.owed = [*self._mirrored.owed, *kept]
                self._check()
                self._used = self._copy.bytes()
                self._free_bytes, self._oldest_at = self._sweeper.use()
        except JournalError as error:
            self._health.note(error)
        else:
            self._health.passed()

    def _close(self) -> None:
        self._committer.commit_now()
        self._readers.close()
        self._copy.close()
        self._holding.close()
