"""What every journal keeps of the causes of failures, and how much of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.ids import BadId, EventId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import CAUSES_KEPT, FailureCause, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from tests.delivery.journal.journal_conformance import IDS, RUNS, record

pytestmark = pytest.mark.requirement("R52")


def failed(offset: int = 1) -> Record:
    return record(offset, kind=Kind.AGENT_FAILED)


def cause(of: Record, text: str = "no such month") -> FailureCause:
    return FailureCause(of.user, of.id, of.run, of.at, "builtins:ValueError", text, "Traceback …")


async def test_a_cause_is_found_by_its_event(journal: Journal) -> None:
    first, second = failed(1), failed(2)
    await journal.append([first, second, cause(first), cause(second, "another")])
    assert await journal.cause(first.id) == cause(first)
    assert await journal.cause(second.id) == cause(second, "another")
    assert await journal.cause(IDS.new(EventId)) is None


async def test_a_cause_is_kept_with_its_event_or_not_at_all(journal: Journal) -> None:
    event = failed(7)
    with pytest.raises(OutOfSequence):
        await journal.append([event, cause(event)])
    assert await journal.cause(event.id) is None


async def test_a_cause_of_no_event_is_refused(journal: Journal) -> None:
    with pytest.raises(BadId, match="event"):
        await journal.append([FailureCause(failed().user, RUNS[0], RUNS[0], 1, "x:Y", "", "")])  # type: ignore[arg-type]  # the mistake in question


async def test_the_newest_causes_are_kept(journal: Journal) -> None:
    events = [failed(offset) for offset in range(1, CAUSES_KEPT + 3)]
    await journal.append([*events[:3], *map(cause, events[:3])])
    await journal.append([*events[3:], *map(cause, events[3:])])
    assert [await journal.cause(event.id) is not None for event in events[:4]] == [
        *(False, False),
        *(True, True),
    ]
    assert await journal.cause(events[-1].id) is not None


async def test_a_cause_survives_a_restart(tmp_path: Path) -> None:
    event = failed()
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        await journal.append([event, cause(event)])
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        assert await journal.cause(event.id) == cause(event)
    assert JournalReader(tmp_path / "journal.db").cause(event.id) == cause(event)


async def test_a_journal_of_an_older_version_gets_the_table_when_it_is_opened(
    tmp_path: Path,
) -> None:
    path, first, second = tmp_path / "journal.db", failed(1), failed(2)
    async with open_sqlite_journal(path) as journal:
        await journal.append([first])
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TABLE cause")  # as the version before wrote it
    assert JournalReader(path).cause(first.id) is None
    async with open_sqlite_journal(path) as journal:
        assert await journal.cause(first.id) is None
        await journal.append([second, cause(second)])
        assert await journal.cause(second.id) == cause(second)


async def test_an_export_has_the_causes(tmp_path: Path) -> None:
    path, copy, event = tmp_path / "journal.db", tmp_path / "copy.db", failed()
    async with open_sqlite_journal(path) as journal:
        await journal.append([cause(event)])  # as after a trim
    lines: list[bytes] = []
    export_journal(path, lines.append)
    import_journal(copy, lines)
    assert JournalReader(copy).cause(event.id) == cause(event)
    with JournalReader(copy).look() as database:
        assert list(check(database)) == []
