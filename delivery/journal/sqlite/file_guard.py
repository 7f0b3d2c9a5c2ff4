"""Locks on a journal's files that belong to a descriptor of ours, not to the process.

SQLite's own locks are POSIX locks: the process loses them when it closes *any* descriptor of the
file, through another SQLite library or by `open(path).close()`
(https://sqlite.org/howtocorrupt.html §2.2). The next program that closes the journal then deletes
the WAL under its writer. Open file description locks (fcntl(2)) stay until their own descriptor
is closed, conflict with the POSIX locks of every process, and apply to the file under any name.
A forked child has a copy of that descriptor, and closes it at once.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final, TypeAlias

from greenroom.actors.forks.children import in_child
from greenroom.delivery.journal.private_files import open_private

_Range: TypeAlias = tuple[int, int]

_PENDING_BYTE: Final = 0x40000000  # https://sqlite.org/fileformat2.html#the_lock_byte_page
_SHARED: Final[_Range] = (_PENDING_BYTE + 2, 510)  # SHARED_FIRST, SHARED_SIZE in SQLite's os.h
_WRITER: Final[_Range] = (_PENDING_BYTE + 1024, 1)  # past SQLite's locks; the page holds no data
_INDEX_IN_USE: Final[_Range] = (128, 1)  # UNIX_SHM_DMS in SQLite's os_unix.c

_SET_LOCK: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)  # Linux
_FLOCK: Final = struct.Struct("hhqqi4x")
_TAKEN: Final = frozenset({errno.EAGAIN, errno.EACCES})
_NO_SUCH_LOCKS: Final = frozenset({errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


class FileGuard:
    """Holds a journal's file from before SQLite opens it until after SQLite has closed it.

    Without such locks (not on Linux, or not supported by the file system) it does nothing;
    `FileWatch` then notices the damage that it would prevent.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or create it readable by its owner only. Raises `OSError`."""
        self.journal: int = open_private(path, os.O_RDWR)
        self.index: int | None = None
        self._is_open = True
        in_child(self, FileGuard._close_copies)

    def claim(self) -> bool:
        """Become the file's only writer, under any of its names. False: it has a writer already."""
        return _lock(self.journal, fcntl.LOCK_EX, _WRITER)

    def hold(self, index: Path) -> None:
        """Show every other SQLite that the file is in use. Ours must have it open in WAL mode.

        The last connection to close needs an exclusive lock on the file to delete the WAL, and the
        first to open needs one on the index (`-shm`) to empty it.
        """
        self.index = os.open(index, os.O_RDONLY | os.O_CLOEXEC)
        _lock(self.journal, fcntl.LOCK_SH, _SHARED)
        _lock(self.index, fcntl.LOCK_SH, _INDEX_IN_USE)

    def let_go(self) -> None:
        """Release the locks so that SQLite can close the file as its last user.

        No descriptor is closed here: see the module's docstring.
        """
        _lock(self.journal, fcntl.LOCK_UN, _SHARED)
        if self.index is not None:
            _lock(self.index, fcntl.LOCK_UN, _INDEX_IN_USE)

    def close(self) -> None:
        """Release the locks and close the descriptors, after SQLite has closed the file.

        The locks are released by name: closing does not, while another process has a copy of the
        descriptor. A child that C code forked has one.
        """
        self.let_go()
        _lock(self.journal, fcntl.LOCK_UN, _WRITER)
        self._close_copies()

    def _close_copies(self) -> None:
        """In a forked child this takes no lock from the parent, and from the child only POSIX locks
        that it never had."""
        if self._is_open:
            self._is_open = False
            os.close(self.journal)
            if self.index is not None:
                os.close(self.index)


_KINDS: Final = {
    fcntl.LOCK_SH: fcntl.F_RDLCK,
    fcntl.LOCK_EX: fcntl.F_WRLCK,
    fcntl.LOCK_UN: fcntl.F_UNLCK,
}


def _lock(descriptor: int, kind: int, place: _Range) -> bool:
    """Take or release a lock. False if another lock conflicts."""
    if _SET_LOCK is None:
        return True
    start, length = place
    try:
        fcntl.fcntl(descriptor, _SET_LOCK, _FLOCK.pack(_KINDS[kind], 0, start, length, 0))
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        if error.errno in _NO_SUCH_LOCKS:
            return True
        raise
    return True
