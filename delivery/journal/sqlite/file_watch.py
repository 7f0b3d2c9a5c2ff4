"""Checks that a journal's files are still the ones that SQLite has open, and not truncated.

SQLite itself keeps writing to a file that was removed, moved, replaced or cut short, and reports
success: its descriptors stay valid and most pages are in its cache.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import attrs

from greenroom.actors.forks.children import in_child
from greenroom.delivery.errors import JournalLost
from greenroom.delivery.journal.sqlite.file_guard import FileGuard

# https://sqlite.org/walformat.html#the_wal_index_file_format, in the machine's byte order:
# the page size at 14, mxFrame at 16, nPage at 20, the salts at 32, nBackfill at 96,
# nBackfillAttempted at 128
_PAGE_AND_FRAMES: Final = struct.Struct("=14xHI")
_PAGE_AND_PAGES: Final = struct.Struct("=14xH4xI")
_SALTS: Final = struct.Struct("=32xQ")
_CHECKPOINTS: Final = struct.Struct("=32xQ56xI28xI")
_INDEX_BYTES: Final = _CHECKPOINTS.size
_WAL_HEADER, _FRAME_HEADER = 32, 24
_HEADER_BYTES: Final = 100


@attrs.frozen
class _Checkpoints:
    """The progress of checkpoints. Every program that writes the file properly changes it."""

    salts: int
    done: int
    begun: int

    @property
    def is_settled(self) -> bool:
        return self.done == self.begun


class _WalFrame(NamedTuple):
    """The last frame of the WAL. It does not change until the WAL restarts with other salts.

    If the WAL is cut short during a commit, that commit restores its length, with zeros in place
    of what was cut. Zeros then replace at least part of this frame.
    """

    salts: int
    start: int
    content: bytes


@attrs.define
class _WatchedFile:
    """A path, and the file that SQLite opened there."""

    path: str
    device: int
    inode: int

    @classmethod
    def at(cls, path: str) -> _WatchedFile:
        found = os.stat(path)
        return cls(path, found.st_dev, found.st_ino)

    def look(self) -> int:
        """The file's size. Raises `JournalLost` if the path no longer leads to the file."""
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            raise lost(f"{self.path} was removed or moved away") from None
        except OSError as error:
            raise lost(f"{self.path} can no longer be found: {error.strerror}") from error
        if (found.st_dev, found.st_ino) != (self.device, self.inode):
            raise lost(f"{self.path} was replaced by another file")
        return found.st_size


class FileWatch:
    """Checks the files of one open journal; used only on the journal's thread.

    `given` is the path that was asked for, `path` the same with symbolic links resolved: SQLite
    names its WAL after `path`.
    """

    def __init__(self, given: Path, path: Path, guard: FileGuard) -> None:
        """Start watching; SQLite must have opened the WAL. Raises `JournalLost`, `OSError`."""
        assert guard.index is not None, "the guard holds the index"
        opened, index = os.fstat(guard.journal), os.fstat(guard.index)
        self._journal = _WatchedFile(str(given), opened.st_dev, opened.st_ino)
        self._wal = _WatchedFile.at(f"{path}-wal")
        self._wal_descriptor = os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        self._frame: _WalFrame | None = None
        self._index = _WatchedFile(f"{path}-shm", index.st_dev, index.st_ino)
        self._guard = guard
        self._memory = mmap.mmap(guard.index, _INDEX_BYTES, prot=mmap.PROT_READ)
        in_child(self._memory, mmap.mmap.close)  # it has a copy of the guard's descriptor
        self._size = 0
        self._lost: JournalLost | None = None
        self._written = self._header(), self._checkpoints()
        self.check()

    @property
    def is_lost(self) -> bool:
        """Whether the files were found to be gone or changed; final until they are reopened."""
        return self._lost is not None

    def check(self) -> None:
        """The check before each commit, which may restore the length of a truncated file. Raises
        `JournalLost`."""
        self._keep_to(self._check)

    def look(self) -> None:
        """The periodic check: `check` and some slower ones. Raises `JournalLost`."""
        self._keep_to(self._look)

    def raise_if_lost(self) -> None:
        """Raise `JournalLost` if it was raised before. Files that reappear stay lost, since they
        may lack entries written meanwhile."""
        if self._lost is not None:
            raise lost(self._lost.message)

    @property
    def unfolded(self) -> int:
        """The frames of the WAL that are not in the file yet."""
        _, frames = self._frame_bytes_and_frames()
        return max(0, frames - self._checkpoints().done)

    def close(self) -> None:
        """Close the descriptors. SQLite must have closed the file: closing one drops its locks."""
        self._memory.close()
        os.close(self._wal_descriptor)

    def _keep_to(self, look: Callable[[], None]) -> None:
        self.raise_if_lost()
        try:
            look()
        except JournalLost as error:
            self._lost = error
            raise

    def _check(self) -> None:
        size = self._journal.look()
        if size < self._size and size < self._least_bytes():
            raise lost(f"{self._journal.path} was cut short, from {self._size} bytes to {size}")
        self._size = size
        self._check_wal()

    def _least_bytes(self) -> int:
        """A checkpoint cuts the file to the pages that an incremental vacuum left in the database;
        until then they may be in the WAL alone."""
        page, pages = _PAGE_AND_PAGES.unpack_from(self._memory)
        return (65_536 if page == 1 else page) * pages if pages else self._size

    def _check_wal(self) -> None:
        """Every frame that the index counts must exist; another program may be folding the WAL.

        The last frame is read before the size: a WAL that is cut in between is too short then.
        """
        last = self._last_frame()
        needed = self._wal_bytes()
        while (size := self._wal.look()) < needed:
            before, needed = needed, self._wal_bytes()
            if needed == before:
                raise lost(f"{self._wal.path} was cut short, from {needed} bytes to {size}")
        self._check_frame()
        self._frame = last

    def _check_frame(self) -> None:
        """The frame that was last at the previous check must be unchanged."""
        before = self._frame
        if before is not None and before.salts == self._salts():
            now = os.pread(self._wal_descriptor, len(before.content), before.start)
            if now != before.content:
                raise lost(f"{self._wal.path} was cut short while it was written")

    def _last_frame(self) -> _WalFrame | None:
        """Its salts are read before it, so that they are never younger than it."""
        salts = self._salts()
        size, frames = self._frame_bytes_and_frames()
        if not frames:
            return None
        start = _WAL_HEADER + (frames - 1) * size
        return _WalFrame(salts, start, os.pread(self._wal_descriptor, size, start))

    def _look(self) -> None:
        self._check()
        self._index.look()
        self._check_header()

    def _check_header(self) -> None:
        """Only a checkpoint may change the first page. A file that was copied over the journal may
        have the same length."""
        before = self._checkpoints()
        now = self._header(), self._checkpoints()
        if now[1] != before:
            return  # a checkpoint is under way: the next look will tell
        header, checkpoints = self._written
        if now[0] != header and now[1] == checkpoints and checkpoints.is_settled:
            raise lost(f"{self._journal.path} was overwritten by another program")
        self._written = now

    def _header(self) -> bytes:
        return os.pread(self._guard.journal, _HEADER_BYTES, 0)

    def _checkpoints(self) -> _Checkpoints:
        return _Checkpoints(*_CHECKPOINTS.unpack_from(self._memory))

    def _salts(self) -> int:
        (salts,) = _SALTS.unpack_from(self._memory)
        return int(salts)

    def _frame_bytes_and_frames(self) -> tuple[int, int]:
        page, frames = _PAGE_AND_FRAMES.unpack_from(self._memory)
        return _FRAME_HEADER + (65_536 if page == 1 else page), frames

    def _wal_bytes(self) -> int:
        size, frames = self._frame_bytes_and_frames()
        return _WAL_HEADER + frames * size if frames else 0


def lost(what: str) -> JournalLost:
    """The error for files that are lost."""
    return JournalLost(
        what,
        advice="stop the server; put the journal and its WAL back or restore a backup; start again",
    )
