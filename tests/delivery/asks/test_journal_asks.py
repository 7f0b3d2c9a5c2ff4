"""What every journal keeps of questions: which are open, and how the others ended."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import AskId, EventId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import ReadAskEnd, ReadOpenAsks
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from tests.delivery.journal.journal_conformance import (
    ALICE,
    ASKS,
    BOB,
    DURABLE,
    IDS,
    REQUEST,
    RUNS,
    THREADS,
    OpenJournal,
    record,
)

pytestmark = pytest.mark.requirement("R44")

REQUESTED, ANSWERED, CLOSED = Kind.INPUT_REQUESTED, Kind.INPUT_ANSWERED, Kind.INPUT_CLOSED


async def opened(journal: Journal) -> Sequence[Record]:
    return await journal.ask(ReadOpenAsks(ALICE)).wait()


async def end(journal: Journal, ask: AskId = ASKS[0]) -> Record | None:
    return await journal.ask(ReadAskEnd(ALICE, ask)).wait()


async def test_a_question_is_open_until_its_first_end(journal: Journal) -> None:
    asked, answered = record(1, kind=REQUESTED), record(2, kind=ANSWERED)
    await journal.append([asked])
    assert await opened(journal) == [asked]
    assert await end(journal) is None
    await journal.append([answered])
    await journal.append([record(3, kind=CLOSED)])
    assert await opened(journal) == []
    assert await end(journal) == answered, "the second end changes nothing"


async def test_questions_that_are_asked_and_ended_in_one_append_have_ended(
    journal: Journal,
) -> None:
    first, second = record(1, kind=REQUESTED), record(2, kind=REQUESTED, ask=ASKS[1])
    closed = record(3, kind=CLOSED)
    await journal.append([first, second, closed])
    assert await opened(journal) == [second]
    assert await end(journal) == closed


async def test_a_question_is_known_to_its_user_alone(journal: Journal) -> None:
    await journal.append([record(1, kind=REQUESTED)])
    await journal.append([record(1, user=BOB, kind=ANSWERED)])
    assert await journal.ask(ReadOpenAsks(BOB)).wait() == []
    assert await journal.ask(ReadAskEnd(BOB, ASKS[0])).wait() is None
    assert len(await opened(journal)) == 1


async def test_what_is_trimmed_of_a_question_is_forgotten(journal: Journal) -> None:
    await journal.append([record(1, kind=REQUESTED), record(2, kind=REQUESTED, ask=ASKS[1])])
    await journal.append([record(3, kind=ANSWERED), record(4)])
    await journal.trim(ALICE, through=2)
    assert await opened(journal) == [], "the text of the open question is gone"
    assert await end(journal) is not None
    await journal.trim(ALICE, through=3)
    assert await end(journal) is None


@pytest.mark.parametrize("durable", DURABLE.values(), ids=DURABLE)
async def test_questions_outlive_the_process(durable: OpenJournal, tmp_path: Path) -> None:
    asked = record(1, kind=REQUESTED)
    answered = record(3, kind=ANSWERED, ask=ASKS[1])
    async with durable(tmp_path) as journal:
        await journal.append([asked, record(2, kind=REQUESTED, ask=ASKS[1]), answered])
    async with durable(tmp_path) as journal:
        assert await opened(journal) == [asked]
        assert await end(journal, ASKS[1]) == answered


async def test_a_journal_of_an_older_version_can_keep_questions_once_it_is_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append([record(1)])
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TABLE ask")
    async with open_sqlite_journal(path) as journal:
        assert await opened(journal) == []
        await journal.append([record(2, kind=REQUESTED)])
        assert len(await opened(journal)) == 1


async def test_an_export_has_the_questions(tmp_path: Path) -> None:
    path, lines = tmp_path / "journal.db", list[bytes]()
    async with open_sqlite_journal(path) as journal:
        await journal.append([whole(1, Kind.AGENT_STARTED), whole(2, REQUESTED)])
    export_journal(path, lines.append)
    import_journal(tmp_path / "new.db", lines)
    with closing(apsw.Connection(str(tmp_path / "new.db"))) as database:
        assert [each.offset for each in SqlStore(database).asks.opened(ALICE)] == [2]


async def test_a_check_finds_questions_that_are_listed_wrongly(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        asked = [whole(number, REQUESTED, ASKS[number - 1]) for number in (1, 2, 3)]
        await journal.append([*asked, whole(4, Kind.AGENT_FAILED)])
    with closing(apsw.Connection(str(path))) as database:
        assert len(list(check(database))) == 3, "they are open after the end of their run"
        database.execute("DELETE FROM ask WHERE ask = ?", (ASKS[0],))
        database.execute("UPDATE ask SET ended = 1 WHERE ask = ?", (ASKS[1],))
        assert list(check(database)) == [
            "event 1 of 'alice': is a question that is not listed",
            f"user 'alice': question '{ASKS[2]}' is open, but its run has ended",
            f"user 'alice': question '{ASKS[1]}' ends at offset 1, which ends none",
        ]


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


async def test_what_is_erased_takes_its_questions_along(journal: Journal) -> None:
    await journal.append([whole(1, REQUESTED), whole(2, ANSWERED)])
    while await journal.erase_thread_soon(ALICE, THREADS[0], through=2).wait():
        pass
    assert await end(journal) is None
    await journal.append([whole(3, REQUESTED, ASKS[1])])
    while await journal.erase_user_soon(ALICE).wait():
        pass
    assert await opened(journal) == []
