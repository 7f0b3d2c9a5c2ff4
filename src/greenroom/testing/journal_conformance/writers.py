"""What every journal promises when several write it at once, or when it refuses that."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import pytest
import trio

from greenroom.delivery.errors import AlreadySaid, JournalBusy, LeaseLost, OutOfSequence
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.nodes.notice import Notice
from greenroom.delivery.events.record import Unsaid
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.nodes import Nodes
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_place
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    BOB,
    RUNS,
    read_offsets,
    record,
)
from greenroom.testing.same import same

TURNS: Final = 20
LONG_LEASE: Final = 30.0
SHORT_LEASE: Final = 1.0


class WriterClaims(JournalBackend):
    """Claims about two writers of one journal."""

    @of_a_place
    async def test_a_second_writer_is_refused_where_one_alone_may_write(self, place: Path) -> None:
        self.skip_without("durability")
        if "nodes" not in self.lacks:
            pytest.skip("several may write it")
        async with self.open_journal(place) as journal:
            with pytest.raises(JournalBusy):
                async with self.open_journal(place):
                    pass
            await journal.append([record(1)])

    @of_a_place
    async def test_writers_that_race_leave_one_log_without_gaps(self, place: Path) -> None:
        self.skip_without("nodes")
        async with self._open(place) as one, self._open(place) as other:
            appended: list[int] = []
            async with trio.open_nursery() as nursery:
                for each in (one, other):
                    nursery.start_soon(_race, each, appended)
            all_of_them = list(range(1, 2 * TURNS + 1))
            same(sorted(appended), all_of_them, "the offsets that were accepted")
            for each in (one, other):
                same(await read_offsets(each), all_of_them)
                same(await read_offsets(each, BOB), all_of_them)

    @of_a_place
    async def test_a_writer_that_does_not_know_the_end_of_a_log_keeps_nothing_of_any_user(
        self, place: Path
    ) -> None:
        self.skip_without("nodes")
        async with self._open(place) as one, self._open(place) as other:
            await one.append([record(1), record(1, user=BOB)])
            await other.append([record(2)])
            with pytest.raises(OutOfSequence) as refused:
                await one.append([record(2, user=BOB), record(2)])
            error = refused.value
            same((error.user, error.expected, error.given), (ALICE, 3, 2))
            await one.append([record(2, user=BOB), record(3)])
            same(await read_offsets(other), [1, 2, 3])
            same(await read_offsets(other, BOB), [1, 2])

    @of_a_place
    async def test_a_message_that_two_writers_were_sent_is_kept_once(self, place: Path) -> None:
        self.skip_without("nodes")
        async with self._open(place) as one, self._open(place) as other:
            await one.append([record(1, kind=Kind.USER_SAID, say="say-1"), Unsaid(ALICE, "say-1")])
            again = record(2, kind=Kind.USER_SAID, say="say-1", run=RUNS[1])
            with pytest.raises(AlreadySaid) as refused:
                await other.append([again, Unsaid(ALICE, "say-1")])
            same(refused.value.said.run, RUNS[0], "the run of the first")
            same(await read_offsets(other), [1])

    @of_a_place
    async def test_a_log_that_another_writer_erased_is_not_continued(self, place: Path) -> None:
        self.skip_without("nodes")
        async with self._open(place) as one, self._open(place) as other:
            await one.append([record(1), record(2)])
            while await other.erase_user_soon(ALICE).wait():
                pass
            with pytest.raises(OutOfSequence):
                await one.append([record(3)])
            await one.append([record(1)])
            same(await read_offsets(other), [1])

    @of_a_place
    async def test_a_writer_that_stood_still_for_longer_than_its_lease_keeps_nothing(
        self, place: Path
    ) -> None:
        self.skip_without("nodes")
        async with (
            self.open_node(place, lease_seconds=SHORT_LEASE) as one,
            self.open_node(place, lease_seconds=SHORT_LEASE) as other,
            trio.open_nursery() as nursery,
        ):
            mine, theirs = _Follower(), _Follower()
            nursery.start_soon(_nodes_of(one).follow, mine)
            nursery.start_soon(_nodes_of(other).follow, theirs)
            await one.append([record(1, kind=Kind.AGENT_STARTED)])
            async with self.pause(one):
                await theirs.has_taken_over.wait()
                await other.append([record(2)])
                late = one.append_soon([record(3)])
            with pytest.raises(LeaseLost):
                await late.wait()
            same(theirs.runs, [(ALICE, RUNS[0])], "the runs that were taken over")
            same(await read_offsets(other), [1, 2])
            await mine.has_lost.wait()
            mine.are_cut.set()
            await _append_as_a_new_node(one)
            same(await read_offsets(other), [1, 2, 3])
            nursery.cancel_scope.cancel()

    def _open(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        return self.open_node(place, lease_seconds=LONG_LEASE)


class _Follower:
    """Cuts its runs when `are_cut` is set."""

    def __init__(self) -> None:
        self.runs: list[tuple[UserId, RunId]] = []
        self.has_taken_over = trio.Event()
        self.has_lost = trio.Event()
        self.are_cut = trio.Event()

    def appended(self, users: Sequence[UserId]) -> None:
        """The suite looks for itself."""

    def noticed(self, notice: Notice) -> None:
        """The suite sends none."""

    def taken_over(self, runs: Sequence[tuple[UserId, RunId]]) -> None:
        self.runs += runs
        self.has_taken_over.set()

    async def lease_lost(self) -> None:
        self.has_lost.set()
        await self.are_cut.wait()


def _nodes_of(journal: Journal) -> Nodes:
    nodes = journal.nodes
    if nodes is None:
        raise AssertionError("a journal that several servers share has `nodes`")
    return nodes


async def _race(journal: Journal, appended: list[int]) -> None:
    """Append to both users in turns, each time after what is there."""
    for _ in range(TURNS):
        appended.append(await _append_to_both(journal))


async def _append_to_both(journal: Journal) -> int:
    while True:
        alices, bobs = [(await journal.bounds(user)).last + 1 for user in (ALICE, BOB)]
        try:
            await journal.append([record(alices), record(bobs, user=BOB)])
        except (OutOfSequence, JournalBusy):
            await trio.lowlevel.checkpoint()
        else:
            return alices


async def _append_as_a_new_node(journal: Journal) -> None:
    while True:
        try:
            return await journal.append([record(3)])
        except LeaseLost:
            await trio.sleep(0.01)
