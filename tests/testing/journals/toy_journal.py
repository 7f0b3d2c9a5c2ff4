"""A third party's journal: an engine in memory, which servers share under leases."""

from __future__ import annotations

import copy
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import ClassVar, Literal, Never

import trio
from trio.testing import MockClock

from greenroom.actors.reply import Reply
from greenroom.delivery.errors import JournalLost, JournalUnreachable, LeaseLost
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.nodes.notice import Notice
from greenroom.delivery.events.record import RUN_OPENS, Entry, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.memory_store import MemoryStore
from greenroom.delivery.journal.nodes import Follower
from greenroom.delivery.journal.retention.memory_sweeper import MemorySweeper
from greenroom.testing.journal_conformance import CutNextAppend, JournalConformance, When

BEAT_SECONDS = 0.01
Runs = list[tuple[UserId, RunId]]


class Engine:
    """What is left when every server has stopped. `leases`: until when, by node."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self.store = MemoryStore()
        self.leases: dict[int, float] = {}
        self.runs: dict[int, Runs] = {}
        self.numbers = count(1)
        self.cut: When | None = None


class ToyJournal(MemoryJournal):
    """One server's way to the engine, which `engines` has under the name of the place."""

    def __init__(self, engines: dict[Path, Engine], place: Path, lease_seconds: float) -> None:
        self.engines, self.place, self.lease_seconds = engines, place, lease_seconds
        super().__init__(epoch=self.engine.epoch)
        self._store = self.engine.store
        self._sweeper = MemorySweeper(self._store)
        self.paused = self.is_followed = False
        self.late: list[tuple[Sequence[Entry], Reply[None]]] = []
        self.lost = trio.Event()
        self.join()

    @property
    def engine(self) -> Engine:
        return self.engines.setdefault(self.place, Engine())

    def keep(self, entries: Sequence[Entry]) -> None:
        self.check_epoch()
        self.check_lease()
        self._store = self.engine.store
        cut, self.engine.cut = self.engine.cut, None
        if cut != "before":
            self.store(entries)
        if cut is not None:
            self.unreachable(entries)

    def store(self, entries: Sequence[Entry]) -> None:
        super().keep(entries)
        began = [e for e in entries if isinstance(e, Record) and e.kind in RUN_OPENS]
        self.engine.runs.setdefault(self.number, []).extend((e.user, e.run) for e in began)

    def unreachable(self, entries: Sequence[Entry]) -> None:
        raise JournalUnreachable("the engine does not answer")

    def check_epoch(self) -> None:
        if self.engine.epoch != self.epoch:
            raise JournalLost("another engine is there now")

    def check_lease(self) -> None:
        if self.number not in self.engine.leases:
            self.lost.set()
            raise LeaseLost("another node has taken the lease")

    def append_soon(self, entries: Sequence[Entry]) -> Reply[None]:
        if not self.paused:
            return super().append_soon(entries)
        self.late.append((entries, reply := Reply[None]()))
        return reply

    def go_on(self) -> None:
        self.paused = False
        for entries, reply in self.late:
            try:
                self.keep(entries)
            except LeaseLost as error:
                reply.fail(error)
            else:
                reply.succeed(None)

    # As one of several nodes

    leads = hears = True

    @property
    def nodes(self) -> ToyJournal:  # type: ignore[override]  # a journal in memory has none
        return self

    def send(self, notice: Notice) -> None:
        """Notices may be lost."""

    def join(self) -> None:
        self.number = next(self.engine.numbers)
        self.engine.leases[self.number] = trio.current_time() + self.lease_seconds

    def rejoin(self) -> None:
        self.lost = trio.Event()
        self.join()

    async def renew(self) -> Never:
        while True:
            if self.lost.is_set() and not self.is_followed:
                self.rejoin()
            if not self.paused and self.number in self.engine.leases:
                self.engine.leases[self.number] = trio.current_time() + self.lease_seconds
            await trio.sleep(BEAT_SECONDS)

    async def follow(self, follower: Follower) -> Never:
        self.is_followed = True
        while True:
            await trio.sleep(BEAT_SECONDS)
            if not self.paused:
                self.take_over(follower)
            if self.lost.is_set():
                await follower.lease_lost()
                self.rejoin()

    def take_over(self, follower: Follower) -> None:
        for number, expires in list(self.engine.leases.items()):
            if expires < trio.current_time():
                del self.engine.leases[number]
                follower.taken_over(self.engine.runs.pop(number, []))


class ToyConformance(JournalConformance):
    """How the toy is opened and harmed; `kind` is what is tested."""

    kind = ToyJournal
    examples = 5
    patience = 10.0
    engines: ClassVar[dict[Path, Engine]] = {}
    copies: ClassVar[dict[Path, Engine]] = {}

    def new_clock(self) -> MockClock:
        return MockClock(autojump_threshold=0)

    @asynccontextmanager
    async def open_node(self, place: Path, *, lease_seconds: float) -> AsyncIterator[Journal]:
        journal = self.kind(self.engines, place, lease_seconds)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.renew)
            yield journal
            nursery.cancel_scope.cancel()
        await journal.aclose()

    @asynccontextmanager
    async def open_journal(self, place: Path) -> AsyncIterator[Journal]:
        async with self.open_node(place, lease_seconds=600) as journal:
            yield journal

    @asynccontextmanager
    async def pause(self, journal: Journal) -> AsyncIterator[None]:
        assert isinstance(journal, ToyJournal)
        journal.paused = True
        yield
        journal.go_on()

    @asynccontextmanager
    async def open_over_a_wire(self, place: Path) -> AsyncIterator[tuple[Journal, CutNextAppend]]:
        def cut(when: When) -> None:
            self.engines[place].cut = when

        async with self.open_journal(place) as journal:
            yield journal, cut

    async def copy(self, place: Path) -> None:
        self.copies[place] = engine = Engine()
        engine.epoch = self.engines[place].epoch
        engine.store = copy.deepcopy(self.engines[place].store)

    async def fail_over(self, place: Path, to: Literal["empty", "copy"]) -> None:
        self.engines[place] = Engine() if to == "empty" else self.copies[place]
