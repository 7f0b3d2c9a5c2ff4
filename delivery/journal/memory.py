"""A journal in memory, for tests, demos and services that may lose their events at exit."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Never, TypeVar

import trio

from greenroom.actors.errors import GreenroomError
from greenroom.actors.exit import must_go_on
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply
from greenroom.delivery.errors import AlreadySaid, DeliveryError, JournalClosed
from greenroom.delivery.events.ids import EventId, ThreadId, UserId
from greenroom.delivery.events.record import Entry, bodies_of
from greenroom.delivery.journal.async_reads import AsyncReads
from greenroom.delivery.journal.journal import JournalStatistics
from greenroom.delivery.journal.memory_store import MemoryStore
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.journal.retention.cutoffs import STEP_SECONDS, Cutoffs, Swept, SweptTo
from greenroom.delivery.journal.retention.memory_sweeper import MemorySweeper
from greenroom.delivery.observer import NO_OBSERVER, Observer

R = TypeVar("R")


class MemoryJournal(AsyncReads):
    """A `Journal` without durability. It grows until trimmed or swept."""

    def __init__(self, *, epoch: str | None = None) -> None:
        self._epoch = epoch or secrets.token_urlsafe(12)
        self._store = MemoryStore()
        self._sweeper = MemorySweeper(self._store)
        self._closed = False
        self._kept: Reply[None] = Reply()  # the answer of each append that went well: it is set
        self._kept.succeed(None)
        self._appends = self._entries = self._failures = 0
        self._observer: Observer = NO_OBSERVER

    @property
    def epoch(self) -> str:
        return self._epoch

    def append_soon(self, entries: Sequence[Entry]) -> Reply[None]:
        try:
            if self._closed:
                self._check_open()
            self._append(entries)
        except GreenroomError as error:
            reply: Reply[None] = Reply()
            reply.fail(error)
            return reply
        return self._kept

    async def append(self, entries: Sequence[Entry]) -> None:
        await self._ready()
        self._append(entries)

    def keep(self, entries: Sequence[Entry]) -> None:
        """Keep all of the entries or none. Raises `OutOfSequence`, `BadId`."""
        self._store.keep(entries)

    def ask(
        self,
        question: Question[R],
        *,
        whose: Hashable = None,
        asker: Ref[Never] | None = None,
    ) -> Reply[R]:
        reply: Reply[R] = Reply()
        try:
            self._check_open()
            answer = self._look_up(question)
        except BaseException as error:
            if must_go_on(error):
                raise
            reply.fail(error)
        else:
            reply.succeed(answer)
        return reply

    def report_to(self, observer: Observer) -> None:
        self._observer = observer

    async def alive(self, now: int, *, after: int) -> None:
        await self._ready()
        self._store.alive(now, after)

    async def drop_dead_letter(self, event: EventId) -> bool:
        await self._ready()
        return self._store.drop_dead_letter(event)

    async def trim(self, user: UserId, *, through: int) -> int:
        await self._ready()
        return self._store.trim(user, through)

    def change_thread_soon(
        self,
        user: UserId,
        thread: ThreadId,
        *,
        title: str | None = None,
        archived: bool | None = None,
    ) -> Reply[bool]:
        return self._at_once(partial(self._store.change_thread, user, thread, title, archived))

    def erase_thread_soon(self, user: UserId, thread: ThreadId, *, through: int) -> Reply[bool]:
        return self._at_once(partial(self._store.erase_thread, user, thread, through))

    def erase_user_soon(self, user: UserId) -> Reply[bool]:
        return self._at_once(partial(self._store.erase_user, user))

    async def sweep(self, cutoffs: Cutoffs, place: SweptTo) -> Swept:
        await self._ready()
        return self._sweeper.sweep(cutoffs, place, STEP_SECONDS)

    @property
    def nodes(self) -> None:
        return None

    @property
    def is_appending(self) -> bool:
        return False

    @property
    def trouble(self) -> str:
        return ""

    def statistics(self) -> JournalStatistics:
        return JournalStatistics(
            appends=self._appends,
            entries=self._entries,
            failures=self._failures,
            waiting=0,
            bytes=self._store.bytes(),
            oldest_at=self._store.oldest_at(),
        )

    async def aclose(self) -> None:
        self._closed = True
        await trio.lowlevel.checkpoint()

    def _at_once(self, work: Callable[[], bool | None]) -> Reply[bool]:
        reply: Reply[bool] = Reply()
        try:
            self._check_open()
            reply.succeed(bool(work()))
        except JournalClosed as error:
            reply.fail(error)
        return reply

    async def _answer(self, question: Question[R]) -> R:
        await self._ready()
        return question.answer(self._store)

    async def _ready(self) -> None:
        self._check_open()
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self._closed:
            raise JournalClosed("the journal is closed")

    def _append(self, entries: Sequence[Entry]) -> None:
        try:
            self.keep(entries)
        except AlreadySaid:
            raise
        except GreenroomError as error:
            self._failures += 1
            self._observer.append_failed(type(error).__name__)
            raise
        self._appends += 1
        self._entries += len(entries)
        self._observer.appended(0.0, len(entries), bodies_of(entries))

    def _look_up(self, question: Question[R]) -> R:
        began = time.monotonic()
        try:
            return question.answer(self._store)
        except BaseException as error:
            if not must_go_on(error) and not isinstance(error, DeliveryError):
                self._observer.lookup_failed("journal")
            raise
        finally:
            self._observer.looked_up(time.monotonic() - began)
