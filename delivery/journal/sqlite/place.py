"""The place of a journal: which files may be there, and which other users can reach them."""

from __future__ import annotations

import logging
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.journal.private_files import no_wider_than
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.errors import in_our_words

SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""The suffixes of the files that SQLite keeps beside a database."""

_MOUNTS: Final = Path("/proc/self/mountinfo")  # proc_pid_mountinfo(5); Linux only

logger = logging.getLogger("greenroom.delivery")


def lock_path(path: Path) -> Path:
    """The file that a writer locks. Removing one in use lets a second writer in."""
    return path.with_name(path.name + ".lock")


def check_place(path: Path) -> None:
    """Raise `JournalFailed` if no journal can be at the path.

    This is so for a directory, for a path whose directory does not exist, and for a file that is
    mounted by itself: its WAL would stay outside of the mount, in the mount point's directory.
    """
    if path.is_dir():
        raise JournalFailed(
            f"the journal must be a file, but {path} is a directory", advice="name a file in it"
        )
    if not path.parent.is_dir():
        raise JournalFailed(
            f"there is no directory {path.parent}", advice="make it first: it may be a typo"
        )
    if _is_mounted_alone(path):
        raise JournalFailed(
            f"{path} is mounted as a single file: SQLite's files beside it would be left behind",
            advice="mount the directory that contains the journal",
        )


def check_kind(path: Path) -> None:
    """Raise `JournalCorrupt` for another program's file, `JournalTooNew`; leave no trace.

    SQLite itself would lock the file and create others beside it; in its "immutable" mode it
    mistakes a growing file for a damaged one. A file with a lock beside it is not examined: this
    process may have it open, and would lose its locks by closing it here.
    """
    path = path.resolve()
    if not path.is_file() or lock_path(path).exists():
        return
    with in_our_words(str(path)), path.open("rb") as file:
        sqlite_schema.check_header(str(path), file.read(sqlite_schema.HEADER_BYTES))


def check_company(path: Path, found: os.stat_result) -> None:
    """Warn of other users and other names that can reach a journal, before SQLite opens it.

    Raises `JournalFailed` if another user owns a file that SQLite would take for its own.
    """
    for suffix in SIDE_FILES:
        beside = Path(f"{path}{suffix}")
        with suppress(FileNotFoundError):
            _check_side_file(beside, found)
        no_wider_than(beside, stat.S_IMODE(found.st_mode))
    if found.st_nlink > 1:
        logger.warning(
            "%s has %d names (hard links). Open it by this name alone: SQLite keeps the newest "
            "events beside the name it was opened by",
            *(path, found.st_nlink),
        )
    if found.st_mode & stat.S_IRWXO:
        logger.warning("every user of this machine can read %s: run chmod o= %s", path, path)
    if path.parent.stat().st_mode & stat.S_IWOTH:
        logger.warning(
            "every user of this machine can create files in %s: give %s a directory of its own",
            *(path.parent, path.name),
        )


def _check_side_file(path: Path, journal: os.stat_result) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners(journal):
        raise JournalFailed(
            f"{path} does not belong to the journal: another user made it",
            advice="give the journal a directory of its own, or remove that file",
        )


def owners(journal: os.stat_result) -> set[int]:
    """The users whose files beside the journal are trusted."""
    return {0, os.geteuid(), journal.st_uid}


def _is_mounted_alone(path: Path) -> bool:
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return path.exists() and path.stat().st_dev != path.parent.stat().st_dev
    return str(path) in {_unescaped(line.split(" ", 5)[4]) for line in lines}


def _unescaped(name: str) -> str:
    """Decode a name: mountinfo writes spaces and similar characters as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), name)
