"""What every journal keeps of questions: which are open, and how the others ended."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import AskId, EventId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import ReadAskEnd, ReadOpenAsks
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    ASKS,
    BOB,
    IDS,
    REQUEST,
    RUNS,
    THREADS,
    record,
)
from greenroom.testing.same import same

REQUESTED, ANSWERED, CLOSED = Kind.INPUT_REQUESTED, Kind.INPUT_ANSWERED, Kind.INPUT_CLOSED


async def opened(journal: Journal) -> Sequence[Record]:
    return await journal.ask(ReadOpenAsks(ALICE)).wait()


async def end(journal: Journal, ask: AskId = ASKS[0]) -> Record | None:
    return await journal.ask(ReadAskEnd(ALICE, ask)).wait()


def whole(offset: int, kind: Kind, ask: AskId = ASKS[0]) -> Record:
    """A record with the body that its event has on the wire."""
    made = draft(
        event=IDS.new(EventId),
        kind=kind,
        thread=THREADS[0],
        run=RUNS[0],
        parent=None,
        request=REQUEST,
        data={"ask": ask},
    )
    return made.record(ALICE, offset, offset)


class AskClaims(JournalBackend):
    """Claims about questions to users."""

    @of_a_journal
    async def test_a_question_is_open_until_its_first_end(self, journal: Journal) -> None:
        asked, answered = record(1, kind=REQUESTED), record(2, kind=ANSWERED)
        await journal.append([asked])
        same(await opened(journal), [asked])
        same(await end(journal), None)
        await journal.append([answered])
        await journal.append([record(3, kind=CLOSED)])
        same(await opened(journal), [])
        same(await end(journal), answered, "the second end changes nothing")

    @of_a_journal
    async def test_questions_that_are_asked_and_ended_in_one_append_have_ended(
        self, journal: Journal
    ) -> None:
        first, second = record(1, kind=REQUESTED), record(2, kind=REQUESTED, ask=ASKS[1])
        closed = record(3, kind=CLOSED)
        await journal.append([first, second, closed])
        same(await opened(journal), [second])
        same(await end(journal), closed)

    @of_a_journal
    async def test_a_question_is_known_to_its_user_alone(self, journal: Journal) -> None:
        await journal.append([record(1, kind=REQUESTED)])
        await journal.append([record(1, user=BOB, kind=ANSWERED)])
        same(await journal.ask(ReadOpenAsks(BOB)).wait(), [])
        same(await journal.ask(ReadAskEnd(BOB, ASKS[0])).wait(), None)
        same(len(await opened(journal)), 1)

    @of_a_journal
    async def test_what_is_trimmed_of_a_question_is_forgotten(self, journal: Journal) -> None:
        await journal.append([record(1, kind=REQUESTED), record(2, kind=REQUESTED, ask=ASKS[1])])
        await journal.append([record(3, kind=ANSWERED), record(4)])
        await journal.trim(ALICE, through=2)
        same(await opened(journal), [], "the text of the open question is gone")
        same(await end(journal) is None, False)
        await journal.trim(ALICE, through=3)
        same(await end(journal), None)

    @of_a_journal
    async def test_what_is_erased_takes_its_questions_along(self, journal: Journal) -> None:
        await journal.append([whole(1, REQUESTED), whole(2, ANSWERED)])
        while await journal.erase_thread_soon(ALICE, THREADS[0], through=2).wait():
            pass
        same(await end(journal), None)
        await journal.append([whole(3, REQUESTED, ASKS[1])])
        while await journal.erase_user_soon(ALICE).wait():
            pass
        same(await opened(journal), [])
