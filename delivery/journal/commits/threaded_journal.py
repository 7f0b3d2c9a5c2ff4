"""What the journals in a database share: one thread writes, others answer questions."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, Never, TypeVar

import trio

from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply
from greenroom.delivery.errors import JournalError
from greenroom.delivery.events.ids import EventId, ThreadId, UserId
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.async_reads import AsyncReads
from greenroom.delivery.journal.commits.committer import Committer
from greenroom.delivery.journal.commits.pace import Pace
from greenroom.delivery.journal.commits.thread import JournalThread
from greenroom.delivery.journal.health import JournalHealth
from greenroom.delivery.journal.journal import JournalStatistics
from greenroom.delivery.journal.nodes import Nodes
from greenroom.delivery.journal.readers import Answer, Readers
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.journal.retention.cutoffs import STEP_SECONDS, Cutoffs, Swept, SweptTo
from greenroom.delivery.journal.retention.sql_sweeper import SqlSweeper
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.letters import SqlLetters
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sql.tables.threads import change_thread
from greenroom.delivery.observer import Observer

R = TypeVar("R")


LEAST_SECONDS: Final = 0.0005
"""A step of retention that has less time than this before the next commit is put off."""


def random_epoch() -> str:
    """16 random characters, unique to a journal."""
    return secrets.token_urlsafe(12)


class ThreadedJournal(AsyncReads, ABC):
    """Everything that writes runs on the journal's thread in the order of arrival, each call and
    each group of appends in a transaction. Questions are answered on threads and connections of
    their own: neither waits for the other. A question sees all that was durable when it was asked.
    """

    def __init__(
        self,
        database: Database,
        store: SqlStore,
        sweeper: SqlSweeper,
        answers: Sequence[Answer],
        thread: JournalThread,
        pace: Pace,
    ) -> None:
        self._database = database
        self._store = store
        self._sweeper = sweeper
        self._letters = SqlLetters(database)
        self._thread = thread
        self._committer = Committer(self._keep, thread, pace)
        thread.work = self._committer.commit
        self._health = JournalHealth()
        self._readers = Readers(answers)
        self._free_bytes = 0
        self._oldest_at: int | None = None

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
        change = partial(change_thread, self._database, user, thread, title, archived)
        return self._write_soon(change)

    def erase_thread_soon(self, user: UserId, thread: ThreadId, *, through: int) -> Reply[bool]:
        return self._erase_soon(partial(self._store.erase_thread, user, thread, through))

    def erase_user_soon(self, user: UserId) -> Reply[bool]:
        return self._erase_soon(partial(self._store.erase_user, user))

    async def sweep(self, cutoffs: Cutoffs, place: SweptTo) -> Swept:
        return await self._write(partial(self._sweep, cutoffs, place))

    def _sweep(self, cutoffs: Cutoffs, place: SweptTo) -> Swept:
        """Runs on the thread, between two commits: what is due to be committed goes first."""
        seconds = min(STEP_SECONDS, self._thread.work_now())
        if seconds < LEAST_SECONDS:
            return Swept(place)
        return self._sweeper.sweep(cutoffs, place, seconds)

    @property
    def nodes(self) -> Nodes | None:
        return None

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
            bytes=self._bytes(),
            trouble=self.trouble,
            free_bytes=self._free_bytes,
            oldest_at=self._oldest_at,
        )

    async def aclose(self) -> None:
        """Finish what was accepted, checkpoint, close and unlock, even if cancelled."""
        self._committer.hand_over()
        self._readers.refuse()
        await self._thread.aclose(self._close)

    # Of each database

    @abstractmethod
    def _check(self) -> None:
        """On the thread, before a call that writes. Raises `JournalError`."""

    @abstractmethod
    def _in_our_words(self) -> AbstractContextManager[None]:
        """Raises the database's errors inside the block as `JournalError`."""

    def _precisely(self, error: JournalError) -> JournalError:
        """The precise error, where the database's own says too little."""
        return error

    @abstractmethod
    def _bytes(self) -> int:
        """The journal's present size."""

    @abstractmethod
    def _close(self) -> None:
        """On the thread: commit what waits, and close the database."""

    def _erase(self, step: Callable[[], bool]) -> bool:
        """On the thread: one step of an erasure."""
        return step()

    # Inside

    async def _write(self, work: Callable[[], R]) -> R:
        """Run `work` on the thread, unless `_check` refuses."""
        return await self._thread.call(partial(self._on_thread, work, self._check))

    def _write_soon(self, work: Callable[[], R]) -> Reply[R]:
        return self._thread.call_soon(partial(self._on_thread, work, self._check))

    def _erase_soon(self, step: Callable[[], bool]) -> Reply[bool]:
        return self._write_soon(partial(self._erase, step))

    async def _answer(self, question: Question[R]) -> R:
        """An awaited read sees also what was appended before it and is not yet durable."""
        if self._committer.under_way:
            await self._committer.append_soon(()).wait()
        return await self.ask(question).wait()

    def _on_thread(self, work: Callable[[], R], check: Callable[[], None]) -> R:
        try:
            with self._in_our_words():
                check()
                return work()
        except JournalError as error:
            precise = self._precisely(error)
            self._health.note(precise)
            if precise is error:
                raise
            raise precise from error

    def _keep(self, entries: Sequence[Entry]) -> None:
        self._on_thread(partial(self._store.append, entries), self._check)
