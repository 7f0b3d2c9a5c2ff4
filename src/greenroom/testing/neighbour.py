"""A process beside the server that opens the journal's file, or does worse to it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Final

_ASK: Final = """
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1])) as database:
    print(database.execute(sys.argv[2]).fetchone()[0])
"""


class Neighbour:
    """A program beside the one that has the journal at `path` open; nothing asks it not to.

    The standard library's `sqlite3` is another SQLite than the journal's, so it does not know of
    the journal's connection in the same process.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def ask_here(self, sql: str) -> object:
        """Open the file in this process with another SQLite library, and close it again. The
        first value that the query gives."""
        with closing(sqlite3.connect(self._path)) as database:
            return database.execute(sql).fetchone()[0]

    def ask_elsewhere(self, sql: str) -> str:
        """The same in a process of its own, as text."""
        asked = [sys.executable, "-c", _ASK, str(self._path), sql]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()

    def read_raw(self) -> None:
        """Open and close the file in this process, as a copy does: its POSIX locks are gone."""
        self._path.read_bytes()

    def remove(self, suffix: str = "") -> None:
        """Remove the file, or with `suffix="-wal"` the WAL."""
        self._file(suffix).unlink()

    def move_away(self, suffix: str = "") -> Path:
        """Rename it; where it is now."""
        return self._file(suffix).rename(self._file(f"{suffix}.moved"))

    def replace(self, suffix: str = "") -> None:
        """Put an equal copy in its place, as `mv copy journal.db` does."""
        copy = self._file(f"{suffix}.copy")
        shutil.copy(self._file(suffix), copy)
        copy.replace(self._file(suffix))

    def truncate(self, suffix: str = "") -> None:
        """Cut it off at its beginning, as `: > journal.db` does."""
        os.truncate(self._file(suffix), 0)

    def overwrite(self, other: Path) -> None:
        """Copy another file over it, as `cp backup.db journal.db` does."""
        shutil.copyfile(other, self._path)

    def move_directory(self) -> Path:
        """Rename the directory that the file is in; where it is now."""
        parent = self._path.parent
        return parent.rename(parent.with_name(f"{parent.name}.moved"))

    def _file(self, suffix: str) -> Path:
        return Path(f"{self._path}{suffix}")


MEDDLING: Final[Mapping[str, Callable[[Neighbour], object]]] = MappingProxyType(
    {
        "the journal is removed": lambda it: it.remove(),
        "the journal is moved": lambda it: it.move_away(),
        "the journal is replaced": lambda it: it.replace(),
        "the journal is cut short": lambda it: it.truncate(),
        "the WAL is removed": lambda it: it.remove("-wal"),
        "the WAL is moved": lambda it: it.move_away("-wal"),
        "the WAL is replaced": lambda it: it.replace("-wal"),
        "the WAL is cut short": lambda it: it.truncate("-wal"),
        "the directory is moved": lambda it: it.move_directory(),
    }
)
"""What a neighbour may do to a journal that is being written, by what is then wrong with it."""
