"""A journal's forked children; those that C code forks run no Python first, so they keep all."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from greenroom.delivery.errors import JournalBusy
from greenroom.delivery.journal.reads import ReadSaid
from greenroom.delivery.journal.sqlite.journal import SqliteJournal, open_sqlite_journal
from tests.delivery.journal.journal_conformance import ALICE
from tests.forked_child import in_forked_child

ROOT = Path(__file__).parents[4]
FORKED_BY_C = """
import ctypes, os, signal, sys, trio
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from tests.delivery.journal.journal_conformance import records

async def main():
    async with open_sqlite_journal(sys.argv[1]) as journal:
        await journal.append(records(1, 3))
        pid = ctypes.PyDLL(None).fork()
        if pid == 0:
            os.closerange(0, 3)
            signal.alarm(300)
            signal.pause()
            os._exit(0)
        print(os.getpid(), pid, flush=True)
        if sys.argv[2] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)

trio.run(main)
"""


@attrs.frozen
class Family:
    """A writer that has ended, and its child that lives."""

    parent: int
    child: int


@contextmanager
def outlived(path: Path, how: str) -> Iterator[Family]:
    command = [sys.executable, "-c", FORKED_BY_C, str(path), how]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    family = Family(*map(int, done.stdout.split()))
    ended = os.pidfd_open(family.child)
    try:
        yield family
    finally:
        signal.pidfd_send_signal(ended, signal.SIGKILL)
        select.select([ended], [], [])
        os.close(ended)


@pytest.mark.fault("D10")
async def test_an_orderly_close_releases_the_locks_though_a_child_has_the_descriptors(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    with outlived(path, "stopped"):
        async with open_sqlite_journal(path) as journal:
            assert (await journal.bounds(ALICE)).last == 3


@pytest.mark.fault("D10")
async def test_who_is_refused_a_journal_is_told_which_child_of_which_server_has_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    with outlived(path, "killed") as family:
        child = f"process {family.child}, a forked child of process {family.parent}, has {path}"
        with pytest.raises(JournalBusy, match=re.escape(child)):
            async with open_sqlite_journal(path):
                pass
        Path(f"{path}.lock").unlink()  # noqa: ASYNC240  # nobody else waits
        with pytest.raises(JournalBusy, match=rf"process {family.child} has .* open already"):
            async with open_sqlite_journal(path):
                pass
    async with open_sqlite_journal(path) as journal:
        assert (await journal.bounds(ALICE)).last == 3


def threads_after_asking(journal: SqliteJournal) -> int:
    journal.ask(ReadSaid(ALICE, "say-1"))
    return threading.active_count()


@pytest.mark.fault("D10")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_forked_child_reads_through_no_connection_of_its_parent(tmp_path: Path) -> None:
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        assert in_forked_child(lambda: threads_after_asking(journal)) == "1"
        assert await journal.ask(ReadSaid(ALICE, "say-1")).wait() is None
