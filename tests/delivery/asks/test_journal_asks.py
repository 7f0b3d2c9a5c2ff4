"""What every journal keeps of questions: which are open, and how the others ended."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.testing.journal_conformance.claims.asks import (
    ANSWERED,
    REQUESTED,
    end,
    opened,
    whole,
)
from tests.delivery.journal.journal_conformance import (
    ALICE,
    ASKS,
    DURABLE,
    OpenJournal,
    record,
)

pytestmark = pytest.mark.requirement("R44")


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
