"""Files of users, in SQL. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.record import Entry
from greenroom.delivery.files.entries import (
    EXPIRES_MS,
    FileDiscarded,
    FilePart,
    FilesForgotten,
    FilesSaid,
    KeptFile,
    PendingFiles,
)
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import Write

# A part is kept only if the file ends where it begins: the journal was asked before, and others may
# have written, or erased, since.
_BEGIN: Final = """
    INSERT INTO file (user, file, run, received, at) VALUES (?, ?, NULL, ?, ?)
    ON CONFLICT (user, file) DO UPDATE SET received = excluded.received, at = excluded.at
    WHERE file.received = 0 AND file.run IS NULL
"""
_GO_ON: Final = """
    UPDATE file SET received = ?3, at = ?4
    WHERE user = ?1 AND file = ?2 AND received = ?5 AND run IS NULL
"""
_PART: Final = """
    INSERT INTO file_part (user, file, start, data)
    SELECT user, file, ?3, ?4 FROM file WHERE user = ?1 AND file = ?2 AND received = ?5
    ON CONFLICT DO NOTHING
"""
_SAID: Final = "UPDATE file SET run = ? WHERE user = ? AND file = ? AND run IS NULL"
_EXPIRED: Final = "DELETE FROM file WHERE run IS NULL AND at < ?"
_FORGET: Final = "DELETE FROM file WHERE user = ? AND run IS NULL AND at < ?"
_DISCARD: Final = "DELETE FROM file WHERE user = ? AND file = ? AND run IS NULL"
_FIND: Final = "SELECT received, run FROM file WHERE user = ? AND file = ?"
_WAITING: Final = """
    SELECT count(*), coalesce(sum(received), 0) FROM file
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

    def waiting(self, user: UserId, since: int, but: str) -> PendingFiles:
        ((files, size),) = self._database.execute(_WAITING, (user, since, but)).fetchall()
        return PendingFiles(int(str(files)), int(str(size)))

    def part(self, user: UserId, file: str, start: int) -> bytes:
        found = self._database.execute(_READ, (user, file, start)).get
        return b"" if found is None else bytes(cast(bytes, found))


def file_writes(entries: Sequence[Entry]) -> Iterator[Write]:
    """What keeps the entries about files, in their order."""
    for entry in entries:
        if isinstance(entry, FilePart):
            yield from _part_writes(entry)
        elif isinstance(entry, FilesSaid):
            yield _SAID, [(entry.run, entry.user, file) for file in entry.files]
        elif isinstance(entry, FilesForgotten):
            yield _FORGET, [(entry.user, entry.before)]
        elif isinstance(entry, FileDiscarded):
            yield _DISCARD, [(entry.user, entry.file)]


def _part_writes(part: FilePart) -> Iterator[Write]:
    key, end = (part.user, part.file), part.end
    if part.start:
        yield _GO_ON, [(*key, end, part.at, part.start)]
    else:
        yield _BEGIN, [(*key, end, part.at)]
    if part.data:
        yield _PART, [(*key, part.start, part.data, end)]
    yield _EXPIRED, [(part.at - EXPIRES_MS,)]
