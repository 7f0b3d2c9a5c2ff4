"""What every journal keeps of crashes, for later processes, and how much of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest
import trio
import trio.testing

from greenroom.actors.exit import crashed
from greenroom.delivery.crashes import CrashKeeper, CrashText, ReadCrash, ReadCrashes
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import CRASH_BYTES, CRASHES_KEPT, KeptCrash
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.inspection.as_json import ReportOrigin
from tests.delivery.journal.journal_conformance import ALICE, BOB, DURABLE, OpenJournal, record

pytestmark = pytest.mark.requirement("R42")


def crash(name: str = "abcd2345", *, user: UserId | None = None, size: int = 0) -> KeptCrash:
    report = f'{{"text":"{"x" * size}"}}'
    return KeptCrash(user, name, 5, "host:7", 1, '{"path":"root/a"}', report)


async def kept(journal: Journal) -> list[str]:
    return [each.crash for each in await journal.ask(ReadCrashes()).wait()]


async def test_a_crash_is_found_by_its_id_and_listed_without_its_report(journal: Journal) -> None:
    first, second = crash(), crash("efgh", user=ALICE)
    await journal.append([first, second])
    await journal.append([first])  # as a server does that is not sure of the first time
    assert await journal.ask(ReadCrash("efgh")).wait() == second
    assert await journal.ask(ReadCrash("nope")).wait() is None
    listed = await journal.ask(ReadCrashes()).wait()
    assert [(each.crash, each.user, each.report) for each in listed] == [
        ("abcd2345", None, ""),
        ("efgh", ALICE, ""),
    ]


async def test_the_newest_crashes_are_kept(journal: Journal) -> None:
    await journal.append([crash(str(number)) for number in range(CRASHES_KEPT + 2)])
    assert await kept(journal) == [str(number) for number in range(2, CRASHES_KEPT + 2)]


async def test_the_reports_that_are_kept_are_bounded_in_bytes(journal: Journal) -> None:
    for number in range(6):
        await journal.append([crash(str(number), size=CRASH_BYTES // 4)])
    assert await kept(journal) == ["3", "4", "5"]


async def test_erasing_a_user_erases_the_users_crashes(journal: Journal) -> None:
    await journal.append([record(1), crash(), crash("a", user=ALICE), crash("b", user=BOB)])
    while await journal.erase_user_soon(ALICE).wait():
        pass
    assert await kept(journal) == ["abcd2345", "b"]


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
