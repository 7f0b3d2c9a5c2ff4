"""The SQLite journal's own promises: its file, its lock, its thread, and every way a disk fails."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import apsw
import attrs
import filelock
import pytest
import trio
import trio.testing

from greenroom.delivery.errors import (
    JournalBusy,
    JournalClosed,
    JournalCorrupt,
    JournalError,
    JournalFailed,
    JournalFull,
    JournalTooNew,
)
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.record import Bounds
from greenroom.delivery.journal.commits.thread import JournalThread
from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.file import WAL_PAGES
from greenroom.delivery.journal.sqlite.journal import SqliteJournal, open_sqlite_journal
from tests.delivery.journal.journal_conformance import (
    ALICE,
    SESSIONS,
    cursor,
    displayed,
    offset_of,
    record,
    records,
)

WRITER = "tests.delivery.journal.journal_writer_process"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal_file(path: Path) -> Path:
    """A journal of one record, closed."""

    async def make() -> None:
        async with open_sqlite_journal(path) as journal:
            await journal.append([record(1)])

    trio.run(make)
    return path


async def assert_refused(path: Path, error: type[JournalError], match: str) -> None:
    with pytest.raises(error, match=match):
        async with open_sqlite_journal(path):
            pass


async def assert_holds(path: Path, last: int) -> None:
    async with open_sqlite_journal(path) as journal:
        found = await journal.read(ALICE, after=0, limit=1_000_000, max_bytes=1_000_000_000)
        assert [r.offset for r in found] == list(range(1, last + 1))


def start_writer(path: Path) -> subprocess.Popen[str]:
    """A process that appends until killed, and prints every offset once it is durable."""
    return subprocess.Popen(
        [sys.executable, "-m", WRITER, path],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[4],
    )


# --- the file


async def test_the_file_says_what_it_is(path: Path) -> None:
    async with open_sqlite_journal(path, new_epoch=lambda: "epoch-1") as journal:
        assert journal.epoch == "epoch-1"
    with apsw.Connection(str(path)) as database:
        assert database.pragma("application_id") == sqlite_schema.APPLICATION_ID
        assert database.pragma("user_version") == sqlite_schema.VERSION
        assert database.pragma("journal_mode") == "wal"


async def test_every_commit_is_synced(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        assert journal._file.database.pragma("synchronous") == 2  # FULL


async def test_commits_of_events_fold_the_wal_seldom_also_after_a_step_of_retention(
    path: Path,
) -> None:
    async with open_sqlite_journal(path) as journal:
        assert journal._file.database.pragma("wal_autocheckpoint") == WAL_PAGES
        await journal.append(records(1, 3))
        await journal.sweep(Cutoffs(sessions_before=1), BEGINNING)
        assert journal._file.database.pragma("wal_autocheckpoint") == WAL_PAGES


async def test_closing_folds_the_wal_into_the_file(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        assert path.with_name("journal.db-wal").stat().st_size > 0
    assert not path.with_name("journal.db-wal").exists()
    await assert_holds(path, 3)


async def test_folding_beside_the_writer_leaves_nothing_in_the_wal(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        assert journal._file.watch.unfolded > 0
        await trio.to_thread.run_sync(journal._file.fold)
        assert journal._file.watch.unfolded == 0
        await journal.append(records(4, 6))
    await assert_holds(path, 6)


async def test_log_numbers_are_never_given_twice(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        await journal.trim(ALICE, through=3)
        await journal.append(records(4, 4))
        assert journal._file.database.execute("SELECT number FROM log").get == 4


async def test_an_entry_that_cannot_be_kept_takes_its_batch_with_it(path: Path) -> None:
    unkeepable = attrs.evolve(displayed(1), verdict=cast(JSON, object()))
    async with open_sqlite_journal(path) as journal:
        with pytest.raises(TypeError, match="not JSON serializable"):
            await journal.append([record(1), cursor(1), unkeepable])
        assert await journal.bounds(ALICE) == Bounds(0, 0)
        await journal.append([record(1)])
    await assert_holds(path, 1)


# --- who may open it


async def test_a_second_opening_is_refused_and_told_who_has_it(path: Path) -> None:
    async with open_sqlite_journal(path):
        await assert_refused(path, JournalBusy, "this process has .*journal.db open")
    await assert_holds(path, 0)


async def test_another_process_is_named_by_pid_and_a_kill_frees_the_journal(path: Path) -> None:
    with start_writer(path) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        await assert_refused(path, JournalBusy, f"process {writer.pid} has")
        writer.send_signal(signal.SIGKILL)
    async with open_sqlite_journal(path) as journal:
        assert (await journal.bounds(ALICE)).last >= 1


async def test_a_program_that_locks_the_file_makes_it_busy_not_broken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.delivery.journal.sqlite.file.BUSY_TIMEOUT_MS", 1)
    async with open_sqlite_journal(path) as journal:
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalBusy, match="another program has locked"):
            await journal.append([record(1)])
        other.close()
        await journal.append([record(1)])


async def test_a_path_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    await assert_refused(tmp_path, JournalFailed, "is a directory")


async def test_a_missing_directory_is_not_made(tmp_path: Path) -> None:
    await assert_refused(tmp_path / "typo" / "j.db", JournalFailed, "there is no directory .*typo")
    assert not (tmp_path / "typo").exists()


def test_a_file_that_is_no_database_is_corrupt_and_left_alone(path: Path) -> None:
    garbage = b"once upon a time " * 1_000
    path.write_bytes(garbage)
    trio.run(assert_refused, path, JournalCorrupt, "is not a journal or is damaged")
    assert path.read_bytes() == garbage
    assert list(path.parent.iterdir()) == [path], "not even a lock beside it"


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE recipes (name)")
    database.close()
    before = path.read_bytes()
    trio.run(assert_refused, path, JournalCorrupt, "not a journal .*a path of its own")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path], "not even a lock beside it"


@pytest.mark.parametrize("age", ["just made", "in use"])
async def test_a_journal_whose_process_was_killed_is_told_from_another_programs_file(
    path: Path, age: str
) -> None:
    """Killed at once it has an empty first page, and the rest in its WAL."""
    copy = path.with_name("killed.db")
    async with open_sqlite_journal(path) as journal:
        if age == "in use":
            await journal.append(records(1, 2_000))
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{copy}{end}")
        epoch = journal.epoch
    async with open_sqlite_journal(copy) as again:
        assert again.epoch == epoch


async def test_who_waits_for_a_journal_is_not_told_that_it_is_damaged_amid_a_checkpoint(
    path: Path,
) -> None:
    """A checkpoint writes the first page first: it counts pages that are not there yet."""
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 2_000))
    os.truncate(path, 2 * 4096)
    with filelock.FileLock(f"{path}.lock"):
        await assert_refused(path, JournalBusy, "has .* open")
    await assert_refused(path, JournalCorrupt, "is damaged")


@pytest.mark.parametrize("header", [b"SQLite format 3\0", b"SQLite format 4\0" + bytes(100), b"\0"])
def test_what_only_begins_like_a_journal_is_none(path: Path, header: bytes) -> None:
    path.write_bytes(header)
    trio.run(assert_refused, path, JournalCorrupt, "is not a journal or is damaged")
    assert list(path.parent.iterdir()) == [path], "not even a lock beside it"


def test_a_newer_schema_is_refused(journal_file: Path) -> None:
    with apsw.Connection(str(journal_file)) as database:
        database.pragma("user_version", 99)
    trio.run(assert_refused, journal_file, JournalTooNew, "has schema version 99")


def test_a_journal_without_an_epoch_is_refused_and_unlocked(journal_file: Path) -> None:
    with apsw.Connection(str(journal_file)) as database:
        database.execute("DELETE FROM meta")
    trio.run(assert_refused, journal_file, JournalCorrupt, "has no epoch")
    trio.run(assert_refused, journal_file, JournalCorrupt, "has no epoch")


def test_a_damaged_page_is_told_when_it_is_read(journal_file: Path) -> None:
    async def fill() -> None:
        async with open_sqlite_journal(journal_file) as journal:
            await journal.append(records(2, 2_000))

    trio.run(fill)
    damaged = bytearray(journal_file.read_bytes())
    damaged[3 * 4096 :] = b"\xa5" * (len(damaged) - 3 * 4096)
    journal_file.write_bytes(damaged)

    async def read() -> None:
        async with open_sqlite_journal(journal_file) as journal:
            await journal.read(ALICE, after=0, limit=5_000, max_bytes=1_000_000)

    with pytest.raises(JournalCorrupt, match="damaged"):
        trio.run(read)


OPEN_AS_NOBODY = """
import os, sys, trio
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal

async def main():
    async with open_sqlite_journal(sys.argv[1]):
        pass

if os.getuid() == 0:  # root may write anything
    os.setuid(65534)
trio.run(main)
"""


@pytest.mark.parametrize(("file_mode", "directory_mode"), [(0o444, 0o777), (0o666, 0o555)])
def test_a_place_that_may_not_be_written_is_told(
    journal_file: Path, file_mode: int, directory_mode: int
) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, "journal.db")
        shutil.copyfile(journal_file, path)
        path.chmod(file_mode)
        path.parent.chmod(directory_mode)
        opened = subprocess.run(
            [sys.executable, "-c", OPEN_AS_NOBODY, path],
            capture_output=True,
            text=True,
            check=False,
        )
        path.parent.chmod(0o700)
    assert "JournalReadOnly" in opened.stderr
    assert "is not writable" in opened.stderr


# --- a full disk


async def test_a_full_disk_refuses_whole_batches_and_recovers(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
        database = journal._file.database
        database.pragma("max_page_count", database.pragma("page_count"))
        with pytest.raises(JournalFull, match="no room on the disk") as full:
            await journal.append([*records(4, 1_003), cursor(3)])
        assert full.value.temporary
        assert await journal.bounds(ALICE) == Bounds(1, 3)
        assert await offset_of(journal, SESSIONS[0]) is None
        database.pragma("max_page_count", 1_000_000)
        await journal.append(records(4, 1_003))
    await assert_holds(path, 1_003)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root and the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


async def test_a_really_full_disk_keeps_what_it_accepted_and_goes_on(small_disk: Path) -> None:
    path, ballast = small_disk / "journal.db", small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    async with open_sqlite_journal(path) as journal:
        last = await fill_up(journal)
        assert await journal.bounds(ALICE) == Bounds(1, last)
        ballast.unlink()
        await journal.append([record(last + 1, body=bytes(1_000))])
    await assert_holds(path, last + 1)


async def test_no_journal_can_be_made_on_a_full_disk_and_the_error_says_so(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    fill_with(ballast)
    path = small_disk / "journal.db"
    await assert_refused(path, JournalFull, "no room on the disk")
    ballast.unlink()
    await assert_holds(path, 0)


async def test_a_journal_on_a_full_disk_cannot_be_opened_until_there_is_room(
    small_disk: Path,
) -> None:
    path, ballast = small_disk / "journal.db", small_disk / "ballast"
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 3))
    fill_with(ballast)
    await assert_refused(path, JournalFull, "no room on the disk")
    ballast.unlink()
    await assert_holds(path, 3)


def fill_with(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


async def fill_up(journal: SqliteJournal) -> int:
    """Append until the disk is full; the last offset that was accepted."""
    for offset in count(1):
        try:
            await journal.append([record(offset, body=bytes(1_000))])
        except JournalFull:
            return offset - 1
    raise AssertionError("count() never ends")


# --- a killed process


def test_every_append_that_returned_is_there_after_a_kill(path: Path) -> None:
    for _ in range(6):
        with start_writer(path) as writer:
            assert writer.stdout is not None
            told = [int(writer.stdout.readline()) for _ in range(25)]
            writer.kill()
            told += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
        trio.run(assert_continues, path, told[-1])


async def assert_continues(path: Path, told: int) -> None:
    async with open_sqlite_journal(path) as journal:
        last = (await journal.bounds(ALICE)).last
        assert last >= told
        found = await journal.read(ALICE, after=0, limit=1_000_000, max_bytes=1_000_000_000)
        assert [r.offset for r in found] == list(range(1, last + 1))
        assert last % 3 == 0, "the writer appends three at a time: all or nothing"


# --- the thread


async def test_a_cancelled_append_still_completes(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        async with trio.open_nursery() as nursery:
            held = hold(journal, nursery)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(journal.append, records(1, 2))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        held.set()
        assert await journal.bounds(ALICE) == Bounds(1, 2)


async def test_an_append_cancelled_before_it_began_is_not_made(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        with trio.CancelScope() as scope:
            scope.cancel()
            await journal.append([record(1)])
        assert await journal.bounds(ALICE) == Bounds(0, 0)


async def test_closing_finishes_what_was_accepted(path: Path) -> None:
    async with open_sqlite_journal(path) as journal, trio.open_nursery() as nursery:
        held = hold(journal, nursery)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(journal.append, records(1, 2))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(journal.aclose)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(JournalClosed):
            await journal.append(records(3, 4))
        held.set()
    await assert_holds(path, 2)


async def test_cancelling_the_block_still_closes_and_unlocks(path: Path) -> None:
    with trio.CancelScope() as scope:
        async with open_sqlite_journal(path) as journal:
            await journal.append([record(1)])
            scope.cancel()
            await trio.lowlevel.checkpoint()
    await assert_holds(path, 1)


async def test_callers_beyond_the_capacity_wait_and_are_told_of_a_closing(path: Path) -> None:
    refused: list[JournalClosed] = []

    async def append_late(journal: SqliteJournal) -> None:
        try:
            await journal.append(records(1, 1))
        except JournalClosed as error:
            refused.append(error)

    async with open_sqlite_journal(path, capacity=1) as journal, trio.open_nursery() as nursery:
        held = hold(journal, nursery)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(append_late, journal)
        nursery.start_soon(append_late, journal)
        await trio.testing.wait_all_tasks_blocked()
        assert journal.statistics().waiting == 1
        nursery.start_soon(journal.aclose)
        await trio.testing.wait_all_tasks_blocked()
        held.set()
    assert len(refused) == 2
    await assert_holds(path, 0)


def test_a_trio_run_that_died_ends_the_thread_after_what_was_queued() -> None:
    release = threading.Event()
    done: list[str] = []
    threads: list[JournalThread] = []

    async def abandon() -> None:
        threads.append(JournalThread(capacity=8))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(threads[0].call, release.wait)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(threads[0].call, lambda: done.append("queued"))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    trio.run(abandon)
    release.set()
    threads[0]._thread.join(timeout=10)
    assert not threads[0]._thread.is_alive()
    assert done == ["queued"]


def hold(journal: SqliteJournal, nursery: trio.Nursery) -> threading.Event:
    """Keep the journal's thread busy until the event is set."""
    release = threading.Event()
    nursery.start_soon(journal._thread.call, release.wait)
    return release
