"""Reads a journal's file, whether or not a server is writing it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast
from urllib.parse import quote

import apsw

from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.reader import SqlReader
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.errors import in_our_words

_MOST = "SELECT seq FROM sqlite_sequence WHERE name = 'log'"


class JournalReader(SqlReader):
    """Reads the records of a journal file.

    Raises `JournalFailed` (no such file), `JournalCorrupt`, `JournalTooNew`, `JournalBusy`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()
        if not self._path.is_file():
            raise JournalFailed(f"there is no journal at {self._path}")
        with self.look():
            pass

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._path

    @property
    def where(self) -> str:
        return str(self._path)

    @contextmanager
    def look(self) -> Iterator[apsw.Connection]:
        """A read-only connection for one look. SQLite's errors are raised as `JournalError`s.

        Keep it short: meanwhile the writer cannot fold its WAL into the file. The server may
        start, stop or move the file between two looks.
        """
        with in_our_words(str(self._path)), closing(_connect(self._path)) as database:
            yield database

    def _store(self, database: Database) -> SqlStore:
        return SqlStore(database)

    def _most(self, database: Database) -> int:
        return cast("int | None", database.execute(_MOST).get) or 0


def _connect(path: Path) -> apsw.Connection:
    path = path.resolve()  # the WAL is beside the file, not beside a symbolic link to it
    try:
        return _checked(_uri(path, "mode=ro"))
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        # The file was closed cleanly, in a directory we may not write. SQLite cannot create the WAL
        # index there, and without a writer does not need it (https://sqlite.org/wal.html#readonly).
        if path.with_name(path.name + "-wal").exists():
            raise
        return _checked(_uri(path, "mode=ro&immutable=1"))


def _checked(uri: str) -> apsw.Connection:
    database = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        database.set_busy_timeout(1_000)
        if sqlite_schema.is_new(database):
            raise sqlite_schema.empty(database.filename)
    except BaseException:
        database.close()
        raise
    return database


def _uri(path: Path, options: str) -> str:
    return f"file:{quote(str(path))}?{options}"
