"""Retention in a file: space given back, older files, and a process that is killed meanwhile."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import apsw
import attrs
import pytest
import trio

from greenroom.delivery.events.ids import IdSource, SessionId, UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.record import Mark, Settled
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs, Swept, SweptTo
from greenroom.delivery.journal.retention.sqlite_sweeper import SPARE_PAGES, SqliteSweeper
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.file import open_file
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_compaction import compact
from greenroom.delivery.upkeep.journal_upkeep import open_for_upkeep
from greenroom.testing.faulty_disk import DiskFault, FaultyDisk, open_faulty_disk
from tests.delivery.journal.journal_conformance import ALICE, cursor, record, records
from tests.delivery.journal.retention.sweeping_writer_process import KEPT, USERS

# the file system is what these tests are about

pytestmark = pytest.mark.requirement("R48")
IDS = IdSource()
HERE, ROOT = Path(__file__).parent, Path(__file__).parents[4]
ALL = Cutoffs(events_before=1 << 60)


async def sweep(journal: Journal, cutoffs: Cutoffs = ALL) -> list[Swept]:
    steps: list[Swept] = []
    place: SweptTo | None = BEGINNING
    while place is not None:
        steps.append(await journal.sweep(cutoffs, place))
        place = steps[-1].next
    return steps


def flaws(path: Path) -> list[str]:
    """Those of the file and its tables; the bodies of these events are no events."""
    with open_for_upkeep(path) as file:
        return [flaw for flaw in check(file.database) if "its body" not in flaw]


def pragma(path: Path, name: str) -> object:
    with closing(apsw.Connection(str(path))) as database:
        return database.pragma(name)


async def test_a_file_gives_its_free_pages_back_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    large = [record(offset, body=b"x" * 100_000) for offset in range(1, 201)]
    async with open_sqlite_journal(path) as journal:
        await journal.append([*large, *[Settled(ALICE, each, 200) for each in EventClass]])
        steps = await sweep(journal)
        assert sum(step.events for step in steps) == 200
        assert sum(step.pages for step in steps) > 2_000
        assert max(step.pages for step in steps) < 2_000, "a step is short"
        await journal.append(records(201, 220))
        await trio.to_thread.run_sync(journal._file.fold)  # as the next 4,000 pages would
        journal._look()  # whoever cuts a file short is noticed: this was ourselves
        assert path.stat().st_size < 2 * SPARE_PAGES * 4096
        assert journal.statistics().free_bytes <= SPARE_PAGES * 4096
        assert journal.statistics().trouble == ""
        assert [
            each.offset for each in await journal.read(ALICE, after=0, limit=99, max_bytes=9999)
        ]
    assert flaws(path) == []


async def test_a_file_of_the_version_before_is_swept_and_compact_makes_it_shrink(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(gzip.decompress((HERE / "made_before_retention.db.gz").read_bytes()))
    path.chmod(0o600)
    assert pragma(path, "auto_vacuum") == 0
    async with open_sqlite_journal(path) as journal:
        assert journal.epoch == "before-retention"
        before = await journal.bounds(UserId("bob"))
        steps = await sweep(journal)
        assert sum(step.events for step in steps) == 24 + 30, "what has its outcome"
        assert sum(step.pages for step in steps) == 0, "its pages are used again"
        assert (await journal.bounds(UserId("bob"))).last == before.last
        assert await journal.open_runs(ALICE) != []
    assert compact(path, before_ms=1 << 60, keep=1_000).sessions == 2
    assert pragma(path, "auto_vacuum") == 2
    assert flaws(path) == []


async def test_a_step_is_put_off_if_a_commit_is_about_to_be_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        await journal.append([*records(1, 9), *[Settled(ALICE, each, 9) for each in EventClass]])
        monkeypatch.setattr(journal._thread, "work_now", lambda: 0.0001)
        assert await journal.sweep(ALL, BEGINNING) == Swept(BEGINNING)
        monkeypatch.undo()
        assert (await journal.sweep(ALL, BEGINNING)).events == 9


@attrs.frozen
class WithoutSyncs:
    """A sweeper during whose steps the disk syncs nothing."""

    sweeper: SqliteSweeper
    disk: FaultyDisk

    def sweep(self, cutoffs: Cutoffs, place: SweptTo, seconds: float) -> Swept:
        self.disk.fault = DiskFault.UNSYNCED
        try:
            return self.sweeper.sweep(cutoffs, place, seconds)
        finally:
            self.disk.fault = None


async def test_no_step_waits_for_the_disk_not_even_the_first_after_the_wal_is_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_faulty_disk() as disk:
        async with open_sqlite_journal(tmp_path / "journal.db") as journal:
            await journal.append(
                [*records(1, 9), *[Settled(ALICE, each, 9) for each in EventClass]]
            )
            await trio.to_thread.run_sync(journal._file.fold)
            monkeypatch.setattr(journal, "_sweeper", WithoutSyncs(journal._sweeper, disk))
            assert (await journal.sweep(ALL, BEGINNING)).events == 9
            monkeypatch.undo()


def test_a_step_begins_nothing_more_once_its_time_is_over(tmp_path: Path) -> None:
    ticks = iter(range(1_000))
    with closing(open_file(tmp_path / "journal.db", new_epoch=lambda: "epoch")) as file:
        store = SqlStore(file.database)
        store.append([*records(1, 200), *[Settled(ALICE, each, 200) for each in EventClass]])
        sweeper = SqliteSweeper(file.database, store, clock=lambda: next(ticks))
        step = sweeper.sweep(ALL, BEGINNING, 3)
        assert 0 < step.events < 100
        assert step.next == BEGINNING
        assert file.database.pragma("synchronous") == 2, "commits are synced again"


@pytest.mark.parametrize(("sessions", "events"), [(0, 16), (100, 1)])
def test_events_with_many_marks_are_forgotten_a_few_at_a_time(
    sessions: int, events: int, tmp_path: Path
) -> None:
    ticks = iter(range(1_000))
    with closing(open_file(tmp_path / "journal.db", new_epoch=lambda: "epoch")) as file:
        store = SqlStore(file.database)
        store.append([*records(1, 200), *[Settled(ALICE, each, 200) for each in EventClass]])
        for session in [IDS.new(SessionId) for _ in range(sessions)]:
            confirmed = partial(Mark, ALICE, session, verdict=True, note=None, at=0)
            store.append([confirmed(offset, "confirmed") for offset in range(1, 201)])
            store.append([confirmed(offset, "displayed") for offset in range(1, 201)])
        sweeper = SqliteSweeper(file.database, store, clock=lambda: next(ticks))
        assert sweeper.sweep(ALL, BEGINNING, 2).events == events


@pytest.fixture
def sweeping(tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.delivery.journal.retention.sweeping_writer_process"]
        return subprocess.Popen(
            [*command, str(tmp_path / "journal.db")], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    return start


@pytest.mark.requirement("R20")
async def test_a_kill_amid_retention_loses_nothing_but_what_was_due(
    tmp_path: Path, sweeping: Callable[[], subprocess.Popen[str]]
) -> None:
    lasts: dict[str, int] = {}
    for life in range(5):
        with sweeping() as process:
            assert process.stdout is not None
            for number, line in enumerate(process.stdout):
                user, last = line.split()
                lasts[user] = int(last)
                if number > 150 + 37 * life:
                    process.kill()
        assert flaws(tmp_path / "journal.db") == []
    trimmed = 0
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        for each in USERS:
            bounds = await journal.bounds(each)
            assert bounds.last >= lasts[each]
            assert bounds.first <= max(1, bounds.last - KEPT + 1), "more is gone than was due"
            trimmed += bounds.first - 1
    assert trimmed > 0


async def test_compact_forgets_sessions_that_missed_nothing(tmp_path: Path) -> None:
    path, other = tmp_path / "journal.db", SessionId("sess_00000000000000000000000001")
    async with open_sqlite_journal(path) as journal:
        await journal.append([*records(1, 4), cursor(2), cursor(4, session=other)])
        await journal.append([Settled(ALICE, each, 3) for each in EventClass])
    assert compact(path, keep=1_000).sessions == 0, "no age was given"
    done = compact(path, before_ms=100, keep=1_000)
    assert (done.forgotten, done.sessions) == (0, 1)
    async with open_sqlite_journal(path) as journal:
        assert await journal.cursor(ALICE, other) is not None
