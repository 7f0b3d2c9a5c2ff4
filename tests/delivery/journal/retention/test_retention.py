"""Retention: what a journal forgets while it is used, and what it never does. For each backend."""

from __future__ import annotations

import attrs
import pytest

from greenroom.delivery.events.ids import EventId, SessionId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Bounds, Cursor, DeadLetter, Settled
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.retention.cutoffs import (
    DAY_MS,
    Cutoffs,
    Retention,
    SweptTo,
)
from tests.delivery.journal.journal_conformance import (
    ALICE,
    BOB,
    IDS,
    RUNS,
    SESSIONS,
    cursor,
    displayed,
    record,
    records,
)
from tests.delivery.journal.retention.passes import settled, sweep
from tests.system.processes import eventually

pytestmark = pytest.mark.requirement("R48")


async def kept(journal: Journal, user: UserId = ALICE) -> list[int]:
    found = await journal.read(user, after=0, limit=10_000, max_bytes=1 << 30)
    return [each.offset for each in found]


async def test_old_events_go_from_the_first_on(journal: Journal) -> None:
    await journal.append([*records(1, 9), *settled(9)])  # the time of an event is its offset
    steps = await sweep(journal, Cutoffs(events_before=4))
    assert await kept(journal) == [4, 5, 6, 7, 8, 9]
    assert sum(step.events for step in steps) == 3
    assert {user: at for step in steps for user, at in step.trimmed.items()} == {ALICE: 3}
    assert await journal.bounds(ALICE) == Bounds(4, 9)


async def test_of_each_user_only_the_newest_events_stay(journal: Journal) -> None:
    await journal.append([*records(1, 9), *records(1, 2, user=BOB)])
    await journal.append([*settled(9), *settled(2, user=BOB)])
    await sweep(journal, Cutoffs(keep_events=3))
    assert await kept(journal) == [7, 8, 9]
    assert await kept(journal, BOB) == [1, 2]


async def test_an_event_without_its_outcome_stays_and_so_does_all_behind_it(
    journal: Journal,
) -> None:
    await journal.append([*records(1, 5), *settled(2), Settled(ALICE, EventClass.PROGRESS, 5)])
    await sweep(journal, Cutoffs(events_before=100, keep_events=1))
    assert await kept(journal) == [3, 4, 5]
    await journal.append(settled(5))
    await sweep(journal, Cutoffs(events_before=100))
    assert await kept(journal) == []
    assert await journal.bounds(ALICE) == Bounds(6, 5)
    await journal.append(records(6, 6))


async def test_a_run_that_goes_on_keeps_its_events(journal: Journal) -> None:
    """So does a question that is open, since its run is."""
    begun = record(2, kind=Kind.AGENT_STARTED, run=RUNS[1])
    ended = record(4, kind=Kind.AGENT_COMPLETED, run=RUNS[1])
    await journal.append([record(1), begun, record(3), *settled(3)])
    await sweep(journal, Cutoffs(events_before=100))
    assert await kept(journal) == [2, 3]
    await journal.append([ended, *settled(4)])
    await sweep(journal, Cutoffs(events_before=100))
    assert await kept(journal) == []


async def test_a_clock_that_was_set_back_forgets_no_event_too_early(journal: Journal) -> None:
    late, early = attrs.evolve(record(1), at=50), attrs.evolve(record(2), at=5)
    await journal.append([late, early, *settled(2)])
    await sweep(journal, Cutoffs(events_before=10))
    assert await kept(journal) == [1, 2]


async def test_what_is_known_of_an_event_goes_with_it(journal: Journal) -> None:
    events = records(1, 2)
    letters = [
        DeadLetter(ALICE, each.offset, each.id, each.kind, "expired", [], at=9) for each in events
    ]
    await journal.append([*events, *letters, displayed(1), displayed(2), *settled(2)])
    await sweep(journal, Cutoffs(events_before=2))
    assert [mark.offset for mark in await journal.marks(ALICE, after=0, limit=9)] == [2]
    assert [each.event for each in await journal.dead_letters(limit=9)] == [events[1].id]


async def test_sessions_not_seen_for_long_are_forgotten_unless_they_missed_something(
    journal: Journal,
) -> None:
    await journal.append([*records(1, 5), *settled(3)])
    seen, late = cursor(3, session=SESSIONS[0]), cursor(2, session=SESSIONS[1], sent=4)
    newer = attrs.evolve(cursor(3, session=IDS.new(SessionId)), at=80)
    await journal.append([seen, late, newer])
    steps = await sweep(journal, Cutoffs(sessions_before=50))
    assert sum(step.sessions for step in steps) == 1
    assert await journal.cursor(ALICE, seen.session) is None
    assert await journal.cursor(ALICE, late.session) == late
    assert await journal.cursor(ALICE, newer.session) == newer
    await journal.append(settled(5))
    await sweep(journal, Cutoffs(sessions_before=50))
    assert await journal.cursor(ALICE, late.session) is None


async def test_what_a_forgotten_session_received_stays_received(journal: Journal) -> None:
    await journal.append([*records(1, 9), *settled(9)])
    others = [IDS.new(SessionId) for _ in range(2)]
    await journal.append([cursor(3), cursor(5, session=others[0], start=3)])
    await journal.append([cursor(9, session=others[1], start=7)])
    await sweep(journal, Cutoffs(sessions_before=50))
    assert [await journal.cursor(ALICE, each) for each in (SESSIONS[0], *others)] == [None] * 3
    assert await journal.received_through(ALICE, 0) == 5
    assert await journal.received_through(ALICE, 7) == 9
    reached = await journal.reached(ALICE, after=0, limit=99)
    assert [each.offset for each in reached if each.received] == [1, 2, 3, 4, 5, 8, 9]
    await sweep(journal, Cutoffs(events_before=9))
    assert await journal.received_through(ALICE, 8) == 9


async def test_a_forgotten_session_that_comes_back_is_known_again(journal: Journal) -> None:
    await journal.append([*records(1, 3), *settled(3), cursor(3)])
    await sweep(journal, Cutoffs(sessions_before=50))
    await journal.append([cursor(2)])
    found = await journal.cursor(ALICE, SESSIONS[0])
    assert found == Cursor(ALICE, SESSIONS[0], 0, 2, 2, at=2)


async def test_a_pass_of_many_users_and_sessions_takes_many_steps_and_forgets_all(
    journal: Journal,
) -> None:
    users = [UserId(f"user-{number}") for number in range(30)]
    for user in users:
        await journal.append([*records(1, 100, user=user), *settled(100, user=user)])
        sessions = [IDS.new(SessionId) for _ in range(40)]
        await journal.append([cursor(1, user=user, session=each) for each in sessions])
    steps = await sweep(journal, Cutoffs(events_before=91, sessions_before=50))
    assert sum(step.events for step in steps) == 30 * 90
    assert sum(step.sessions for step in steps) == 30 * 40
    assert [await kept(journal, user) for user in users] == [list(range(91, 101))] * 30
    await eventually(lambda: journal.statistics().oldest_at == 91)  # looked at now and then


async def test_without_limits_nothing_is_forgotten(journal: Journal) -> None:
    await journal.append([*records(1, 3), *settled(3), cursor(3)])
    await sweep(journal, Retention().at(1_000 * DAY_MS))
    assert await kept(journal) == [1, 2, 3]
    assert await journal.cursor(ALICE, SESSIONS[0]) is not None


async def test_a_step_from_a_place_that_is_no_more_goes_on_behind_it(journal: Journal) -> None:
    await journal.append([*records(1, 2), *records(1, 2, user=BOB)])
    await journal.append([*settled(2), *settled(2, user=BOB)])
    place: SweptTo | None = SweptTo("events", "alice-is-gone")
    while place is not None:  # a step of a busy machine may do nothing but look at the clock
        place = (await journal.sweep(Cutoffs(events_before=9), place)).next
    assert await kept(journal) == [1, 2]
    assert await kept(journal, BOB) == []


async def test_a_say_whose_event_was_forgotten_starts_a_new_run(journal: Journal) -> None:
    said = record(1, kind=Kind.USER_SAID, say="say-1")
    ended = record(2, kind=Kind.AGENT_COMPLETED)
    await journal.append([said, ended, *settled(2)])
    await sweep(journal, Cutoffs(keep_events=1))
    assert await journal.said(ALICE, "say-1") is None
    assert await journal.find(EventId(said.id)) is None
