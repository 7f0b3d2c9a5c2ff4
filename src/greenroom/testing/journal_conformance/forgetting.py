"""What every journal forgets when it is trimmed."""

from __future__ import annotations

import pytest

from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import (
    Bounds,
    OpenRun,
    Page,
    ThreadSummary,
)
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    BOB,
    REQUEST,
    RUNS,
    THREADS,
    displayed,
    read_offsets,
    record,
    records,
)
from greenroom.testing.same import same


class ForgettingClaims(JournalBackend):
    """Claims about `trim`."""

    @of_a_journal
    async def test_trimming_a_run_does_not_end_it(self, journal: Journal) -> None:
        await journal.append([record(1, kind=Kind.AGENT_STARTED)])
        await journal.trim(ALICE, through=1)
        same(await journal.open_runs(ALICE), [OpenRun(RUNS[0], THREADS[0], None, REQUEST)])

    @of_a_journal
    async def test_trim_forgets_but_numbering_goes_on(self, journal: Journal) -> None:
        await journal.append(records(1, 5))
        same(await journal.trim(ALICE, through=3), 3)
        same(await journal.bounds(ALICE), Bounds(4, 5))
        same(await read_offsets(journal), [4, 5])
        same(await journal.trim(ALICE, through=99), 2)
        same(await journal.bounds(ALICE), Bounds(6, 5))
        same(await journal.trim(ALICE, through=4), 0)
        with pytest.raises(OutOfSequence, match="offset 6, not 1"):
            await journal.append([record(1)])
        await journal.append([record(6)])
        same(await read_offsets(journal), [6])
        same(await journal.bounds(ALICE), Bounds(6, 6))

    @of_a_journal
    async def test_trim_forgets_marks_and_says_and_shortens_threads(self, journal: Journal) -> None:
        first, second = THREADS[:2]
        await journal.append([record(1, kind=Kind.USER_SAID, say="say-1", thread=first)])
        await journal.append([record(2, thread=second), record(3, thread=second), displayed(2)])
        await journal.append([displayed(3)])
        await journal.trim(ALICE, through=2)
        same(await journal.said(ALICE, "say-1"), None)
        same(await journal.marks(ALICE, after=0, limit=10), [displayed(3)])
        same(await journal.threads(ALICE), [ThreadSummary(second, 3, 3, 1, at=3)])
        same(await journal.history(ALICE, thread=first, before=9, limit=1), Page([], more=False))

    @of_a_journal
    async def test_a_thread_goes_on_after_all_of_it_was_trimmed(self, journal: Journal) -> None:
        await journal.append(records(1, 2))
        await journal.trim(ALICE, through=2)
        await journal.append(records(3, 3))
        same(await journal.threads(ALICE), [ThreadSummary(THREADS[0], 3, 3, 1, at=3)])
        page = await journal.history(ALICE, thread=THREADS[0], before=None, limit=5)
        same([record.offset for record in page.records], [3])

    @of_a_journal
    async def test_trim_touches_one_user_alone(self, journal: Journal) -> None:
        await journal.append([record(1), record(1, user=BOB)])
        await journal.trim(ALICE, through=1)
        same(await read_offsets(journal, BOB), [1])

    @of_a_journal
    async def test_a_record_is_found_by_its_id_until_it_is_trimmed(self, journal: Journal) -> None:
        kept = records(1, 3)
        await journal.append([*kept, record(1, user=BOB)])
        same(await journal.find(kept[1].id), kept[1])
        await journal.trim(ALICE, through=2)
        same(await journal.find(kept[1].id), None)
        same(await journal.find(kept[2].id), kept[2])
