"""Files that only their owner may read. Every file that greenroom creates is created here.

Greenroom's files contain what users said. A file created with `open(path, "w")` has the
permissions of the umask, which lets every user of most machines read it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

OWNER_ONLY: Final = 0o600


def open_private(path: Path, flags: int) -> int:
    """Open the file, creating it with `OWNER_ONLY` if it does not exist.

    The descriptor is closed on `exec`; symbolic links are not followed. Raises `OSError`.
    """
    flags |= os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags, OWNER_ONLY)


def create_private(path: Path) -> BinaryIO:
    """Create a file to write to. Raises `FileExistsError` if the path exists."""
    return os.fdopen(open_private(path, os.O_WRONLY | os.O_EXCL), "wb")


def replace_private(path: Path) -> BinaryIO:
    """Create a file to write to, replacing any file at the path.

    It is a new file, so a process that has the old file open cannot read the new one.
    """
    with suppress(FileNotFoundError):
        path.unlink()
    return create_private(path)


def no_wider_than(path: Path, mode: int) -> None:
    """Remove permissions that `mode` does not include, if the file exists and is ours to change."""
    with suppress(FileNotFoundError, PermissionError):
        found = path.lstat().st_mode & 0o777
        if found & ~mode:
            path.chmod(found & mode, follow_symlinks=False)


def belongs_with(path: Path, owner: os.stat_result) -> None:
    """Give a file that root created to the owner of the file beside it, as SQLite does its WAL."""
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
