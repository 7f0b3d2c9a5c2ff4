"""The pace of commits: few and large under load, and never a pause for a lone run."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.commits.pace import Pace
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from tests.delivery.journal.held_journal import Commits
from tests.delivery.journal.journal_conformance import ALICE, BOB, cursor, record

INTERVAL = 8
LONG = 0.05
USERS = st.sampled_from([UserId(name) for name in "abcd"])


class PaceMachine(RuleBasedStateMachine):
    """One commit after another, on a clock that is moved by hand, against the rule in words."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.pace = Pace(INTERVAL, lambda: self.now)
        self.waiting: list[Entry] = []
        self.in_air, self.ever = 0, False
        self.landed_at = 0
        self.users: set[UserId] = set()
        self.again: set[UserId] = set()
        self.events = False

    @rule(seconds=st.integers(1, INTERVAL))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(user=USERS, is_event=st.booleans())
    def append(self, user: UserId, is_event: bool) -> None:
        before = self.may_leave()
        entry = record(1, user=user) if is_event else cursor(1, user=user)
        self.waiting.append(entry)
        if is_event:
            self.again.add(user)
        wakes = self.pace.appended({user} if is_event else set())
        if wakes:
            assert self.may_leave()
        if self.may_leave() and not before:
            assert wakes, "whoever ends a pause wakes the thread"

    @precondition(lambda self: self.waiting and self.may_leave())
    @rule()
    def commit(self) -> None:
        events = [each for each in self.waiting if not hasattr(each, "sent")]
        self.users, self.again = {each.user for each in events}, set()
        self.pace.posted(set(self.users))
        self.waiting, self.in_air, self.ever = [], self.in_air + 1, True

    @precondition(lambda self: self.in_air)
    @rule()
    def land(self) -> None:
        self.pace.landed()
        self.in_air, self.landed_at = self.in_air - 1, self.now

    def may_leave(self) -> bool:
        all_again = bool(self.again) and self.users <= self.again
        over = not self.in_air and self.now >= self.landed_at + INTERVAL
        return not self.ever or all_again or over

    @invariant()
    def a_commit_leaves_when_the_rule_says(self) -> None:
        assert (self.pace.wait() == 0) is self.may_leave()

    @invariant()
    def no_pause_is_longer_than_the_interval(self) -> None:
        assert self.pace.wait() <= INTERVAL


PaceMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
test_a_commit_leaves_when_the_rule_says = PaceMachine.TestCase


def test_without_an_interval_nothing_waits() -> None:
    pace = Pace(0, lambda: 0.0)
    pace.posted({record(1).user})
    assert not pace.appended(set())
    assert pace.wait() == 0


async def test_what_comes_during_a_pause_is_one_commit(tmp_path: Path) -> None:
    async with open_sqlite_journal(tmp_path / "j.db", commit_interval=LONG) as journal:
        commits = Commits()
        journal.report_to(commits)
        await journal.append([record(1), record(1, user=BOB)])
        async with trio.open_nursery() as nursery:
            for number in range(5):
                user = UserId(f"user-{number}")
                nursery.start_soon(journal.append, [record(1, user=user)])
                await trio.testing.wait_all_tasks_blocked()
        assert commits.sizes == [2, 5]


async def test_what_comes_in_one_turn_is_one_commit(tmp_path: Path) -> None:
    """However quick the thread is: it is told when the turn ends, and sees nothing before."""
    async with open_sqlite_journal(tmp_path / "j.db") as journal:
        commits = Commits()
        journal.report_to(commits)
        replies = []
        for number in range(50):
            replies.append(journal.append_soon([record(1, user=UserId(f"user-{number}"))]))
            os.sched_yield()  # lets go of the interpreter's lock, as a write to a socket does
        for reply in replies:
            await reply.wait()
        assert commits.sizes == [50]


async def test_users_that_all_emit_again_end_the_pause(tmp_path: Path) -> None:
    """With a pause of a second each, a hundred commits would outlive the limit of the test."""
    async with open_sqlite_journal(tmp_path / "j.db", commit_interval=1.0) as journal:
        for number in range(1, 101):
            replies = [journal.append_soon([record(number, user=user)]) for user in (ALICE, BOB)]
            for reply in replies:
                await reply.wait()


@pytest.mark.parametrize("autojump_threshold", [0, float("inf")])
def test_a_pause_ends_on_a_clock_that_stands_still(
    tmp_path: Path, autojump_threshold: float
) -> None:
    async def main() -> None:
        async with open_sqlite_journal(tmp_path / "j.db", commit_interval=LONG) as journal:
            await journal.append([record(1)])
            await journal.append([record(1, user=BOB)])

    clock = trio.testing.MockClock(autojump_threshold=autojump_threshold)
    trio.run(main, clock=clock)


async def test_closing_waits_for_no_pause(tmp_path: Path) -> None:
    async with open_sqlite_journal(tmp_path / "j.db", commit_interval=1.0) as journal:
        await journal.append([record(1)])
        late = journal.append_soon([record(1, user=BOB)])
        assert not late.is_set
    assert late.is_set


async def test_what_comes_during_a_commit_waits_for_the_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else commits of few events follow each other without a pause."""
    async with open_sqlite_journal(tmp_path / "j.db", commit_interval=LONG) as journal:
        commits, began, goes_on = Commits(), trio.Event(), threading.Event()
        journal.report_to(commits)
        append, token = journal._store.append, trio.lowlevel.current_trio_token()

        def held(entries: Sequence[Entry]) -> None:
            token.run_sync_soon(began.set)
            goes_on.wait()
            append(entries)

        monkeypatch.setattr(journal._store, "append", held)
        first = journal.append_soon([record(1)])
        await began.wait()
        second = journal.append_soon([record(1, user=BOB)])
        await trio.testing.wait_all_tasks_blocked()
        goes_on.set()
        await first.wait()
        await journal.append([record(1, user=UserId("carol"))])
        assert second.is_set
        assert commits.sizes == [1, 2]
