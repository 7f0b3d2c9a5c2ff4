"""Progress events that are forgotten before the others leave their places. For each backend."""

from __future__ import annotations

import attrs
import pytest

from greenroom.delivery.events.draft import forgotten
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Bounds, DeadLetter, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import ReadThreads
from greenroom.delivery.journal.retention.cutoffs import (
    DAY_MS,
    Cutoffs,
    Retention,
    Swept,
)
from tests.delivery.journal.journal_conformance import ALICE, BOB, RUNS, THREADS, displayed, record
from tests.delivery.journal.retention.passes import settled, sweep

pytestmark = pytest.mark.requirement("R48")
OLD = Cutoffs(progress_before=100)


def story(
    first: int, *, pieces: int = 3, user: UserId = ALICE, run: RunId = RUNS[0]
) -> list[Record]:
    """A run that begins, says some pieces, reports and ends. The time of an event is its offset."""
    partial = [Kind.PARTIAL_RESULT] * pieces
    kinds = [Kind.AGENT_STARTED, *partial, Kind.FINAL_REPORT, Kind.AGENT_COMPLETED]
    return [record(first + i, user=user, run=run, kind=kind) for i, kind in enumerate(kinds)]


def as_kept(events: list[Record], *, forgot: range) -> list[Record]:
    """Progress events with these offsets are forgotten."""
    return [
        forgotten(each)
        if each.event_class is EventClass.PROGRESS and each.offset in forgot
        else each
        for each in events
    ]


async def kept(journal: Journal, user: UserId = ALICE) -> list[Record]:
    return list(await journal.read(user, after=0, limit=10_000, max_bytes=1 << 30))


def events_of(steps: list[Swept]) -> int:
    return sum(step.events for step in steps)


async def test_old_progress_events_leave_their_places_and_all_others_stay(
    journal: Journal,
) -> None:
    events = story(1)
    await journal.append([*events, *settled(6)])
    steps = await sweep(journal, Cutoffs(progress_before=4))
    assert await kept(journal) == as_kept(events, forgot=range(1, 4))
    assert (events_of(steps), [step.trimmed for step in steps if step.trimmed]) == (2, [])
    assert await journal.bounds(ALICE) == Bounds(1, 6)
    assert await journal.event_at(ALICE, 2) == events[1].id, "a client resumes after it"
    assert await journal.find(events[1].id) == forgotten(events[1])
    assert events_of(await sweep(journal, Cutoffs(progress_before=5))) == 1


async def test_of_each_user_progress_stays_only_among_the_newest_events(journal: Journal) -> None:
    events, bobs = story(1, pieces=6), story(1, pieces=1, user=BOB)
    await journal.append([*events, *bobs, *settled(9), *settled(4, user=BOB)])
    await sweep(journal, Cutoffs(keep_progress=4))
    assert await kept(journal) == as_kept(events, forgot=range(1, 6))
    assert await kept(journal, BOB) == bobs


async def test_progress_without_its_outcome_or_of_an_open_run_is_kept(journal: Journal) -> None:
    events, going_on = story(1), story(7, run=RUNS[1])[:2]
    await journal.append([*events, *going_on, *settled(2)])
    await sweep(journal, OLD)
    assert await kept(journal) == as_kept([*events, *going_on], forgot=range(1, 3))
    await journal.append(settled(8))
    await sweep(journal, OLD)
    assert await kept(journal) == as_kept([*events, *going_on], forgot=range(1, 7))


async def test_marks_and_dead_letters_of_forgotten_progress_go_and_none_comes_later(
    journal: Journal,
) -> None:
    events = story(1)
    letters = [
        DeadLetter(ALICE, each.offset, each.id, each.kind, "expired", [], at=9) for each in events
    ]
    marks = [displayed(each.offset) for each in events]
    await journal.append([*events, *letters, *marks, *settled(6)])
    await sweep(journal, OLD)
    await journal.append([letters[1], displayed(3)])
    whole = {1, 5, 6}
    assert {mark.offset for mark in await journal.marks(ALICE, after=0, limit=9)} == whole
    assert {each.offset for each in await journal.dead_letters(limit=9)} == whole


async def test_history_leaves_forgotten_progress_out(journal: Journal) -> None:
    events = story(1)
    await journal.append([*events, *settled(6)])
    await sweep(journal, OLD)
    for thread in (None, THREADS[0]):
        page = await journal.history(ALICE, thread=thread, before=None, limit=3)
        assert [each.offset for each in page.records] == [1, 5, 6]
        assert not page.more


async def test_the_threads_of_forgotten_progress_are_listed_as_before(journal: Journal) -> None:
    said = record(1, kind=Kind.USER_SAID, body=b'{"data":{"body":"the title"}}')
    await journal.append([said, *story(2), record(8, thread=THREADS[1], run=RUNS[1]), *settled(8)])
    before = await journal.threads(ALICE)
    listed = await journal.ask(ReadThreads(ALICE, None, 9, archived=False)).wait()
    await sweep(journal, OLD)
    assert await journal.threads(ALICE) == before
    page = await journal.ask(ReadThreads(ALICE, None, 9, archived=False)).wait()
    assert [attrs.evolve(each, last=None) for each in page.threads] == [
        attrs.evolve(each, last=None) for each in listed.threads
    ]
    assert page.threads[-1] == listed.threads[-1]
    assert page.threads[0].last.kind is Kind.SUPERSEDED


async def test_a_forgotten_event_counts_once_though_its_place_goes_later(journal: Journal) -> None:
    await journal.append([*story(1), *settled(6)])
    assert events_of(await sweep(journal, OLD)) == 3
    steps = await sweep(journal, Cutoffs(events_before=6, progress_before=100))
    assert events_of(steps) == 2
    assert [each.offset for each in await kept(journal)] == [6]


async def test_an_erasure_empties_the_places_of_forgotten_progress_too(journal: Journal) -> None:
    events = story(1)
    await journal.append([*events, *settled(6)])
    await sweep(journal, OLD)
    while await journal.erase_thread_soon(ALICE, THREADS[0], through=6).wait():
        pass
    assert {each.kind for each in await kept(journal)} == {Kind.SUPERSEDED}
    assert {each.run for each in await kept(journal)}.isdisjoint(RUNS)
    assert events_of(await sweep(journal, Cutoffs(progress_before=200))) == 0


async def test_a_long_log_is_forgotten_in_many_steps(journal: Journal) -> None:
    for user in (ALICE, BOB):
        await journal.append([*story(1, pieces=700, user=user), *settled(703, user=user)])
    steps = await sweep(journal, Cutoffs(keep_progress=100))
    assert events_of(steps) == 2 * 602
    for user in (ALICE, BOB):
        kinds = [each.kind for each in await kept(journal, user)]
        assert kinds.count(Kind.PARTIAL_RESULT) == 98


async def test_limits_of_progress_are_days_and_events() -> None:
    cutoffs = Retention(progress_days=2, progress_events=9).at(10 * DAY_MS)
    assert cutoffs == Cutoffs(progress_before=8 * DAY_MS, keep_progress=9)


async def test_an_event_that_left_its_place_is_not_taken_for_one_without_outcome(
    journal: Journal,
) -> None:
    await journal.append([*story(1), *settled(6)])
    await sweep(journal, Cutoffs(progress_before=4))
    for each in EventClass:
        found = await journal.overdue(each, before=1 << 60, after=None, limit=9)
        assert found.users == []
