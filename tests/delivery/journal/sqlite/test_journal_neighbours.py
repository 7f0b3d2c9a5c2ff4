"""Who else opens a journal, by whatever name, and who removes it: nothing accepted is lost."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import apsw
import pytest
import trio

from greenroom.delivery.errors import JournalBusy, JournalFailed, JournalLost
from greenroom.delivery.journal.sqlite.file import open_file
from greenroom.delivery.journal.sqlite.journal import SqliteJournal, open_sqlite_journal
from greenroom.delivery.journal.sqlite.place import check_kind
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.upkeep.journal_compaction import compact
from greenroom.delivery.upkeep.journal_upkeep import open_for_upkeep
from greenroom.testing.neighbour import MEDDLING, Neighbour
from tests.delivery.journal.journal_conformance import ALICE, record, records

# ruff: noqa: ASYNC240  # the file system is what these tests are about

COUNT = "SELECT count(*) FROM log"
ROOT = Path(__file__).parents[4]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = tmp_path / "journals"
    directory.mkdir()
    return directory / "journal.db"


async def assert_refused(path: Path, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        async with open_sqlite_journal(path):
            pass


def copy_as_after_a_power_cut(path: Path, to: Path) -> None:
    """What is on the disk at this moment, without what a process that lives on would still do."""
    for suffix in ("", "-wal"):
        if (file := Path(f"{path}{suffix}")).exists():
            shutil.copy(file, f"{to}{suffix}")


# --- other programs that open it


Meeting = Callable[[Path], object]
MEETINGS: dict[str, list[Meeting]] = {
    "another library": [lambda path: Neighbour(path).ask_here(COUNT)],
    "another process": [lambda path: Neighbour(path).ask_elsewhere(COUNT)],
    "a reader of ours": [lambda path: JournalReader(path).last_number()],
    "a copy": [lambda path: Neighbour(path).read_raw()],
    "a copy, then another process": [
        lambda path: Neighbour(path).read_raw(),
        lambda path: Neighbour(path).ask_elsewhere(COUNT),
    ],
    "another library, then another process": [
        lambda path: Neighbour(path).ask_here(COUNT),
        lambda path: Neighbour(path).ask_elsewhere(COUNT),
    ],
}


@pytest.mark.fault("D1")
@pytest.mark.parametrize("meetings", MEETINGS.values(), ids=MEETINGS.keys())
async def test_whoever_opens_and_closes_the_journal_takes_nothing_from_its_writer(
    meetings: list[Meeting], path: Path, tmp_path: Path
) -> None:
    after = tmp_path / "after.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 50))
        for meet in meetings:
            meet(path)
        assert Path(f"{path}-wal").exists()
        await journal.append(records(51, 100))
        for meet in meetings:
            meet(path)
        copy_as_after_a_power_cut(path, after)
    async with open_sqlite_journal(after) as journal:
        assert (await journal.bounds(ALICE)).last == 100


@pytest.mark.fault("D1")
async def test_a_second_opening_in_this_process_is_refused_and_leaves_the_locks(
    path: Path, tmp_path: Path
) -> None:
    link, after = tmp_path / "link.db", tmp_path / "after.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 50))
        os.link(path, link)
        for name in (path, link):
            await assert_refused(name, JournalBusy, "open")
            check_kind(name)
        Neighbour(path).ask_elsewhere(COUNT)
        await journal.append(records(51, 100))
        copy_as_after_a_power_cut(path, after)
    async with open_sqlite_journal(after) as journal:
        assert (await journal.bounds(ALICE)).last == 100


EMPTY_INDEX = """
import fcntl, os, sys
index = os.open(sys.argv[1], os.O_RDWR)
try:
    fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
except (BlockingIOError, PermissionError):
    print("in use")
else:
    print("mine to empty")
"""
"""Who gets this lock is the first to open it, and empties it: unixLockSharedMemory in os_unix.c."""


@pytest.mark.fault("D1")
async def test_no_process_takes_the_index_for_unused_after_another_library_has_closed_it(
    path: Path,
) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        Neighbour(path).ask_here(COUNT)
        command = [sys.executable, "-c", EMPTY_INDEX, f"{path}-shm"]
        told = await trio.run_process(command, capture_stdout=True)
    assert told.stdout == b"in use\n"


@pytest.mark.fault("D1")
async def test_after_other_libraries_have_looked_the_last_close_still_folds_the_wal(
    path: Path,
) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        Neighbour(path).ask_here(COUNT)
    assert not Path(f"{path}-wal").exists()
    compact(path, keep=1)
    with open_for_upkeep(path) as file:
        assert file.database.execute(COUNT).get == 1


WITHOUT_LOCKS = """
import fcntl
del fcntl.F_OFD_SETLK  # as on systems other than Linux
import os, sys, trio
from greenroom.delivery.errors import JournalLost
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.testing.neighbour import Neighbour
from tests.delivery.journal.journal_conformance import records

async def main():
    async with open_sqlite_journal(sys.argv[1]) as journal:
        await journal.append(records(1, 50))
        Neighbour(sys.argv[1]).ask_here("SELECT count(*) FROM log")
        Neighbour(sys.argv[1]).ask_elsewhere("SELECT count(*) FROM log")
        try:
            await journal.append(records(51, 100))
        except JournalLost as error:
            print("refused:", error.message)
        else:
            print("accepted")
        sys.stdout.flush()
        os._exit(0)

trio.run(main)
"""


@pytest.mark.fault("D1")
def test_where_there_are_no_such_locks_an_append_is_kept_or_refused(path: Path) -> None:
    asked = [sys.executable, "-c", WITHOUT_LOCKS, str(path)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=ROOT)
    told, kept = done.stdout, int(Neighbour(path).ask_elsewhere(COUNT))
    if told.startswith("accepted"):
        assert kept == 100
    elif done.returncode == -signal.SIGBUS:  # the neighbour emptied the -shm in that very moment
        assert kept >= 50
    else:
        assert told.startswith(f"refused: {path}-wal was"), done.stderr
        assert kept >= 50


# --- other names


@contextmanager
def symlink(path: Path, other: Path) -> Iterator[None]:
    other.symlink_to(path)
    yield


@contextmanager
def hard_link(path: Path, other: Path) -> Iterator[None]:
    os.link(path, other)
    yield


@contextmanager
def bind_mount(path: Path, other: Path) -> Iterator[None]:
    other.touch()
    mount = ["mount", "--bind", str(path), str(other)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root and the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", str(other)], check=True)


NAMES = [symlink, hard_link, bind_mount]
OPEN = """
import sys, trio
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal

async def main():
    async with open_sqlite_journal(sys.argv[1]):
        print("opened")

trio.run(main)
"""


def open_elsewhere(path: Path) -> str:
    """What another process says that opens it: `opened`, or its error."""
    command = [sys.executable, "-c", OPEN, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.fault("D3")
@pytest.mark.parametrize("named", NAMES)
async def test_a_journal_has_one_writer_by_whatever_name_it_is_opened(
    named: Callable[[Path, Path], Iterator[None]], path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        with named(path, other):  # type: ignore[attr-defined]  # a context manager
            assert "opened" not in open_elsewhere(other).splitlines()
            with pytest.raises((JournalBusy, JournalFailed)):
                async with open_sqlite_journal(other):
                    pass
        await journal.append(records(4, 6))
    async with open_sqlite_journal(path) as journal:
        assert (await journal.bounds(ALICE)).last == 6


@pytest.mark.fault("D3")
async def test_by_a_symlink_the_wal_and_the_lock_are_beside_the_journal(
    path: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    async with open_sqlite_journal(link) as journal:
        await journal.append(records(1, 3))
        assert {each.name for each in path.parent.iterdir()} == {
            path.name + suffix for suffix in ("", "-wal", "-shm", ".lock")
        }
        assert journal.statistics().bytes > Path(f"{path}-wal").stat().st_size > 0
        assert JournalReader(link).last_number() == 3


@pytest.mark.fault("D3")
async def test_more_names_than_one_are_warned_about(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append([record(1)])
    os.link(path, tmp_path / "other.db")
    async with open_sqlite_journal(path):
        assert f"{path} has 2 names (hard links)" in caplog.text


@pytest.mark.fault("D3")
async def test_a_journal_that_is_mounted_alone_is_refused(path: Path, tmp_path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append([record(1)])
    other = tmp_path / "mount \u00e9.db"
    with bind_mount(path, other):
        await assert_refused(other, JournalFailed, "mounted as a single file")
    async with open_sqlite_journal(path):
        pass


# --- files that go away


async def until_lost(journal: SqliteJournal) -> None:
    with trio.fail_after(30):
        while not journal.statistics().trouble:  # noqa: ASYNC110  # the journal's thread finds it
            await trio.sleep(0.01)
    assert journal.statistics().trouble == "the journal was removed or changed by another program"


@pytest.mark.fault("D4")
@pytest.mark.parametrize("meddle", MEDDLING.values(), ids=MEDDLING.keys())
async def test_no_append_is_answered_for_once_the_files_are_gone_or_changed(
    meddle: Callable[[Neighbour], object], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        meddle(Neighbour(path))
        for _ in range(2):
            with pytest.raises(JournalLost, match=r"was (removed|replaced|cut short)") as lost:
                await journal.append(records(4, 6))
            assert "restore a backup" in str(lost.value)
        with pytest.raises(JournalLost):
            await journal.bounds(ALICE)
        await until_lost(journal)
    critical = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert str(path) in critical[0].getMessage()


@pytest.mark.fault("D4")
@pytest.mark.parametrize("kept", [0, 0.5, -4096, -100], ids=str)
def test_a_wal_that_is_cut_short_amid_a_commit_is_noticed_though_it_is_as_long_again(
    kept: float, path: Path
) -> None:
    file = open_file(path, new_epoch=lambda: "an epoch")
    try:
        wal = f"{path}-wal"
        for name in ("before", "amid"):
            file.watch.check()
            size = os.path.getsize(wal)
            if name == "amid":
                os.truncate(wal, int(size + kept if kept < 0 else size * kept))
            file.database.execute("INSERT INTO meta VALUES (?, ?)", (name, "x" * 5_000))
            assert os.path.getsize(wal) > size
        with pytest.raises(JournalLost, match="cut short"):
            file.watch.check()
    finally:
        file.close()


@pytest.mark.fault("D4")
@pytest.mark.parametrize("place", [0, 1])
def test_a_wal_that_is_cut_short_amid_a_check_is_noticed_before_the_next_commit_is_answered_for(
    place: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`place`: before which of the reads of the check."""
    file = open_file(path, new_epoch=lambda: "an epoch")
    reads = count()

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if next(reads) == place:
            os.truncate(f"{path}-wal", 0)
        return read(descriptor, size, offset)

    def commit_and_check() -> None:
        file.watch.check()
        file.database.execute("INSERT INTO meta VALUES ('a', ?)", ("x" * 5_000,))
        file.watch.check()

    try:
        read = os.pread
        monkeypatch.setattr(os, "pread", pread)
        with pytest.raises(JournalLost, match="cut short"):
            commit_and_check()
    finally:
        file.close()


@pytest.mark.fault("D4")
@pytest.mark.parametrize("meddle", MEDDLING.values(), ids=MEDDLING.keys())
async def test_an_idle_journal_notices_by_itself(
    meddle: Callable[[Neighbour], object], path: Path
) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        meddle(Neighbour(path))
        await until_lost(journal)


def fold(journal: SqliteJournal) -> None:
    journal._file.database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
    journal._look()


@pytest.mark.fault("D4")
@pytest.mark.parametrize("grown", [False, True])
async def test_a_copy_over_a_journal_that_is_written_is_noticed(
    grown: bool, path: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 500))
    shutil.copy(path, backup)
    if grown:
        async with open_sqlite_journal(backup) as journal:
            await journal.append(records(501, 5_000))
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(501, 3_000))
        await journal._thread.call(lambda: fold(journal))
        Neighbour(path).overwrite(backup)
        await until_lost(journal)


@pytest.mark.fault("D4")
async def test_a_symlink_that_leads_elsewhere_now_is_noticed(path: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "link.db", tmp_path / "other.db"
    link.symlink_to(path)
    other.touch()
    async with open_sqlite_journal(link) as journal:
        await journal.append([record(1)])
        link.unlink()
        link.symlink_to(other)
        with pytest.raises(JournalLost, match="was replaced by another file"):
            await journal.append([record(2)])


@pytest.mark.fault("D4")
async def test_what_took_the_place_of_a_lost_journal_is_left_alone(
    path: Path, tmp_path: Path
) -> None:
    restored = tmp_path / "restored.db"
    async with open_sqlite_journal(restored) as journal:
        await journal.append(records(1, 9))
        copy_as_after_a_power_cut(restored, tmp_path / "copy.db")
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        for suffix in ("", "-wal"):
            Path(f"{tmp_path / 'copy.db'}{suffix}").replace(f"{path}{suffix}")
        with pytest.raises(JournalLost):
            await journal.append([record(4)])
    async with open_sqlite_journal(path) as journal:
        assert (await journal.bounds(ALICE)).last == 9


@pytest.mark.fault("D4")
async def test_what_other_programs_may_do_is_not_taken_for_a_loss(path: Path) -> None:
    """Read, fold the WAL, empty it, change the file's time and permissions."""
    async with open_sqlite_journal(path) as journal:
        for first in range(1, 2_000, 100):
            await journal.append(records(first, first + 99))
            for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE"):
                Neighbour(path).ask_here(f"PRAGMA wal_checkpoint({mode})")
            path.touch()
            await journal._thread.call(journal._look)
        Neighbour(path).ask_elsewhere("PRAGMA wal_checkpoint(TRUNCATE)")
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        await journal.append(records(2_001, 2_100))
        await journal._thread.call(journal._look)
        assert journal.statistics().trouble == ""
    with closing(apsw.Connection(str(path))) as database:
        assert database.execute(COUNT).get == 2_100
