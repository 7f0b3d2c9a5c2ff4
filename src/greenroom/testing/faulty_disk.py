"""A disk that fails on purpose, under the SQLite files that this process opens."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

import apsw


class DiskFault(enum.Enum):
    """The ways in which a disk may fail."""

    FULL = "full"
    READ_ONLY = "read only"
    UNWRITABLE = "every write fails"
    UNREADABLE = "every read fails"
    UNSYNCED = "every sync fails"
    FORGETFUL = "a write is reported as done, and is not"
    TORN = "a write is reported as done, and half of it is"


class FaultyDisk:
    """What SQLite reads and writes goes through it: `disk.fault = DiskFault.FULL`, later `None`.

    `files` narrows a fault to files whose names end so: `"-wal"`. Made by `open_faulty_disk`.
    """

    def __init__(self) -> None:
        self.fault: DiskFault | None = None
        self.files = ""

    def _meets(self, name: str, *faults: DiskFault) -> DiskFault | None:
        """The fault of this moment, if it is one of these and concerns the file."""
        return self.fault if self.fault in faults and name.endswith(self.files) else None

    def _check(self, name: str, *faults: DiskFault) -> None:
        if (fault := self._meets(name, *faults)) is not None:
            raise _ERRORS[fault](f"injected: the disk under {name}: {fault.value}")


@contextmanager
def open_faulty_disk() -> Iterator[FaultyDisk]:
    """A disk without a fault yet, under each SQLite file that is opened within the block.

    It takes the place of SQLite's default VFS (https://sqlite.org/vfs.html) for the whole process,
    so tests that run at the same time in other threads open their files on it, too. Close what was
    opened before the block ends.
    """
    disk = FaultyDisk()
    name = f"greenroom-faulty-{next(_NUMBERS)}"
    vfs = _Vfs(disk, name)
    try:
        yield disk
    finally:
        disk.fault = None
        vfs.unregister()


_BASE: Final = "unix"
_NUMBERS: Final = count(1)
_WRITING: Final = (DiskFault.FULL, DiskFault.READ_ONLY, DiskFault.UNWRITABLE)
_ERRORS: Final = {
    DiskFault.FULL: apsw.FullError,
    DiskFault.READ_ONLY: apsw.ReadOnlyError,
    DiskFault.UNWRITABLE: apsw.IOError,
    DiskFault.UNREADABLE: apsw.IOError,
    DiskFault.UNSYNCED: apsw.IOError,
}


class _Vfs(apsw.VFS):
    def __init__(self, disk: FaultyDisk, name: str) -> None:
        super().__init__(name, _BASE, makedefault=True)
        self._disk = disk

    def xOpen(  # noqa: N802  # SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return _File(self._disk, name, flags)


class _File(apsw.VFSFile):
    def __init__(
        self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__(_BASE, name, flags)
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else name or ""

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802  # SQLite's name
        self._disk._check(self._name, DiskFault.UNREADABLE)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  # SQLite's name
        self._disk._check(self._name, *_WRITING)
        lie = self._disk._meets(self._name, DiskFault.FORGETFUL, DiskFault.TORN)
        if lie is not DiskFault.FORGETFUL:
            super().xWrite(data[: len(data) // 2] if lie is DiskFault.TORN else data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  # SQLite's name
        self._disk._check(self._name, DiskFault.READ_ONLY, DiskFault.UNWRITABLE)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
        self._disk._check(self._name, DiskFault.UNSYNCED, DiskFault.UNWRITABLE)
        super().xSync(flags)
