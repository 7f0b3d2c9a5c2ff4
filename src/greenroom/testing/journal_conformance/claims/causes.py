"""What every journal keeps of the causes of failures, and how much of it."""

from __future__ import annotations

import pytest

from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.ids import BadId, EventId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import CAUSES_KEPT, FailureCause, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import IDS, RUNS, record
from greenroom.testing.same import same


def failed(offset: int = 1) -> Record:
    return record(offset, kind=Kind.AGENT_FAILED)


def cause(of: Record, text: str = "no such month") -> FailureCause:
    return FailureCause(of.user, of.id, of.run, of.at, "builtins:ValueError", text, "Traceback …")


class CauseClaims(JournalBackend):
    """Claims about the causes of failures."""

    @of_a_journal
    async def test_a_cause_is_found_by_its_event(self, journal: Journal) -> None:
        first, second = failed(1), failed(2)
        await journal.append([first, second, cause(first), cause(second, "another")])
        same(await journal.cause(first.id), cause(first))
        same(await journal.cause(second.id), cause(second, "another"))
        same(await journal.cause(IDS.new(EventId)), None)

    @of_a_journal
    async def test_a_cause_is_kept_with_its_event_or_not_at_all(self, journal: Journal) -> None:
        event = failed(7)
        with pytest.raises(OutOfSequence):
            await journal.append([event, cause(event)])
        same(await journal.cause(event.id), None)

    @of_a_journal
    async def test_a_cause_of_no_event_is_refused(self, journal: Journal) -> None:
        with pytest.raises(BadId, match="event"):
            await journal.append([FailureCause(failed().user, RUNS[0], RUNS[0], 1, "x:Y", "", "")])  # type: ignore[arg-type]  # the mistake in question

    @of_a_journal
    async def test_the_newest_causes_are_kept(self, journal: Journal) -> None:
        events = [failed(offset) for offset in range(1, CAUSES_KEPT + 3)]
        await journal.append([*events[:3], *map(cause, events[:3])])
        await journal.append([*events[3:], *map(cause, events[3:])])
        same(
            [await journal.cause(event.id) is not None for event in events[:4]],
            [
                *(False, False),
                *(True, True),
            ],
        )
        same(await journal.cause(events[-1].id), cause(events[-1]))
