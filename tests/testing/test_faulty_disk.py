"""The disk that fails on purpose: each fault is what SQLite meets, and it ends when it is over."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.testing import DiskFault, FaultyDisk, open_faulty_disk

pytestmark = pytest.mark.requirement("R41")

ROWS = "SELECT count(*) FROM numbers"
MORE = """
    WITH RECURSIVE numbered(number) AS (
        SELECT 1 UNION ALL SELECT number + 1 FROM numbered LIMIT 5000)
    INSERT INTO numbers SELECT number FROM numbered
"""
ERRORS = {
    DiskFault.FULL: apsw.FullError,
    DiskFault.READ_ONLY: apsw.ReadOnlyError,
    DiskFault.UNWRITABLE: apsw.IOError,
    DiskFault.UNSYNCED: apsw.IOError,
}


def opened(path: Path) -> apsw.Connection:
    database = apsw.Connection(str(path))
    database.pragma("journal_mode", "wal")
    database.pragma("synchronous", "full")
    database.execute("CREATE TABLE IF NOT EXISTS numbers (number)")
    return database


@pytest.mark.parametrize("fault", ERRORS)
def test_a_disk_that_takes_nothing_says_so_and_takes_it_again(
    fault: DiskFault, faulty_disk: FaultyDisk, tmp_path: Path
) -> None:
    with closing(opened(tmp_path / "numbers.db")) as database:
        faulty_disk.fault = fault
        with pytest.raises(ERRORS[fault], match=f"injected: .*{fault.value}"):
            database.execute(MORE)
        faulty_disk.fault = None
        database.execute(MORE)
        assert database.execute(ROWS).get == 5000


def test_a_disk_that_cannot_be_read_says_so(faulty_disk: FaultyDisk, tmp_path: Path) -> None:
    with closing(opened(tmp_path / "numbers.db")) as database:
        database.execute(MORE)
    faulty_disk.fault = DiskFault.UNREADABLE
    with pytest.raises(apsw.IOError, match=r"injected: .*every read fails"):
        opened(tmp_path / "numbers.db")


@pytest.mark.parametrize("fault", [DiskFault.FORGETFUL, DiskFault.TORN])
def test_a_disk_that_lies_loses_what_it_took(
    fault: DiskFault, faulty_disk: FaultyDisk, tmp_path: Path
) -> None:
    path = tmp_path / "numbers.db"
    with closing(opened(path)) as database:
        wal = Path(f"{path}-wal")
        before = wal.stat().st_size
        faulty_disk.fault, faulty_disk.files = fault, "-wal"
        database.execute(MORE)
        frames = int(database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0])
        assert before <= wal.stat().st_size < 32 + frames * (24 + 4096)
        faulty_disk.fault = None


def test_a_fault_is_of_the_files_whose_names_end_so(
    faulty_disk: FaultyDisk, tmp_path: Path
) -> None:
    faulty_disk.fault, faulty_disk.files = DiskFault.FULL, "other.db-wal"
    with closing(opened(tmp_path / "numbers.db")) as database:
        database.execute(MORE)
        assert database.execute(ROWS).get == 5000


def test_after_the_block_disks_are_as_they_were(tmp_path: Path) -> None:
    before = apsw.vfs_names()
    with open_faulty_disk() as disk, open_faulty_disk():
        disk.fault = DiskFault.FULL
    assert apsw.vfs_names() == before
    with closing(opened(tmp_path / "numbers.db")) as database:
        database.execute(MORE)
