"""The promise of `Journal`, kept by every backend."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.delivery.errors import JournalClosed, OutOfSequence
from greenroom.delivery.events.ids import BadId, ConnectionId, EventId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import (
    Attempt,
    Bounds,
    Cursor,
    DeadLetter,
    Entry,
    OpenRun,
    Page,
    Said,
    Settled,
    ThreadSummary,
)
from greenroom.delivery.journal.journal import Journal, agreed_through
from tests.delivery.journal.journal_conformance import (
    ALICE,
    BACKENDS,
    BOB,
    DURABLE,
    IDS,
    REQUEST,
    RUNS,
    SESSIONS,
    THREADS,
    OpenJournal,
    confirmed,
    cursor,
    displayed,
    offset_of,
    record,
    records,
)

PLENTY = 1_000_000
CONNECTION = IDS.new(ConnectionId)


async def read_offsets(journal: Journal, user: Any = ALICE, after: int = 0) -> list[int]:
    found = await journal.read(user, after=after, limit=PLENTY, max_bytes=PLENTY)
    return [record.offset for record in found]


async def test_a_new_journal_knows_nobody(journal: Journal) -> None:
    assert Bounds(0, 0) == await journal.bounds(ALICE)
    assert await read_offsets(journal) == []
    page = await journal.history(ALICE, thread=None, before=None, limit=10)
    assert Page([], more=False) == page
    assert await journal.threads(ALICE) == []
    assert await journal.open_runs(ALICE) == []
    assert await offset_of(journal, SESSIONS[0]) is None
    assert await journal.said(ALICE, "say-1") is None


async def test_a_record_comes_back_as_it_was_given(journal: Journal) -> None:
    given = [
        record(1, kind=Kind.USER_SAID, say="say-1", body='{"text":"žluťoučký 🐎"}'.encode()),
        record(2, kind=Kind.AGENT_STARTED, run=RUNS[1], parent=RUNS[0], body=bytes(range(256))),
    ]
    await journal.append(given)
    assert given == await journal.read(ALICE, after=0, limit=10, max_bytes=PLENTY)


async def test_users_are_numbered_apart(journal: Journal) -> None:
    await journal.append([record(1), record(1, user=BOB), record(2), record(2, user=BOB)])
    assert await read_offsets(journal) == [1, 2]
    assert await read_offsets(journal, BOB) == [1, 2]
    found = await journal.read(BOB, after=0, limit=10, max_bytes=PLENTY)
    assert {BOB} == {record.user for record in found}


@pytest.mark.parametrize("wrong", [0, 2, 4, 6, 7, -1])
async def test_a_record_that_does_not_continue_is_refused_with_both_numbers(
    journal: Journal, wrong: int
) -> None:
    await journal.append(records(1, 4))
    with pytest.raises(OutOfSequence, match=f"'alice' must have offset 5, not {wrong}") as refused:
        await journal.append([record(wrong)])
    assert (ALICE, 5, wrong) == (refused.value.user, refused.value.expected, refused.value.given)


async def test_one_wrong_entry_refuses_the_whole_batch(journal: Journal) -> None:
    batch: list[Entry] = [
        record(1, kind=Kind.AGENT_STARTED),
        cursor(1),
        displayed(1),
        record(1, user=BOB),
    ]
    with pytest.raises(OutOfSequence):
        await journal.append([*batch, record(3)])
    assert Bounds(0, 0) == await journal.bounds(ALICE)
    assert Bounds(0, 0) == await journal.bounds(BOB)
    assert await offset_of(journal, SESSIONS[0]) is None
    assert await journal.marks(ALICE, after=0, limit=10) == []
    assert await journal.open_runs(ALICE) == []
    await journal.append(batch)
    assert await read_offsets(journal) == [1]


@pytest.mark.requirement("R17")
async def test_an_id_of_another_kind_is_refused_before_anything_is_kept(journal: Journal) -> None:
    wrong: Any = RUNS[0]
    with pytest.raises(BadId, match="expected a thread id, got run"):
        await journal.append([record(1), attrs.evolve(record(2), thread=wrong)])
    with pytest.raises(BadId, match="expected a user id, got run"):
        await journal.append([cursor(1, user=wrong)])
    assert Bounds(0, 0) == await journal.bounds(ALICE)


async def test_an_empty_append_is_fine(journal: Journal) -> None:
    await journal.append([])
    assert Bounds(0, 0) == await journal.bounds(ALICE)


async def test_a_read_stops_at_its_limit_and_at_its_bytes(journal: Journal) -> None:
    await journal.append([record(offset, body=b"x" * 10) for offset in range(1, 6)])
    by_count = await journal.read(ALICE, after=1, limit=2, max_bytes=PLENTY)
    assert [record.offset for record in by_count] == [2, 3]
    by_bytes = await journal.read(ALICE, after=1, limit=PLENTY, max_bytes=29)
    assert [record.offset for record in by_bytes] == [2, 3]


async def test_a_read_gives_one_record_however_large(journal: Journal) -> None:
    await journal.append([record(1, body=b"x" * 1_000_000), record(2)])
    found = await journal.read(ALICE, after=0, limit=10, max_bytes=1)
    assert [record.offset for record in found] == [1]


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_below_one_is_an_error(journal: Journal, limit: int) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        await journal.read(ALICE, after=0, limit=limit, max_bytes=1)
    with pytest.raises(ValueError, match="must be 1 or more"):
        await journal.history(ALICE, thread=None, before=None, limit=limit)
    with pytest.raises(ValueError, match="must be 1 or more"):
        await journal.marks(ALICE, after=0, limit=limit)


@pytest.mark.requirement("R20")
async def test_history_pages_back_through_one_thread(journal: Journal) -> None:
    await journal.append([record(n, thread=THREADS[n // 3 % 2]) for n in range(1, 13)])
    first, second = THREADS[:2]
    page = await journal.history(ALICE, thread=second, before=None, limit=4)
    assert ([r.offset for r in page.records], page.more) == ([5, 9, 10, 11], True)
    page = await journal.history(ALICE, thread=second, before=5, limit=4)
    assert ([r.offset for r in page.records], page.more) == ([3, 4], False)
    page = await journal.history(ALICE, thread=first, before=8, limit=10)
    assert ([r.offset for r in page.records], page.more) == ([1, 2, 6, 7], False)
    page = await journal.history(ALICE, thread=None, before=4, limit=2)
    assert ([r.offset for r in page.records], page.more) == ([2, 3], True)


async def test_threads_are_told_with_their_ends_and_sizes(journal: Journal) -> None:
    first, second = THREADS[:2]
    await journal.append([record(1, thread=second), record(2, thread=first)])
    await journal.append([record(3, thread=second), record(4, thread=second)])
    expected = [ThreadSummary(second, 1, 4, 3, at=4), ThreadSummary(first, 2, 2, 1, at=2)]
    assert expected == await journal.threads(ALICE)


async def test_a_say_is_known_by_its_key_for_its_user_alone(journal: Journal) -> None:
    said = record(1, kind=Kind.USER_SAID, say="say-1", run=RUNS[2])
    await journal.append([said])
    assert Said(RUNS[2], THREADS[0], said.body) == await journal.said(ALICE, "say-1")
    assert await journal.said(ALICE, "say-2") is None
    assert await journal.said(BOB, "say-1") is None


@pytest.mark.parametrize("end", [Kind.AGENT_COMPLETED, Kind.AGENT_FAILED])
async def test_a_run_is_open_from_its_beginning_to_its_end(journal: Journal, end: Kind) -> None:
    await journal.append(
        [
            record(1, kind=Kind.USER_SAID, say="say-1", run=RUNS[0]),
            record(2, kind=Kind.AGENT_STARTED, run=RUNS[0]),
            record(3, kind=Kind.AGENT_STARTED, run=RUNS[1], parent=RUNS[0], thread=THREADS[1]),
        ]
    )
    outer = OpenRun(RUNS[0], THREADS[0], None, REQUEST)
    inner = OpenRun(RUNS[1], THREADS[1], RUNS[0], REQUEST)
    assert [outer, inner] == await journal.open_runs(ALICE)
    await journal.append([record(4, kind=end, run=RUNS[0])])
    assert [inner] == await journal.open_runs(ALICE)
    await journal.append([record(5, kind=end, run=RUNS[1]), record(6, run=RUNS[1])])
    assert await journal.open_runs(ALICE) == []


async def test_a_run_that_begins_and_ends_in_one_batch_is_not_open(journal: Journal) -> None:
    began, ended = record(1, kind=Kind.AGENT_STARTED), record(2, kind=Kind.AGENT_COMPLETED)
    await journal.append([began, ended])
    assert await journal.open_runs(ALICE) == []


@pytest.mark.requirement("R28")
async def test_trimming_a_run_does_not_end_it(journal: Journal) -> None:
    await journal.append([record(1, kind=Kind.AGENT_STARTED)])
    await journal.trim(ALICE, through=1)
    assert [OpenRun(RUNS[0], THREADS[0], None, REQUEST)] == await journal.open_runs(ALICE)


async def test_a_cursor_never_goes_back(journal: Journal) -> None:
    await journal.append([cursor(5), cursor(3), cursor(9, session=SESSIONS[1])])
    assert await offset_of(journal, SESSIONS[0]) == 5
    await journal.append([cursor(4)])
    assert await offset_of(journal, SESSIONS[0]) == 5
    await journal.append([cursor(6)])
    assert await offset_of(journal, SESSIONS[0]) == 6
    assert await offset_of(journal, SESSIONS[1]) == 9


async def test_marks_come_back_by_offset_and_the_last_verdict_counts(journal: Journal) -> None:
    await journal.append(records(1, 3))
    await journal.append([confirmed(2, verdict="bad"), displayed(3), displayed(2)])
    await journal.append([confirmed(2, verdict="good", note="after all")])
    expected = [confirmed(2, verdict="good", note="after all"), displayed(2), displayed(3)]
    assert expected == await journal.marks(ALICE, after=1, limit=10)
    assert [displayed(3)] == await journal.marks(ALICE, after=2, limit=10)


async def test_a_page_of_marks_never_splits_an_offset(journal: Journal) -> None:
    other = SESSIONS[1]
    marks = [displayed(1), displayed(2), displayed(2, session=other), displayed(3)]
    await journal.append(marks)
    assert marks[:1] == await journal.marks(ALICE, after=0, limit=1)
    assert marks[:3] == await journal.marks(ALICE, after=0, limit=2)
    assert marks[3:] == await journal.marks(ALICE, after=2, limit=2)


async def test_trim_forgets_but_numbering_goes_on(journal: Journal) -> None:
    await journal.append(records(1, 5))
    assert await journal.trim(ALICE, through=3) == 3
    assert Bounds(4, 5) == await journal.bounds(ALICE)
    assert await read_offsets(journal) == [4, 5]
    assert await journal.trim(ALICE, through=99) == 2
    assert Bounds(6, 5) == await journal.bounds(ALICE)
    assert await journal.trim(ALICE, through=4) == 0
    with pytest.raises(OutOfSequence, match="offset 6, not 1"):
        await journal.append([record(1)])
    await journal.append([record(6)])
    assert await read_offsets(journal) == [6]
    assert Bounds(6, 6) == await journal.bounds(ALICE)


async def test_trim_forgets_marks_and_says_and_shortens_threads(journal: Journal) -> None:
    first, second = THREADS[:2]
    await journal.append([record(1, kind=Kind.USER_SAID, say="say-1", thread=first)])
    await journal.append([record(2, thread=second), record(3, thread=second), displayed(2)])
    await journal.append([displayed(3)])
    await journal.trim(ALICE, through=2)
    assert await journal.said(ALICE, "say-1") is None
    assert [displayed(3)] == await journal.marks(ALICE, after=0, limit=10)
    assert [ThreadSummary(second, 3, 3, 1, at=3)] == await journal.threads(ALICE)
    assert Page([], more=False) == await journal.history(ALICE, thread=first, before=9, limit=1)


async def test_a_thread_goes_on_after_all_of_it_was_trimmed(journal: Journal) -> None:
    await journal.append(records(1, 2))
    await journal.trim(ALICE, through=2)
    await journal.append(records(3, 3))
    assert await journal.threads(ALICE) == [ThreadSummary(THREADS[0], 3, 3, 1, at=3)]
    page = await journal.history(ALICE, thread=THREADS[0], before=None, limit=5)
    assert [record.offset for record in page.records] == [3]


async def test_trim_touches_one_user_alone(journal: Journal) -> None:
    await journal.append([record(1), record(1, user=BOB)])
    await journal.trim(ALICE, through=1)
    assert await read_offsets(journal, BOB) == [1]


async def test_a_closed_journal_says_so(journal: Journal) -> None:
    await journal.aclose()
    await journal.aclose()
    for call in (
        lambda: journal.append([record(1)]),
        lambda: journal.bounds(ALICE),
        lambda: journal.trim(ALICE, through=1),
    ):
        with pytest.raises(JournalClosed, match="the journal is closed"):
            await call()


async def test_statistics_count_appends_entries_and_failures(journal: Journal) -> None:
    await journal.append([*records(1, 3), cursor(3)])
    with pytest.raises(OutOfSequence):
        await journal.append([record(9)])
    statistics = journal.statistics()
    assert (statistics.appends, statistics.entries, statistics.failures) == (1, 4, 1)
    assert statistics.bytes > 0
    assert statistics.waiting == 0


async def test_epochs_differ(journal: Journal, open_journal: OpenJournal, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with open_journal(other) as another:
        assert journal.epoch != another.epoch


@given(st.randoms(use_true_random=False), st.random_module())
@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("backend", BACKENDS)
def test_appends_of_many_tasks_at_once_are_each_kept_whole(
    tmp_path_factory: pytest.TempPathFactory, backend: str, random: Random, seed: object
) -> None:
    batches = [random.randint(1, 5) for _ in range(20)]

    async def write(journal: Journal, user: Any) -> None:
        first = 1
        for size in batches:
            await journal.append(records(first, first + size - 1, user=user))
            first += size

    async def main() -> None:
        async with BACKENDS[backend](tmp_path_factory.mktemp("journal")) as journal:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write, journal, ALICE)
                nursery.start_soon(write, journal, BOB)
            for user in (ALICE, BOB):
                assert list(range(1, sum(batches) + 1)) == await read_offsets(journal, user)

    trio.run(main)


async def test_of_two_writers_of_one_offset_one_is_refused(journal: Journal) -> None:
    refused = []

    async def write() -> None:
        try:
            await journal.append([record(1)])
        except OutOfSequence as error:
            refused.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        nursery.start_soon(write)
    assert len(refused) == 1
    assert await read_offsets(journal) == [1]


@pytest.mark.parametrize("backend", DURABLE)
@pytest.mark.requirement("R20")
async def test_a_reopened_journal_is_the_same_one(backend: str, tmp_path: Path) -> None:
    given = [
        record(1, kind=Kind.USER_SAID, say="say-1"),
        record(2, kind=Kind.AGENT_STARTED, thread=THREADS[1]),
    ]
    async with DURABLE[backend](tmp_path) as journal:
        epoch = journal.epoch
        await journal.append([*given, cursor(2), displayed(1)])
        await journal.trim(BOB, through=4)
    async with DURABLE[backend](tmp_path) as journal:
        assert epoch == journal.epoch
        assert given == await journal.read(ALICE, after=0, limit=9, max_bytes=PLENTY)
        page = await journal.history(ALICE, thread=THREADS[1], before=None, limit=5)
        assert given[1:] == page.records
        assert await offset_of(journal, SESSIONS[0]) == 2
        assert [displayed(1)] == await journal.marks(ALICE, after=0, limit=9)
        assert len(await journal.open_runs(ALICE)) == 1
        await journal.append([record(3)])


# Receipts and dead letters


async def test_a_cursor_grows_to_both_sides_and_begins_anew_beyond_a_gap(journal: Journal) -> None:
    await journal.append([cursor(5, start=2, sent=7), cursor(4, start=1), cursor(7, start=7)])
    assert await journal.cursor(ALICE, SESSIONS[0]) == Cursor(ALICE, SESSIONS[0], 1, 7, 7, at=7)
    await journal.append([cursor(9, start=8)])
    assert await journal.cursor(ALICE, SESSIONS[0]) == Cursor(ALICE, SESSIONS[0], 8, 9, 9, at=9)


@pytest.mark.requirement("R15")
async def test_an_event_names_the_sessions_it_was_sent_to(journal: Journal) -> None:
    one, other = cursor(3, sent=5), cursor(8, start=4, session=SESSIONS[1])
    await journal.append([one, other, cursor(9, user=BOB)])
    for offset, sessions in ((3, [one]), (5, [one, other]), (6, [other]), (9, [])):
        assert await journal.sent_to(ALICE, offset) == sessions


@pytest.mark.requirement("R15", "R20")
async def test_a_record_is_found_by_its_id_until_it_is_trimmed(journal: Journal) -> None:
    kept = records(1, 3)
    await journal.append([*kept, record(1, user=BOB)])
    assert await journal.find(kept[1].id) == kept[1]
    await journal.trim(ALICE, through=2)
    assert await journal.find(kept[1].id) is None
    assert await journal.find(kept[2].id) == kept[2]


def letter(offset: int, *, user: UserId = ALICE, event: EventId | None = None) -> DeadLetter:
    return DeadLetter(
        user,
        offset,
        event or IDS.new(EventId),
        Kind.FINAL_REPORT,
        "dead_lettered",
        [attempt(0, offset)],
        at=9,
    )


def attempt(after: int, through: int, number: int = 1) -> Attempt:
    return Attempt(ALICE, SESSIONS[0], CONNECTION, after, through, number, at=number)


@pytest.mark.requirement("R02")
async def test_dead_letters_come_by_birth_page_by_page_and_can_be_dropped(journal: Journal) -> None:
    letters = [letter(1), letter(2, user=BOB), letter(3)]
    await journal.append(letters[::-1])
    assert await journal.dead_letters(limit=2) == letters[:2]
    assert await journal.dead_letters(after=letters[1].event, limit=9) == letters[2:]
    assert await journal.dead_letters(user=ALICE, limit=9) == [letters[0], letters[2]]
    assert await journal.dead_letter(letters[1].event) == letters[1]
    assert await journal.drop_dead_letter(letters[1].event)
    assert not await journal.drop_dead_letter(letters[1].event)
    assert await journal.dead_letter(letters[1].event) is None


async def test_a_dead_letter_is_kept_once_for_its_event(journal: Journal) -> None:
    first = letter(1)
    again = attrs.evolve(first, at=10)
    await journal.append([first, again])
    assert await journal.dead_letters(limit=9) == [again]


@pytest.mark.requirement("R04")
async def test_attempts_are_kept_until_every_class_is_settled(journal: Journal) -> None:
    tries = [attempt(0, 4), attempt(2, 4, number=2), attempt(2, 6, number=3)]
    await journal.append(tries)
    assert await journal.attempts(ALICE, 2) == tries[:1]
    assert await journal.attempts(ALICE, 3) == tries
    assert await journal.attempts(ALICE, 6) == tries[2:]
    await journal.append([Settled(ALICE, EventClass.CRITICAL, 5)])
    assert await journal.attempts(ALICE, 3) == tries
    await journal.append([Settled(ALICE, EventClass.PROGRESS, 4)])
    assert await journal.attempts(ALICE, 3) == tries[2:]


async def test_what_is_settled_never_goes_back(journal: Journal) -> None:
    progress = EventClass.PROGRESS
    assert dict(await journal.settled(ALICE)) == {EventClass.CRITICAL: 0, progress: 0}
    await journal.append([Settled(ALICE, progress, 5), Settled(ALICE, progress, 3)])
    assert dict(await journal.settled(ALICE)) == {EventClass.CRITICAL: 0, progress: 5}


@pytest.mark.fault("D5")
async def test_tells_the_event_at_an_offset_and_how_far_another_log_is_the_same(
    journal: Journal,
) -> None:
    kept = records(1, 6)
    unseen = [IDS.new(EventId) for _ in range(4)]  # of a log that went on from the third event
    fresh = [record(offset) for offset in range(4, 7)]
    await journal.append([*kept[:3], *fresh])
    assert await journal.event_at(ALICE, 3) == kept[2].id
    assert await journal.event_at(ALICE, 7) is None
    assert await journal.event_at(BOB, 1) is None

    async def agreed(offset: int, event: EventId) -> int:
        return await journal.agrees_through(ALICE, offset=offset, event=event)

    assert [await agreed(each.offset, each.id) for each in [*kept[:3], *fresh]] == [*range(1, 7)]
    assert await agreed(5, kept[4].id) == 3
    assert await agreed(60, kept[5].id) == 3
    assert await agreed(5, unseen[0]) == 3
    await journal.trim(ALICE, through=4)
    assert await journal.event_at(ALICE, 4) is None
    assert [await agreed(offset, unseen[0]) for offset in (3, 4, 5, 60)] == [3, 4, 4, 4]
    assert await journal.agrees_through(BOB, offset=2, event=unseen[0]) == 0


@pytest.mark.fault("D5")
@given(
    common=st.integers(0, 30),
    old=st.integers(1, 30),
    new=st.integers(0, 60),
    jitter=st.randoms(use_true_random=False),
    trimmed=st.integers(0, 40),
)
def test_no_event_of_a_restored_log_is_taken_for_one_that_a_client_has_seen(
    common: int, old: int, new: int, jitter: Random, trimmed: int
) -> None:
    """Ids sort by birth to the ms, so those of one moment come in any order."""
    ids = [IDS.new(EventId) for _ in range(common + old)]
    moments = [ids[start : start + 3] for start in range(0, len(ids), 3)]
    seen = [each for moment in moments for each in jitter.sample(moment, len(moment))]
    log = [*seen[:common], *(IDS.new(EventId) for _ in range(new))]
    bounds = Bounds(min(trimmed, len(log)) + 1 if log else 0, len(log))
    agreed = agreed_through(len(seen), seen[-1], bounds, lambda offset: log[offset - 1])
    if len(seen) >= max(1, bounds.first):
        assert agreed <= max(common, bounds.first - 1)
        assert agreed >= min(common - 3, len(log))
    else:
        assert agreed == len(seen)
