"""The file of an SQLite journal: found, locked, opened and set up for writing."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Final

import apsw
import attrs

from greenroom.actors.forks.lock_holders import lock_holders
from greenroom.delivery.errors import JournalBusy, JournalReadOnly
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.errors import in_our_words, no_room
from greenroom.delivery.journal.sqlite.file_guard import FileGuard
from greenroom.delivery.journal.sqlite.file_watch import FileWatch
from greenroom.delivery.journal.sqlite.lock import NameLock, processes, take_lock
from greenroom.delivery.journal.sqlite.place import check_company, check_kind, check_place

BUSY_TIMEOUT_MS: Final = 5_000
CACHE_KIB: Final = 64 * 1024
WAL_WAIT_MS: Final = 20
READER_CACHE_KIB: Final = 8 * 1024
WAL_KEPT_BYTES: Final = 64 * 1024 * 1024
WAL_PAGES: Final = 4_000
"""Pages in the WAL from which on a commit folds it into the file, and events wait. Events of a
thousand users write the same pages again and again: with SQLite's default of 1,000 that happens
more often, and writes more."""

LEAST_ROOM: Final = 1024 * 1024
"""Bytes that must be free on the disk: the size of the largest event."""


@attrs.define(eq=False)
class SqliteFile:
    """An open journal file that no other process may write until `close`.

    `path` is the path that was asked for, with symbolic links resolved. `to_read`: the connections
    of `open_to_read`.
    """

    path: str
    epoch: str
    database: apsw.Connection
    watch: FileWatch
    _guard: FileGuard
    _lock: NameLock
    _owes_wal: bool
    to_read: list[apsw.Connection] = attrs.field(factory=list)
    _folding: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _is_closed: bool = attrs.field(default=False, init=False)

    def open_to_read(self) -> apsw.Connection:
        """One more connection to the file, read-only, closed with it. Raises `JournalError`s.

        SQLite shares the locks between all connections of a process, so closing one drops none.
        """
        with in_our_words(self.path):
            database = apsw.Connection(self.path, flags=apsw.SQLITE_OPEN_READONLY)
            self.to_read.append(database)
            database.set_busy_timeout(BUSY_TIMEOUT_MS)
            plan_once(database)
            database.pragma("cache_size", -READER_CACHE_KIB)
            return database

    def fold(self) -> None:
        """Copy the WAL into the file, on any thread. Raises `JournalError`s.

        A passive checkpoint on a connection of its own makes no writer wait
        (sqlite.org/c3ref/wal_checkpoint_v2.html).
        """
        with in_our_words(self.path), self._folding:
            if not self._is_closed:
                self._checkpoint()

    def _checkpoint(self) -> None:
        database = apsw.Connection(self.path, flags=apsw.SQLITE_OPEN_READWRITE)
        with closing(database), suppress(apsw.BusyError):
            database.pragma("schema_version")  # without a read it knows of no WAL, and does nothing
            database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def close(self) -> None:
        """Fold the WAL into the file, close it and release the locks.

        Files that are no longer the journal's own are left as they are.
        """
        try:
            with in_our_words(self.path), self._folding:
                self._is_closed = True
                for database in self.to_read:
                    database.close()
                if self.watch.is_lost:
                    self.database.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                else:
                    self._guard.let_go()
                self.database.close()  # the last close checkpoints: sqlite.org/wal.html §2.1
        finally:
            self.watch.close()
            self._guard.close()
            self._lock.release()

    def bytes(self) -> int:
        """The size of the file and its WAL."""
        return sum(self._sizes())

    def _sizes(self) -> Iterator[int]:
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                yield os.stat(self.path + suffix).st_size

    def check_room(self) -> None:
        """Raise `JournalFull` if the disk is full, even before a write has failed.

        A file that may grow no further (setrlimit(2), `RLIMIT_FSIZE`) counts as a full disk.
        """
        disk = os.statvfs(os.path.dirname(self.path))
        free = disk.f_bfree if os.geteuid() == 0 else disk.f_bavail
        if disk.f_blocks and free * disk.f_frsize < LEAST_ROOM:  # no blocks: free space is unknown
            raise no_room(self.path)
        most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if most != resource.RLIM_INFINITY and max(self._sizes()) + LEAST_ROOM > most:
            raise no_room(self.path)

    def empty_wal(self) -> None:
        """Fold the WAL into the file and cut it to nothing, so that no older page is left in it.

        While a reader holds on to one, that is owed: `empty_wal_if_owed` tries again.
        """
        self.database.set_busy_timeout(WAL_WAIT_MS)
        try:
            self.database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._owes_wal = False
        except apsw.BusyError:
            self._owes_wal = True
        finally:
            self.database.set_busy_timeout(BUSY_TIMEOUT_MS)

    def empty_wal_if_owed(self) -> None:
        if self._owes_wal:
            self.empty_wal()

    def restart_wal(self) -> None:
        """Restart the WAL if all of it is folded into the file.

        SQLite syncs the commit that restarts it, whatever `synchronous` says (`syncHeader` in
        wal.c): this one, and none that must not wait for the disk.
        """
        if not self.watch.unfolded:
            self.try_to_write()

    def try_to_write(self) -> None:
        """Write a page as a commit does. Raises the errors of a commit, at once if it is locked."""
        self.database.set_busy_timeout(0)
        try:
            self.database.pragma("user_version", sqlite_schema.VERSION)
        finally:
            self.database.set_busy_timeout(BUSY_TIMEOUT_MS)


def plan_once(database: apsw.Connection) -> None:
    """Prepare each statement once, and not again for each value that is bound to it.

    A library built with SQLITE_ENABLE_STAT4, as APSW's is, otherwise plans a query again whenever a
    value could decide whether a partial index serves (`log_user_say`): that is 10 to 80 µs a query.
    """
    database.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # sqlite.org/queryplanner-ng.html#qpstab


def open_file(path: Path, *, new_epoch: Callable[[], str] | None) -> SqliteFile:
    """Open a journal for writing, creating it if it does not exist (but not its directory).

    Without `new_epoch` no journal is created, and an empty file raises `JournalCorrupt`. Only its
    owner can read a new journal. Raises `JournalBusy`, `JournalReadOnly`, `JournalFull`,
    `JournalCorrupt`, `JournalTooNew`, `JournalFailed`.
    """
    given = path.absolute()
    path = given.resolve()
    check_place(path)
    check_kind(path)
    with in_our_words(str(path)), ExitStack() as undo:
        lock = take_lock(path)
        undo.callback(lock.release)
        guard = _claim(path)
        undo.callback(guard.close)
        found = os.fstat(guard.journal)
        lock.belong_with(found)
        check_company(path, found)
        left_wal = _has_wal(path)
        database = apsw.Connection(str(path))
        undo.callback(database.close)
        _set_up(database, new_epoch)
        epoch = sqlite_schema.epoch_of(database)
        guard.hold(Path(f"{path}-shm"))
        watch = FileWatch(given, path, guard)
        undo.pop_all()
        return SqliteFile(str(path), epoch, database, watch, guard, lock, left_wal)


def _has_wal(path: Path) -> bool:
    """A server that was killed at the end of an erasure left pages as they were before it."""
    wal = Path(f"{path}-wal")
    return wal.exists() and wal.stat().st_size > 0


def _claim(path: Path) -> FileGuard:
    with ExitStack() as undo:
        guard = FileGuard(path)
        undo.callback(guard.close)
        if not guard.claim():
            holders = lock_holders(os.fstat(guard.journal))
            raise JournalBusy(
                f"{processes(holders)} has {path} open already",
                advice="stop it, or use another path: it opened the file under another name (a "
                "link or a mount), or it is a forked child of a server that has ended",
            )
        header = os.pread(guard.journal, sqlite_schema.HEADER_BYTES, 0)
        sqlite_schema.check_header(str(path), header)
        undo.pop_all()
        return guard


def _set_up(database: apsw.Connection, new_epoch: Callable[[], str] | None) -> None:
    database.set_busy_timeout(BUSY_TIMEOUT_MS)
    plan_once(database)
    is_new = sqlite_schema.is_new(database)
    if is_new and new_epoch is None:
        raise sqlite_schema.empty(database.filename)
    if database.readonly("main"):
        raise JournalReadOnly(
            f"{database.filename} is not writable",
            advice="give this process write permission, or read the journal with JournalReader",
        )
    if is_new:
        database.pragma("auto_vacuum", sqlite_schema.INCREMENTAL)  # before there is any page
    database.pragma("journal_mode", "wal")
    database.pragma("synchronous", "full")
    database.pragma("cache_size", -CACHE_KIB)
    database.pragma("journal_size_limit", WAL_KEPT_BYTES)
    database.wal_autocheckpoint(WAL_PAGES)
    database.pragma("secure_delete", True)  # else what was erased stays readable in free pages
    if is_new and new_epoch is not None:
        sqlite_schema.create(database, new_epoch())
    else:
        sqlite_schema.complete(database)
