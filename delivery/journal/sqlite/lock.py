"""The lock of a journal's writer, by name: `<journal>.lock` contains the writer's pid.

`FileGuard` locks the file itself, under any name. This lock names its holder, works where the
file system does not support `FileGuard`'s locks, and is the one that earlier versions take.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

import filelock

from greenroom.actors.forks.lock_holders import lock_holders
from greenroom.delivery.errors import JournalBusy
from greenroom.delivery.journal.private_files import OWNER_ONLY, belongs_with, no_wider_than
from greenroom.delivery.journal.sqlite.place import lock_path, owners

logger = logging.getLogger("greenroom.delivery")


class NameLock:
    """A held `<journal>.lock`. The kernel releases it however its holder ends; filelock has forked
    children close their copy of its descriptor."""

    def __init__(self, lock: filelock.BaseFileLock | None) -> None:
        self._lock = lock

    def belong_with(self, journal: os.stat_result) -> None:
        """Let the journal's owner take a lock that root created."""
        if self._lock is not None:
            belongs_with(Path(self._lock.lock_file), journal)

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()


def take_lock(journal: Path) -> NameLock:
    """Take the journal's lock. Raises `JournalBusy` if another process or this one holds it."""
    path = lock_path(journal)
    if _is_strangers(path, journal):
        logger.warning("ignored %s: it belongs to another user, who could hold it for ever", path)
        return NameLock(None)
    lock = filelock.FileLock(path, mode=OWNER_ONLY, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise JournalBusy(
            f"{_holder(path)} has {journal} open",
            advice="only one process may write a journal: stop the other, or use another path",
        ) from None
    no_wider_than(path, OWNER_ONLY)
    with suppress(OSError):  # a full disk: only the message above needs the pid
        _write_pid(path)
    return NameLock(lock)


def _is_strangers(path: Path, journal: Path) -> bool:
    """Whether a user without a part in the journal made the lock, in a directory open to all."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    beside = journal if journal.exists() else journal.parent
    return found.st_uid not in owners(beside.stat())


def _write_pid(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.write(descriptor, str(os.getpid()).encode())
    finally:
        os.close(descriptor)


def _holder(locked: Path) -> str:
    try:
        pid = int(locked.read_text())
    except (OSError, ValueError):
        return "another process"
    if pid != os.getpid() and _has_ended(pid):
        return _heirs(locked, pid)
    return processes([pid])


def _has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False  # it is another user's
    return False


def _heirs(locked: Path, pid: int) -> str:
    """Who has the lock of a process that has ended; in another container it may live on."""
    with suppress(OSError):
        if holders := lock_holders(locked.stat()):
            return f"{processes(holders)}, a forked child of process {pid},"
    return f"process {pid}"


def processes(pids: list[int]) -> str:
    """The subject of a sentence: the first of the processes, and how many more there are."""
    if not pids:
        return "another process"
    first = "this process" if pids[0] == os.getpid() else f"process {pids[0]}"
    return first if len(pids) == 1 else f"{first} (and {len(pids) - 1} more)"
