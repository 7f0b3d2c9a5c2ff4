"""Files of users, in SQL. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.record import Entry
from greenroom.delivery.files.entries import (
    EXPIRES_MS,
    FilePart,
    FilesForgotten,
    FilesSaid,
    KeptFile,
)
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import Write

_PART: Final = """
    INSERT INTO file_part (user, file, start, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_FILE: Final = """
    INSERT INTO file (user, file, run, received, at) VALUES (?, ?, NULL, ?, ?)
    ON CONFLICT (user, file) DO UPDATE SET
        received = max(file.received, excluded.received), at = excluded.at
"""
_SAID: Final = "UPDATE file SET run = ? WHERE user = ? AND file = ? AND run IS NULL"
_EXPIRED: Final = "DELETE FROM file WHERE run IS NULL AND at < ?"
_FORGET: Final = "DELETE FROM file WHERE user = ? AND run IS NULL AND at < ?"
_FIND: Final = "SELECT received, run FROM file WHERE user = ? AND file = ?"
_UNFINISHED: Final = """
    SELECT coalesce(sum(received), 0) FROM file
    WHERE user = ? AND run IS NULL AND at >= ? AND file != ?
"""
_READ: Final = "SELECT data FROM file_part WHERE user = ? AND file = ? AND start = ?"


class SqlFiles:
    """Implements `FileReads`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, user: UserId, file: str) -> KeptFile | None:
        rows = self._database.execute(_FIND, (user, file)).fetchall()
        for received, run in cast("list[tuple[int, str | None]]", rows):
            return KeptFile(received, RunId.trusted(run) if run else None)
        return None

    def unfinished(self, user: UserId, since: int, but: str) -> int:
        return int(str(self._database.execute(_UNFINISHED, (user, since, but)).get))

    def part(self, user: UserId, file: str, start: int) -> bytes:
        found = self._database.execute(_READ, (user, file, start)).get
        return b"" if found is None else bytes(cast(bytes, found))


def file_writes(entries: Sequence[Entry]) -> Iterator[Write]:
    """What keeps the entries about files, in their order."""
    for entry in entries:
        if isinstance(entry, FilePart):
            yield _PART, [(entry.user, entry.file, entry.start, entry.data)]
            yield _FILE, [(entry.user, entry.file, entry.end, entry.at)]
            yield _EXPIRED, [(entry.at - EXPIRES_MS,)]
        elif isinstance(entry, FilesSaid):
            yield _SAID, [(entry.run, entry.user, file) for file in entry.files]
        elif isinstance(entry, FilesForgotten):
            yield _FORGET, [(entry.user, entry.before)]
