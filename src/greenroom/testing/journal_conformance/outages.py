"""What every journal promises when it is closed, when an answer is lost, or when its engine's data
is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from greenroom.delivery.errors import JournalError, JournalLost, OutOfSequence
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance.backend import JournalBackend, When, of_a_place
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    BOB,
    PLENTY,
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

AGAIN_SECONDS: Final = 0.05
"""Seconds until a claim tries again what was refused for now."""


class OutageClaims(JournalBackend):
    """Claims about what is still there afterwards, and what is said about the rest."""

    @of_a_place
    async def test_epochs_differ(self, place: Path) -> None:
        other = place / "other"
        other.mkdir()
        async with self.open_journal(place) as journal, self.open_journal(other) as another:
            same(journal.epoch != another.epoch, True, "whether the epochs differ")

    @of_a_place
    async def test_a_reopened_journal_is_the_same_one(self, place: Path) -> None:
        self.skip_without("durability")
        kept = [
            record(1, kind=Kind.USER_SAID, say="say-1"),
            record(2, kind=Kind.AGENT_STARTED, thread=THREADS[1]),
        ]
        async with self.open_journal(place) as journal:
            epoch = journal.epoch
            await journal.append([*kept, cursor(2), displayed(1)])
            await journal.trim(BOB, through=4)
        async with self.open_journal(place) as journal:
            same(journal.epoch, epoch)
            same(await journal.read(ALICE, after=0, limit=9, max_bytes=PLENTY), kept)
            page = await journal.history(ALICE, thread=THREADS[1], before=None, limit=5)
            same(page.records, kept[1:])
            same(await offset_of(journal, SESSIONS[0]), 2)
            same(await journal.marks(ALICE, after=0, limit=9), [displayed(1)])
            same(len(await journal.open_runs(ALICE)), 1)
            await journal.append([record(3)])

    @of_a_place
    async def test_an_append_that_its_engine_never_had_is_kept_once_or_refused(
        self, place: Path
    ) -> None:
        await self._lose_an_answer(place, "before")

    @of_a_place
    async def test_an_append_whose_answer_is_lost_is_kept_once_or_refused(
        self, place: Path
    ) -> None:
        await self._lose_an_answer(place, "after")

    async def _lose_an_answer(self, place: Path, when: When) -> None:
        """An error may leave open whether it was kept, but the journal knows: all of it or none."""
        self.skip_without("answers")
        async with self.open_over_a_wire(place) as (journal, cut):
            await journal.append([record(1), record(1, user=BOB)])
            cut(when)
            accepted = await _is_accepted(journal, [record(2), record(2, user=BOB)])
            last = await _last_when_it_can_be_read(journal)
            same(last == 2 or not accepted, True, "whether what was accepted is kept")
            same(await read_offsets(journal), list(range(1, last + 1)))
            same(await read_offsets(journal, BOB), list(range(1, last + 1)))
            await _append_in_the_end(journal, [record(last + 1), record(last + 1, user=BOB)])
            same(await read_offsets(journal), list(range(1, last + 2)))
            same(await read_offsets(journal, BOB), list(range(1, last + 2)))

    @of_a_place
    async def test_a_journal_whose_engine_is_empty_now_keeps_nothing_in_it(
        self, place: Path
    ) -> None:
        self.skip_without("copies")
        async with self.open_journal(place) as journal:
            epoch = journal.epoch
            await journal.append(records(1, 3))
            await self.fail_over(place, "empty")
            same(await _refusal(journal, [record(4)]), JournalLost, "how an append was refused")
        async with self.open_journal(place) as journal:
            same(journal.epoch != epoch, True, "whether clients learn of it by the epoch")
            same(await read_offsets(journal), [])
            await journal.append([record(1)])

    @of_a_place
    async def test_a_journal_whose_engine_has_an_older_copy_now_does_not_continue_it_unawares(
        self, place: Path
    ) -> None:
        self.skip_without("copies")
        seen = records(1, 4)
        async with self.open_journal(place) as journal:
            await journal.append(seen[:2])
        await self.copy(place)
        async with self.open_journal(place) as journal:
            await journal.append(seen[2:])
            await self.fail_over(place, "copy")
            refusal = await _refusal(journal, [record(5)])
            same(refusal in (JournalLost, OutOfSequence), True, f"whether {refusal} is honest")
        async with self.open_journal(place) as journal:
            same(await journal.read(ALICE, after=0, limit=9, max_bytes=PLENTY), seen[:2])
            await journal.append(fresh := records(3, 5))
            for client, agreed in ((seen[1], 2), (seen[3], 2), (fresh[1], 4)):
                found = await journal.agrees_through(ALICE, offset=client.offset, event=client.id)
                same(found, agreed, f"the log that is known at {client.offset}")


async def _is_accepted(journal: Journal, entries: Sequence[Entry]) -> bool:
    """Raises errors that blame the caller."""
    try:
        await journal.append(entries)
    except OutOfSequence:
        raise
    except JournalError:
        return False
    return True


async def _last_when_it_can_be_read(journal: Journal) -> int:
    while True:
        try:
            return (await journal.bounds(ALICE)).last
        except JournalError:
            await trio.sleep(AGAIN_SECONDS)


async def _append_in_the_end(journal: Journal, entries: Sequence[Entry]) -> None:
    while not await _is_accepted(journal, entries):  # noqa: ASYNC110  # no event says when
        await trio.sleep(AGAIN_SECONDS)


async def _refusal(journal: Journal, entries: Sequence[Entry]) -> type[JournalError]:
    """The error of an append, once it says more than that it should be tried again."""
    while True:
        try:
            await journal.append(entries)
        except JournalError as refused:
            if not refused.temporary or isinstance(refused, OutOfSequence):
                return type(refused)
        else:
            raise AssertionError("it was kept, as if the engine had all that came before")
        await trio.sleep(AGAIN_SECONDS)
