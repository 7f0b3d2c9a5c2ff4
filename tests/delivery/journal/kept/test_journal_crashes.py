"""What every journal keeps of crashes, for later processes, and how much of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest
import trio
import trio.testing

from greenroom.actors.exit import crashed
from greenroom.delivery.crashes import CrashKeeper, CrashText, ReadCrash
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.inspection.as_json import ReportOrigin
from greenroom.testing.journal_conformance.claims.crashes import crash, kept
from tests.delivery.journal.journal_conformance import ALICE, DURABLE, OpenJournal, record

pytestmark = pytest.mark.requirement("R42")


@pytest.mark.parametrize("backend", DURABLE)
async def test_a_crash_survives_a_restart(backend: str, tmp_path: Path) -> None:
    open_journal: OpenJournal = DURABLE[backend]
    async with open_journal(tmp_path) as journal:
        await journal.append([crash()])
    async with open_journal(tmp_path) as journal:
        assert await journal.ask(ReadCrash("abcd2345")).wait() == crash()


async def test_a_journal_of_an_older_version_gets_the_table_when_it_is_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append([record(1)])
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TABLE crash")  # as the version before wrote it
    async with open_sqlite_journal(path) as journal:
        assert await kept(journal) == []
        await journal.append([crash()])
        assert await kept(journal) == ["abcd2345"]


async def test_an_export_has_the_crashes_also_those_of_no_user(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append([crash(), crash("efgh", user=ALICE)])
    lines: list[bytes] = []
    export_journal(path, lines.append)
    assert any(b'"report":{"text":""}' in line for line in lines)
    import_journal(copy, lines)
    async with open_sqlite_journal(copy) as journal:
        assert await journal.ask(ReadCrash("abcd2345")).wait() == crash()
        assert await kept(journal) == ["abcd2345", "efgh"]
    with closing(apsw.Connection(str(copy))) as database:
        assert list(check(database)) == []


async def test_a_crash_whose_keeping_is_cut_off_is_kept_at_the_end() -> None:
    """A server that stops while the report is made into JSON would lose it."""
    journal = MemoryJournal()
    log = CrashLog()
    keeper = CrashKeeper(log, journal, ReportOrigin("host:7", 1.0), CrashText())
    log.record("root", "a", crashed(ValueError("boom")))
    keeper.crashed()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.keep)
        await trio.testing.wait_all_tasks_blocked()  # a thread has the report
        nursery.cancel_scope.cancel()
    keeper.close()
    assert await kept(journal) == [each.id for each in log.reports()]
    await journal.aclose()
