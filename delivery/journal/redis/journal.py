"""The journal in Redis or Valkey."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib.metadata import version
from socket import gethostname
from typing import TypeVar

import apsw

from greenroom.delivery.errors import JournalError, JournalUnreachable, LeaseLost
from greenroom.delivery.journal.commits.pace import Pace
from greenroom.delivery.journal.commits.thread import JournalThread
from greenroom.delivery.journal.commits.threaded_journal import ThreadedJournal, random_epoch
from greenroom.delivery.journal.nodes import Nodes
from greenroom.delivery.journal.readers import Answer
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.journal.redis.errors import in_our_words
from greenroom.delivery.journal.redis.holding import Holding
from greenroom.delivery.journal.redis.mirror import Mirror, mirror_of
from greenroom.delivery.journal.redis.nodes.beat import Beat
from greenroom.delivery.journal.redis.nodes.claims import RedisClaims
from greenroom.delivery.journal.redis.nodes.lease import RedisLease
from greenroom.delivery.journal.redis.nodes.wake_ups import RedisWakeUps
from greenroom.delivery.journal.redis.reader import CopyReader
from greenroom.delivery.journal.redis.rows import Changed
from greenroom.delivery.journal.redis.server_check import check_server
from greenroom.delivery.journal.redis.store import RedisStore
from greenroom.delivery.journal.redis.sweeper import RedisSweeper
from greenroom.delivery.journal.sql.nodes.shared_nodes import LEASE_SECONDS, SharedNodes
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
    After `lease_seconds` without a sign of this node another one has its open runs.

    Raises `JournalUnreachable`, `JournalFailed` and `JournalTooNew`.
    """
    thread = JournalThread(capacity=capacity)
    pace = Pace(commit_interval, time.monotonic)
    lease = RedisLease(f"{gethostname()}:{os.getpid()}", version("greenroom"), lease_seconds)
    mirror = await thread.begin(partial(_open, url, new_epoch, lease))
    journal = RedisJournal(mirror, lease, thread, pace)
    thread.look = journal._look
    try:
        await thread.call(journal._look)
        yield journal
    finally:
        await journal.aclose()


def _open(url: str, new_epoch: Callable[[], str], lease: RedisLease) -> Mirror:
    holding = Holding(url, lease.seconds)
    try:
        with in_our_words(holding.where):
            check_server(holding.client, holding.where)
            mirror = mirror_of(holding, new_epoch())
            mirror.check = partial(lease.hold, mirror.copy.database)
            lease.take(mirror)
            lease.inherited = lease.take_over(mirror, always=True)
    except BaseException:
        holding.client.close()
        raise
    return mirror


class RedisJournal(ThreadedJournal):
    """A `Journal` in Redis; created by `open_redis_journal`."""

    def __init__(
        self, mirror: Mirror, lease: RedisLease, thread: JournalThread, pace: Pace
    ) -> None:
        self._mirror, self._holding, self._lease = mirror, mirror.holding, lease
        database = mirror.database
        self._wake_ups = RedisWakeUps(self._holding, mirror.reached.want)
        claims = RedisClaims(mirror, self._me, self._write)
        self._nodes = SharedNodes(lease, self._wake_ups, claims, self._begin_again, self._silent)
        self._shared = store = RedisStore(database, self._me, self._beat)
        answers = [self._reading(each) for each in mirror.copy.to_read]
        sweeper = RedisSweeper(database, store)
        super().__init__(database, store, sweeper, answers, thread, pace)
        thread.work = self._work
        mirror.followed = self._followed
        mirror.reached.wake = thread.wake
        self._used = mirror.copy.bytes()
        self._free_bytes, self._oldest_at = self._sweeper.use()

    @property
    def epoch(self) -> str:
        return self._holding.epoch

    def reader(self) -> CopyReader:
        """Reads this journal beside its server."""
        return CopyReader(self._holding, self._mirror.copy)

    @property
    def nodes(self) -> Nodes:
        return self._nodes

    def _me(self) -> int | None:
        return self._lease.number

    def _beat(self) -> Beat:
        return self._holding.beat

    def _silent(self) -> None:
        if not self.trouble:
            text = f"{self._holding.where} has not answered for as long as the lease of this server"
            advice = "start it, or mend the network; the journal then continues by itself"
            self._health.note(JournalUnreachable(text, advice=advice))

    async def _begin_again(self) -> None:
        self._committer.hand_over()
        work = partial(self._on_thread, self._rejoin, self._holding.check)
        await self._thread.call(work)

    def _rejoin(self) -> None:
        self._committer.commit_now()  # which is refused
        self._nodes.rejoin(self._mirror)

    def _work(self) -> float | None:
        """Runs on the thread. A commit of this node, now or in a moment, reads on by itself."""
        seconds = self._committer.commit()
        if seconds is None and self._mirror.reached.is_behind:
            with suppress(JournalError):  # `_look` tells of it
                super()._on_thread(self._mirror.follow, self._holding.check)
        return seconds

    def _followed(self, changed: Changed | None) -> None:
        self._shared.followed(changed)
        if changed is not None:
            self._wake_ups.followed(changed)

    def _check(self) -> None:
        self._nodes.check()
        self._holding.check()

    def _on_thread(self, work: Callable[[], R], check: Callable[[], None]) -> R:
        return super()._on_thread(partial(self._mirror.carry_out, work), check)

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            with in_our_words(self._holding.where), of_the_copy("the copy of the journal"):
                yield
        except LeaseLost:
            self._nodes.lose()
            raise

    def _bytes(self) -> int:
        return self._used

    def _reading(self, database: apsw.Connection) -> Answer:
        return partial(self._answer_from, RedisStore(database, self._me, self._beat))

    def _answer_from(self, store: RedisStore, question: Question[R]) -> R:
        """Runs on a reader's thread. Its asker may know of another node's event that is not in the
        copy yet."""
        return super()._on_thread(partial(store.answer, question), self._mirror.reach_now)

    def _look(self) -> None:
        """Check periodically, on the thread, that the server answers, and what others committed."""
        try:
            with self._in_our_words():
                self._holding.check_lost()
                if self._holding.is_cut:
                    self._holding.settle()
                    self._nodes.reconnected()
                self._mirror.follow()
                self._nodes.look(self._mirror)
                self._used = self._mirror.copy.bytes()
                self._free_bytes, self._oldest_at = self._sweeper.use()
        except JournalError as error:
            self._health.note(error)
        else:
            self._health.passed()

    def _close(self) -> None:
        self._committer.commit_now()
        self._readers.close()
        with suppress(JournalError), in_our_words(self._holding.where):
            self._nodes.close(self._mirror)
        self._mirror.copy.close()
        self._holding.client.close()
