"""The file of an SQLite journal: found, locked, opened and set up for writing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import apsw
import attrs
import filelock

from greenroom.delivery import sqlite_schema
from greenroom.delivery.errors import JournalBusy, JournalFailed, JournalReadOnly
from greenroom.delivery.sqlite_errors import in_our_words

BUSY_TIMEOUT_MS: Final = 5_000
CACHE_KIB: Final = 64 * 1024
WAL_KEPT_BYTES: Final = 64 * 1024 * 1024


@attrs.define(eq=False)
class SqliteFile:
    """An open journal file that no other process may write until `close`."""

    path: str
    epoch: str
    database: apsw.Connection
    _lock: filelock.BaseFileLock

    def close(self) -> None:
        """Fold the WAL into the file, close it, let the next process in."""
        try:
            with in_our_words(self.path):
                self.database.close()  # the last close checkpoints: sqlite.org/wal.html §2.1
        finally:
            self._lock.release()

    def bytes(self) -> int:
        """The size of the file and its WAL."""
        total = 0
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                total += os.stat(self.path + suffix).st_size
        return total


def open_file(path: Path, *, new_epoch: Callable[[], str]) -> SqliteFile:
    """Open a journal for writing, making it where there is none (not its directory).

    Raises `JournalBusy`, `JournalReadOnly`, `JournalFull`, `JournalCorrupt`, `JournalTooNew`,
    `JournalFailed`.
    """
    path = path.absolute()
    check_place(path)
    check_kind(path)
    with in_our_words(str(path)), ExitStack() as undo:
        lock = _lock(path)
        undo.callback(lock.release)
        database = apsw.Connection(str(path))
        undo.callback(database.close)
        _set_up(database, new_epoch)
        file = SqliteFile(str(path), sqlite_schema.epoch_of(database), database, lock)
        undo.pop_all()
        return file


def check_place(path: Path) -> None:
    """Raise `JournalFailed` where no file can be: at a directory, or where there is none for it."""
    if path.is_dir():
        raise JournalFailed(f"{path} is a directory", advice="name a file in it")
    if not path.parent.is_dir():
        raise JournalFailed(
            f"there is no directory {path.parent}", advice="make it first: it may be a typo"
        )


def check_kind(path: Path) -> None:
    """Raise `JournalCorrupt` where another program's file is, `JournalTooNew`; leave no trace.

    SQLite itself would lock the file and make others beside it; told not to ("immutable"), it
    takes a file that grows meanwhile for a damaged one.
    """
    if not path.is_file():
        return
    with in_our_words(str(path)), path.open("rb") as file:
        sqlite_schema.check_header(str(path), file.read(sqlite_schema.HEADER_BYTES))


def lock_path(path: Path) -> Path:
    """What is locked while the journal is written. Who removes one in use lets two in."""
    return path.with_name(path.name + ".lock")


def _lock(path: Path) -> filelock.BaseFileLock:
    """Take `<path>.lock`, which the kernel frees however its holder ends."""
    locked = lock_path(path)
    lock = filelock.FileLock(locked, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise JournalBusy(
            f"{_holder(locked)} has {path} open",
            advice="one process writes a journal; stop that one, or give this one another path",
        ) from None
    with suppress(OSError):  # a full disk: the pid only makes the message above better
        locked.write_text(str(os.getpid()))
    return lock


def _holder(locked: Path) -> str:
    try:
        pid = int(locked.read_text())
    except (OSError, ValueError):
        return "another process"
    return "this process" if pid == os.getpid() else f"process {pid}"


def _set_up(database: apsw.Connection, new_epoch: Callable[[], str]) -> None:
    database.set_busy_timeout(BUSY_TIMEOUT_MS)
    is_new = sqlite_schema.is_new(database)
    if database.readonly("main"):
        raise JournalReadOnly(
            f"{database.filename} may not be written",
            advice="give this process write permission, or look with JournalReader",
        )
    database.pragma("journal_mode", "wal")
    database.pragma("synchronous", "full")
    database.pragma("cache_size", -CACHE_KIB)
    database.pragma("journal_size_limit", WAL_KEPT_BYTES)
    if is_new:
        sqlite_schema.create(database, new_epoch())
