"""Files that their owner alone may read: every file that greenroom makes is made here.

What greenroom writes holds what users said. A file made with `open(path, "w")` has the
permissions of the umask, which lets everybody read it on most machines.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

OWNER_ONLY: Final = 0o600


def open_private(path: Path, flags: int) -> int:
    """A descriptor of the file, which is made with `OWNER_ONLY` where there is none.

    It is closed on `exec`, and no symbolic link is followed. Raises `OSError`.
    """
    flags |= os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags, OWNER_ONLY)


def create_private(path: Path) -> BinaryIO:
    """A new file to write to. Raises `FileExistsError` where there is something already."""
    return os.fdopen(open_private(path, os.O_WRONLY | os.O_EXCL), "wb")


def replace_private(path: Path) -> BinaryIO:
    """A new file to write to, in the place of what is there.

    It is another file, so nobody who may read the old one, or has it open, reads the new one.
    """
    with suppress(FileNotFoundError):
        path.unlink()
    return create_private(path)


def no_wider_than(path: Path, mode: int) -> None:
    """Take away what `mode` does not allow, if the file is there and is ours to change."""
    with suppress(FileNotFoundError, PermissionError):
        found = path.lstat().st_mode & 0o777
        if found & ~mode:
            path.chmod(found & mode, follow_symlinks=False)


def belongs_with(path: Path, owner: os.stat_result) -> None:
    """What root makes beside a file of `owner` is that owner's, as SQLite does with its WAL."""
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
