"""The lock of a journal's one writer, by name: `<journal>.lock` holds the writer's pid.

`FileGuard` locks the file itself, by whatever name. This one names the holder, works where the
file system has no such locks, and is what a server of an earlier version takes.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

import filelock

from greenroom.delivery.errors import JournalBusy
from greenroom.delivery.journal.private_files import OWNER_ONLY, belongs_with, no_wider_than
from greenroom.delivery.journal.sqlite.place import lock_path, owners

logger = logging.getLogger("greenroom.delivery")


class NameLock:
    """`<journal>.lock`, held. The kernel frees it however its holder ends."""

    def __init__(self, lock: filelock.BaseFileLock | None) -> None:
        self._lock = lock

    def belong_with(self, journal: os.stat_result) -> None:
        """Let the journal's owner take it, too, when root has made it."""
        if self._lock is not None:
            belongs_with(Path(self._lock.lock_file), journal)

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()


def take_lock(journal: Path) -> NameLock:
    """Raises `JournalBusy` when another process has it, or this one."""
    path = lock_path(journal)
    if _is_strangers(path, journal):
        logger.warning("%s is another user's, who could hold it for ever: it is ignored", path)
        return NameLock(None)
    lock = filelock.FileLock(path, mode=OWNER_ONLY, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise JournalBusy(
            f"{_holder(path)} has {journal} open",
            advice="one process writes a journal; stop that one, or give this one another path",
        ) from None
    no_wider_than(path, OWNER_ONLY)
    with suppress(OSError):  # a full disk: the pid only makes the message above better
        _write_pid(path)
    return NameLock(lock)


def _is_strangers(path: Path, journal: Path) -> bool:
    """Made by somebody who has no part in the journal, in a directory open to all."""
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
    return "this process" if pid == os.getpid() else f"process {pid}"
