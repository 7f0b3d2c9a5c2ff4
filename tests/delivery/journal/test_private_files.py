"""Nobody but the owner reads what greenroom writes, and nobody else can hold the journal's lock."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import filelock
import pytest

from greenroom.commands.output.journal_files import written
from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.journal.private_files import open_private, replace_private
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_compaction import compact
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.delivery.upkeep.journal_upkeep import back_up, no_progress, open_for_upkeep
from tests.delivery.journal.journal_conformance import record
from tests.delivery.journal.journal_story import write_story

# ruff: noqa: ASYNC240  # the file system is what these tests are about

NOBODY = 65534
HOLD = """
import fcntl, os, sys
os.setuid(int(sys.argv[1]))
try:
    fcntl.flock(os.open(sys.argv[2], os.O_RDONLY), fcntl.LOCK_EX)
except PermissionError:
    print("refused", flush=True)
else:
    print("held", flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.fault("P1")


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def path() -> Iterator[Path]:
    """In a directory that others may enter, unlike pytest's own."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory, "journal.db")


def modes(path: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}


async def test_a_journal_and_all_that_lies_beside_it_are_their_owners_alone(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append([record(1)])
        names = {path.name + suffix for suffix in ("", "-wal", "-shm", ".lock")}
        assert modes(path) == dict.fromkeys(names, 0o600)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_no_copy_is_wider_than_its_journal(mode: int, path: Path) -> None:
    write_story(path, "alice")
    path.chmod(mode)
    with open_for_upkeep(path) as file:
        back_up(file, no_progress)
    compact(path, keep=1, to=path.with_name("compacted.db"))
    with written(path.with_name("export.jsonl")) as target:
        export_journal(path, target.write)
    with written(path.with_name("export.jsonl.gz")) as target:
        export_journal(path, target.write)
    lines = path.with_name("export.jsonl").read_bytes().splitlines(keepends=True)
    import_journal(path.with_name("imported.db"), lines)
    found = modes(path)
    assert found.pop(path.name) == mode, "what is there is its owner's to change"
    assert len(found) == 7, "two copies, two exports, one import, two locks"
    assert set(found.values()) == {0o600}


async def test_what_a_killed_writer_left_is_narrowed_to_its_journal(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append([record(1)])
        wal = Path(f"{path}-wal").read_bytes()
    Path(f"{path}-wal").write_bytes(wal)
    Path(f"{path}.lock").chmod(0o644)
    async with open_sqlite_journal(path):
        assert set(modes(path).values()) == {0o600}


async def test_a_journal_that_everybody_may_read_is_warned_about(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_sqlite_journal(path):
        assert caplog.text == ""
    path.chmod(0o644)
    async with open_sqlite_journal(path):
        assert f"chmod o= {path}" in caplog.text


async def test_a_directory_where_everybody_may_write_is_warned_about(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.chmod(0o1777)
    async with open_sqlite_journal(path):
        assert f"every user of this machine can create files in {path.parent}" in caplog.text


async def test_another_user_cannot_hold_the_lock(path: Path) -> None:
    if os.getuid():
        pytest.skip("needs root to be another user")
    async with open_sqlite_journal(path):
        pass
    for each in path.parent.iterdir():
        with hold(each, NOBODY) as holder:
            assert said(holder) == "refused", each
    async with open_sqlite_journal(path):
        pass


async def test_a_lock_that_another_user_put_there_first_keeps_nobody_out(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if os.getuid():
        pytest.skip("needs root to be another user")
    path.parent.chmod(0o1777)
    lock = path.with_name("journal.db.lock")
    lock.touch(mode=0o666)
    os.chown(lock, NOBODY, NOBODY)
    with hold(lock, NOBODY) as holder:
        assert said(holder) == "held"
        async with open_sqlite_journal(path):
            assert f"ignored {lock}: it belongs to another user" in caplog.text


async def test_a_wal_that_another_user_put_there_first_is_not_written_to(path: Path) -> None:
    if os.getuid():
        pytest.skip("needs root to be another user")
    wal = Path(f"{path}-wal")
    wal.touch(mode=0o666)
    os.chown(wal, NOBODY, NOBODY)
    with pytest.raises(JournalFailed, match=r"-wal does not belong to the journal"):
        async with open_sqlite_journal(path):
            pass


async def test_what_root_makes_beside_a_journal_is_the_journals_owners(path: Path) -> None:
    if os.getuid():
        pytest.skip("needs root to be another user")
    write_story(path, "alice")
    for each in path.parent.iterdir():
        os.chown(each, NOBODY, NOBODY)
    path.with_name("journal.db.lock").unlink()
    compact(path, keep=1)
    assert {each.stat().st_uid for each in path.parent.iterdir()} == {NOBODY}


def test_a_lock_of_the_journals_owner_is_heeded_also_by_root(path: Path) -> None:
    if os.getuid():
        pytest.skip("needs root to be another user")
    write_story(path, "alice")
    for each in path.parent.iterdir():
        os.chown(each, NOBODY, NOBODY)
    with filelock.FileLock(f"{path}.lock"), pytest.raises(Exception, match=r"has .* open"):
        compact(path, keep=1)


def test_a_file_that_is_replaced_is_another_file(path: Path) -> None:
    path.write_bytes(b"old")
    path.chmod(0o666)
    with path.open("rb") as old:
        with replace_private(path) as new:
            new.write(b"new")
        assert old.read() == b"old"
    assert (modes(path), path.read_bytes()) == ({path.name: 0o600}, b"new")


def hold(path: Path, user: int) -> subprocess.Popen[str]:
    """A process of another user that tries to lock the file; it lets go when its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(user), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("target", ["there", "not there"])
def test_no_file_is_opened_or_made_through_a_link_that_somebody_put_there(
    target: str, tmp_path: Path
) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "link"
    link.symlink_to(elsewhere)
    if target == "there":
        elsewhere.write_text("another's")

    with pytest.raises(OSError, match="symbolic link"):
        open_private(link, os.O_RDWR)

    assert elsewhere.exists() is (target == "there")
