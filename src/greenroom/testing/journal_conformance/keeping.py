"""What every journal keeps: records, in the order of their offsets, all of an append or none."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio

from greenroom.delivery.errors import JournalClosed, OutOfSequence
from greenroom.delivery.events.ids import BadId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import (
    Bounds,
    Entry,
    OpenRun,
    Page,
    Said,
    ThreadSummary,
)
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    BOB,
    PLENTY,
    REQUEST,
    RUNS,
    SESSIONS,
    THREADS,
    cursor,
    displayed,
    offset_of,
    read_offsets,
    record,
    records,
)
from greenroom.testing.same import same


class KeepingClaims(JournalBackend):
    """Claims about what is appended, and read again."""

    @of_a_journal
    async def test_a_record_that_does_not_continue_is_refused_with_both_numbers(
        self, journal: Journal
    ) -> None:
        await journal.append(records(1, 4))
        for wrong in (0, 2, 4, 6, 7, -1):
            with pytest.raises(OutOfSequence) as refused:
                await journal.append([record(wrong)])
            error = refused.value
            same((error.user, error.expected, error.given), (ALICE, 5, wrong))

    @of_a_journal
    async def test_a_limit_below_one_is_an_error(self, journal: Journal) -> None:
        for limit in (0, -1):
            with pytest.raises(ValueError, match="must be 1 or more"):
                await journal.read(ALICE, after=0, limit=limit, max_bytes=1)
            with pytest.raises(ValueError, match="must be 1 or more"):
                await journal.history(ALICE, thread=None, before=None, limit=limit)
            with pytest.raises(ValueError, match="must be 1 or more"):
                await journal.marks(ALICE, after=0, limit=limit)

    @of_a_journal
    async def test_a_run_is_open_from_its_beginning_to_its_end(self, journal: Journal) -> None:
        started, other = Kind.AGENT_STARTED, THREADS[1]
        for first, end in ((1, Kind.AGENT_COMPLETED), (7, Kind.AGENT_FAILED)):
            await journal.append(
                [
                    record(first, kind=Kind.USER_SAID, say=f"say-{first}", run=RUNS[0]),
                    record(first + 1, kind=started, run=RUNS[0]),
                    record(first + 2, kind=started, run=RUNS[1], parent=RUNS[0], thread=other),
                ]
            )
            outer = OpenRun(RUNS[0], THREADS[0], None, REQUEST)
            inner = OpenRun(RUNS[1], other, RUNS[0], REQUEST)
            same(await journal.open_runs(ALICE), [outer, inner])
            await journal.append([record(first + 3, kind=end, run=RUNS[0])])
            same(await journal.open_runs(ALICE), [inner])
            await journal.append(
                [record(first + 4, kind=end, run=RUNS[1]), record(first + 5, run=RUNS[1])]
            )
            same(await journal.open_runs(ALICE), [])

    @of_a_journal
    async def test_a_new_journal_knows_nobody(self, journal: Journal) -> None:
        same(await journal.bounds(ALICE), Bounds(0, 0))
        same(await read_offsets(journal), [])
        page = await journal.history(ALICE, thread=None, before=None, limit=10)
        same(page, Page([], more=False))
        same(await journal.threads(ALICE), [])
        same(await journal.open_runs(ALICE), [])
        same(await offset_of(journal, SESSIONS[0]), None)
        same(await journal.said(ALICE, "say-1"), None)

    @of_a_journal
    async def test_a_record_comes_back_as_it_was_given(self, journal: Journal) -> None:
        given = [
            record(1, kind=Kind.USER_SAID, say="say-1", body='{"text":"žluťoučký 🐎"}'.encode()),
            record(2, kind=Kind.AGENT_STARTED, run=RUNS[1], parent=RUNS[0], body=bytes(range(256))),
        ]
        await journal.append(given)
        same(await journal.read(ALICE, after=0, limit=10, max_bytes=PLENTY), given)

    @of_a_journal
    async def test_users_are_numbered_apart(self, journal: Journal) -> None:
        await journal.append([record(1), record(1, user=BOB), record(2), record(2, user=BOB)])
        same(await read_offsets(journal), [1, 2])
        same(await read_offsets(journal, BOB), [1, 2])
        found = await journal.read(BOB, after=0, limit=10, max_bytes=PLENTY)
        same({BOB}, {record.user for record in found})

    @of_a_journal
    async def test_one_wrong_entry_refuses_the_whole_batch(self, journal: Journal) -> None:
        batch: list[Entry] = [
            record(1, kind=Kind.AGENT_STARTED),
            cursor(1),
            displayed(1),
            record(1, user=BOB),
        ]
        with pytest.raises(OutOfSequence):
            await journal.append([*batch, record(3)])
        same(await journal.bounds(ALICE), Bounds(0, 0))
        same(await journal.bounds(BOB), Bounds(0, 0))
        same(await offset_of(journal, SESSIONS[0]), None)
        same(await journal.marks(ALICE, after=0, limit=10), [])
        same(await journal.open_runs(ALICE), [])
        await journal.append(batch)
        same(await read_offsets(journal), [1])

    @of_a_journal
    async def test_an_id_of_another_kind_is_refused_before_anything_is_kept(
        self, journal: Journal
    ) -> None:
        wrong: Any = RUNS[0]
        with pytest.raises(BadId, match="expected a thread id, got run"):
            await journal.append([record(1), attrs.evolve(record(2), thread=wrong)])
        with pytest.raises(BadId, match="expected a user id, got run"):
            await journal.append([cursor(1, user=wrong)])
        same(await journal.bounds(ALICE), Bounds(0, 0))

    @of_a_journal
    async def test_an_empty_append_is_fine(self, journal: Journal) -> None:
        await journal.append([])
        same(await journal.bounds(ALICE), Bounds(0, 0))

    @of_a_journal
    async def test_a_read_stops_at_its_limit_and_at_its_bytes(self, journal: Journal) -> None:
        await journal.append([record(offset, body=b"x" * 10) for offset in range(1, 6)])
        by_count = await journal.read(ALICE, after=1, limit=2, max_bytes=PLENTY)
        same([record.offset for record in by_count], [2, 3])
        by_bytes = await journal.read(ALICE, after=1, limit=PLENTY, max_bytes=29)
        same([record.offset for record in by_bytes], [2, 3])

    @of_a_journal
    async def test_a_read_gives_one_record_however_large(self, journal: Journal) -> None:
        await journal.append([record(1, body=b"x" * 1_000_000), record(2)])
        found = await journal.read(ALICE, after=0, limit=10, max_bytes=1)
        same([record.offset for record in found], [1])

    @of_a_journal
    async def test_history_pages_back_through_one_thread(self, journal: Journal) -> None:
        await journal.append([record(n, thread=THREADS[n // 3 % 2]) for n in range(1, 13)])
        first, second = THREADS[:2]
        page = await journal.history(ALICE, thread=second, before=None, limit=4)
        same(([r.offset for r in page.records], page.more), ([5, 9, 10, 11], True))
        page = await journal.history(ALICE, thread=second, before=5, limit=4)
        same(([r.offset for r in page.records], page.more), ([3, 4], False))
        page = await journal.history(ALICE, thread=first, before=8, limit=10)
        same(([r.offset for r in page.records], page.more), ([1, 2, 6, 7], False))
        page = await journal.history(ALICE, thread=None, before=4, limit=2)
        same(([r.offset for r in page.records], page.more), ([2, 3], True))

    @of_a_journal
    async def test_threads_are_told_with_their_ends_and_sizes(self, journal: Journal) -> None:
        first, second = THREADS[:2]
        await journal.append([record(1, thread=second), record(2, thread=first)])
        await journal.append([record(3, thread=second), record(4, thread=second)])
        expected = [ThreadSummary(second, 1, 4, 3, at=4), ThreadSummary(first, 2, 2, 1, at=2)]
        same(await journal.threads(ALICE), expected)

    @of_a_journal
    async def test_a_say_is_known_by_its_key_for_its_user_alone(self, journal: Journal) -> None:
        said = record(1, kind=Kind.USER_SAID, say="say-1", run=RUNS[2])
        await journal.append([said])
        same(await journal.said(ALICE, "say-1"), Said(RUNS[2], THREADS[0], said.body))
        same(await journal.said(ALICE, "say-2"), None)
        same(await journal.said(BOB, "say-1"), None)

    @of_a_journal
    async def test_a_run_that_begins_and_ends_in_one_batch_is_not_open(
        self, journal: Journal
    ) -> None:
        began, ended = record(1, kind=Kind.AGENT_STARTED), record(2, kind=Kind.AGENT_COMPLETED)
        await journal.append([began, ended])
        same(await journal.open_runs(ALICE), [])

    @of_a_journal
    async def test_a_closed_journal_says_so(self, journal: Journal) -> None:
        await journal.aclose()
        await journal.aclose()
        for call in (
            lambda: journal.append([record(1)]),
            lambda: journal.bounds(ALICE),
            lambda: journal.trim(ALICE, through=1),
        ):
            with pytest.raises(JournalClosed, match="the journal is closed"):
                await call()

    @of_a_journal
    async def test_statistics_count_appends_entries_and_failures(self, journal: Journal) -> None:
        await journal.append([*records(1, 3), cursor(3)])
        with pytest.raises(OutOfSequence):
            await journal.append([record(9)])
        statistics = journal.statistics()
        same((statistics.appends, statistics.entries, statistics.failures), (1, 4, 1))
        same(statistics.bytes > 0, True)
        same(statistics.waiting, 0)

    @of_a_journal
    async def test_of_two_writers_of_one_offset_one_is_refused(self, journal: Journal) -> None:
        refused = []

        async def write() -> None:
            try:
                await journal.append([record(1)])
            except OutOfSequence as error:
                refused.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            nursery.start_soon(write)
        same(len(refused), 1)
        same(await read_offsets(journal), [1])
