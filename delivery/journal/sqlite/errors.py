"""Translates the errors of SQLite and of the operating system into `JournalError`s."""

from __future__ import annotations

import errno
from typing import Final

import apsw

from greenroom.delivery.errors import (
    JournalBusy,
    JournalCorrupt,
    JournalError,
    JournalFailed,
    JournalFull,
    JournalReadOnly,
)

_READ_ONLY: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

# https://sqlite.org/rescode.html: on a full disk the WAL index cannot grow
_FULL_EXTENDED: Final = frozenset({apsw.SQLITE_IOERR_SHMSIZE})


class in_our_words:  # noqa: N801  # read as a verb: `with in_our_words(path):`
    """Raise errors of SQLite or of the system inside the block as a `JournalError` on `path`."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if isinstance(error, apsw.Error):
            raise _of_sqlite(self._path, error) from error
        if isinstance(error, BrokenPipeError):
            return  # not about a file: the reader of our output has gone
        if isinstance(error, OSError):
            raise _of_system(self._path, error) from error


def _of_sqlite(path: str, error: apsw.Error) -> JournalError:
    if getattr(error, "extendedresult", None) in _FULL_EXTENDED:
        return no_room(path)
    match error:
        case apsw.FullError():
            return no_room(path)
        case apsw.ReadOnlyError() | apsw.PermissionsError():
            return _read_only(path)
        case apsw.NotADBError() | apsw.CorruptError():
            return JournalCorrupt(
                f"{path} is not a journal or is damaged: {error}",
                advice="keep the file; restore a backup, or rescue rows with `sqlite3 .recover`",
            )
        case apsw.BusyError() | apsw.LockedError():
            return JournalBusy(
                f"another program has locked {path}",
                advice="close the program that has it open for writing, such as an sqlite3 shell",
            )
    return JournalFailed(
        f"the disk failed to read or write {path}: {error}", advice="see the system's log"
    )


def _of_system(path: str, error: OSError) -> JournalError:
    if error.errno in _READ_ONLY:
        return _read_only(path)
    if error.errno in _FULL:
        return no_room(path)
    return JournalFailed(f"{path} cannot be opened: {error.strerror}")


def no_room(path: str) -> JournalFull:
    """The error of a full disk."""
    return JournalFull(
        f"no room on the disk for {path}",
        advice="make room; the journal then continues by itself, and no accepted event is lost",
    )


def _read_only(path: str) -> JournalReadOnly:
    return JournalReadOnly(
        f"{path} or its directory is not writable",
        advice="give this process write permission on both: SQLite keeps its WAL beside the file",
    )
