"""Which processes hold a lock on a file, by proc_pid_fdinfo(5)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_OF_A_DESCRIPTION: Final = frozenset({"OFDLCK", "FLOCK"})


def lock_holders(file: os.stat_result) -> list[int]:
    """The processes with a write lock on the file that a forked child inherits: flock(2), and those
    of an open file description. In order; only those that we may look into, and only on Linux."""
    return sorted(pid for pid in _processes() if _holds(pid, file.st_ino))


def _processes() -> Iterator[int]:
    with suppress(OSError):
        for each in os.listdir(_PROC):
            if each.isdecimal():
                yield int(each)


def _holds(pid: int, inode: int) -> bool:
    return any(_is_lock(line.split(), inode) for line in _descriptions(pid))


def _descriptions(pid: int) -> Iterator[str]:
    """The lines about a process's descriptors: none if it has ended, or is another user's."""
    with suppress(OSError):
        for each in (_PROC / str(pid) / "fdinfo").iterdir():
            with suppress(OSError):
                yield from each.read_text().splitlines()


def _is_lock(fields: list[str], inode: int) -> bool:
    """Of `lock: 1: OFDLCK ADVISORY WRITE -1 08:01:1234 1073742848 1073742848`, after proc(5)."""
    return (
        len(fields) > 6
        and fields[0] == "lock:"
        and fields[2] in _OF_A_DESCRIPTION
        and fields[4] == "WRITE"
        and fields[6].rpartition(":")[2] == str(inode)
    )
