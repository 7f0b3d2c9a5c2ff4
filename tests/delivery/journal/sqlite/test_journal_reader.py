"""The reader beside a running server, beside a dead one, and with permission to read only."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest
import trio

from greenroom.delivery.errors import JournalCorrupt, JournalFailed, JournalTooNew
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.journal.sql.reader import CHUNK, ReadTo
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.journal.sqlite.reader import JournalReader
from tests.delivery.journal.journal_conformance import ALICE, BOB, THREADS, record, records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def offsets(reader: JournalReader, **filters: object) -> list[int]:
    return [found.record.offset for found in reader.read(**filters)]  # type: ignore[arg-type]  # each test gives the right ones


async def make_journal(path: Path, last: int = 3) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, last))


async def test_it_reads_what_a_running_server_has_committed(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        given = [record(1), record(1, user=BOB), record(2)]
        await journal.append(given)
        reader = JournalReader(path)
        assert [found.record for found in reader.read()] == given
        assert [found.number for found in reader.read()] == [1, 2, 3]
        assert reader.epoch() == journal.epoch
        assert reader.last_number() == 3


async def test_following_sees_each_record_once_even_over_a_trim(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        reader = JournalReader(path)
        await journal.append(records(1, 2))
        seen = list(reader.read())
        await journal.trim(ALICE, through=2)
        await journal.append(records(3, 4))
        seen += reader.read(after=seen[-1].number)
        assert [found.record.offset for found in seen] == [1, 2, 3, 4]
        assert list(reader.read(after=seen[-1].number)) == []


@pytest.mark.fault("D5")
@pytest.mark.parametrize("fresh", [0, 2, 9], ids=["not yet", "not as far", "further"])
async def test_following_over_a_restored_backup_goes_on_with_what_is_new(
    path: Path, fresh: int
) -> None:
    await make_journal(path, 3)
    backup = shutil.copy(path, path.with_name("backup.db"))
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(4, 8))
    reader = JournalReader(path)
    end = reader.end()
    assert (end.number, reader.agreed(end)) == (8, 8)
    shutil.copy(backup, path)
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(4, 3 + fresh))
        after = reader.agreed(end)
        assert [found.record.offset for found in reader.read(after=after)] == [*range(4, 4 + fresh)]


async def test_following_over_a_trim_goes_on_where_it_was(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        assert JournalReader(path).end() == ReadTo()
        await journal.append(records(1, 5))
        reader = JournalReader(path)
        end = reader.end()
        await journal.trim(ALICE, through=5)
        assert reader.agreed(end) == 5


async def test_it_filters_by_user_thread_and_kind(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(
            [
                record(1, kind=Kind.AGENT_STARTED),
                record(2, thread=THREADS[1]),
                record(1, user=BOB, thread=THREADS[2]),
                record(3, thread=THREADS[1], kind=Kind.FINAL_REPORT),
            ]
        )
    reader = JournalReader(path)
    assert offsets(reader, user=ALICE) == [1, 2, 3]
    assert offsets(reader, user=ALICE, after=2) == [3]
    assert offsets(reader, thread=THREADS[1]) == [2, 3]
    assert offsets(reader, kind=Kind.AGENT_STARTED) == [1]
    assert offsets(reader, user=ALICE, thread=THREADS[1], kind=Kind.FINAL_REPORT) == [3]
    assert offsets(reader, user=BOB, kind=Kind.FINAL_REPORT) == []


@pytest.mark.parametrize("user", [None, ALICE])
def test_it_reads_on_past_a_chunk_and_stops_at_its_limit(path: Path, user: object) -> None:
    trio.run(make_journal, path, 2 * CHUNK + 7)
    reader = JournalReader(path)
    everything = list(range(1, 2 * CHUNK + 8))
    assert offsets(reader, user=user) == everything
    assert offsets(reader, user=user, limit=CHUNK + 1) == everything[: CHUNK + 1]
    assert offsets(reader, user=user, limit=3, after=5) == [6, 7, 8]
    with pytest.raises(ValueError, match="1 or more"):
        offsets(reader, limit=0)


async def test_a_reader_half_way_holds_neither_the_writer_nor_the_wal(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 2))
        reading = JournalReader(path).read()
        next(reading)
        await journal.append(records(3, 4))
        database = journal._file.database
        done = await trio.to_thread.run_sync(
            lambda: database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        )
        assert done == (0, 0), "a snapshot still open would have kept frames in the WAL"


KILLED_WRITER = """
import os, sys, trio
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from tests.delivery.journal.journal_conformance import records

async def main():
    async with open_sqlite_journal(sys.argv[1]) as journal:
        await journal.append(records(1, 3))
        os.kill(os.getpid(), 9)

trio.run(main)
"""
READ_AS_NOBODY = """
import os, sys
from greenroom.delivery.journal.sqlite.reader import JournalReader

if os.getuid() == 0:  # root may read and write anything
    os.setuid(65534)
print([found.record.offset for found in JournalReader(sys.argv[1]).read()])
"""


def run(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[4],
    )


def test_it_reads_the_wal_a_killed_server_left_and_leaves_it(path: Path) -> None:
    run(KILLED_WRITER, path)
    wal = path.with_name("journal.db-wal")
    size = wal.stat().st_size
    assert offsets(JournalReader(path)) == [1, 2, 3]
    assert wal.stat().st_size == size > 0
    trio.run(continue_journal, path)


async def continue_journal(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(4, 4))


@pytest.mark.parametrize("killed", [True, False])
def test_permission_to_read_is_enough(path: Path, killed: bool) -> None:
    if killed:
        run(KILLED_WRITER, path)
    else:
        trio.run(make_journal, path)
    with TemporaryDirectory() as directory:
        for file in path.parent.glob("journal.db*"):
            shutil.copyfile(file, Path(directory, file.name))
            Path(directory, file.name).chmod(0o444)
        Path(directory).chmod(0o555)
        read = run(READ_AS_NOBODY, Path(directory, path.name))
        Path(directory).chmod(0o700)
    assert (read.stdout, read.stderr) == ("[1, 2, 3]\n", "")


async def test_permission_to_read_is_enough_beside_a_running_server() -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, "journal.db")
        async with open_sqlite_journal(path) as journal:
            await journal.append(records(1, 3))
            for file in path.parent.glob("journal.db*"):
                file.chmod(0o644)
            path.parent.chmod(0o755)
            read = await trio.to_thread.run_sync(run, READ_AS_NOBODY, path)
            assert (read.stdout, read.stderr) == ("[1, 2, 3]\n", "")
            await journal.append(records(4, 4))


def test_a_missing_file_is_told_and_not_made(path: Path) -> None:
    with pytest.raises(JournalFailed, match="there is no journal at"):
        JournalReader(path)
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"garbage" * 1_000])
def test_a_file_that_is_no_journal_is_told(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalCorrupt, match="not a journal"):
        JournalReader(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    trio.run(make_journal, path)
    with apsw.Connection(str(path)) as database:
        database.pragma("user_version", 99)
    with pytest.raises(JournalTooNew, match="has schema version 99"):
        JournalReader(path)
