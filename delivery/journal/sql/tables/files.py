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
_EXPIRED: Final = """
    DELETE FROM file WHERE (user, file) IN (
        SELECT user, file FROM file WHERE run IS NULL AND at < ? ORDER BY at LIMIT 1)
"""
_FORGET: Final = "DELETE FROM file WHERE user = ? AND run IS NULL AND at < ?"
_DISCARD: Final = "DELETE FROM file WHERE user = ? AND file = ? AND run IS NULL"
_FIND: Final = "SELECT received, run FROM file WHERE user = ? AND file = ?"
_WAITING: Final = """
    SELECT count(*), coalesce(sum(received), 0) FROM file
    WHERE user = ? AND run IS NULL AND at >= ? AND file != ?
"""
CUT_BYTES: Final = 256 * 1024
"""Of a file that is erased or forgotten, as many bytes and a part at most go in one transaction:
they take some 0.1 ms, and a hundred megabytes at once took 15."""

_LARGE: Final = "SELECT file, received FROM file WHERE user = ?1 AND received > ?2"
_OF_SAID: Final = """
    AND run IN (SELECT run FROM log
                WHERE user = ?1 AND "offset" BETWEEN ?3 AND ?4 AND kind = 'user_said')
"""
_CUT_AT: Final = """
    SELECT max(start) FROM file_part WHERE user = ? AND file = ? AND start > 0 AND start <= ?
"""
_CUT: Final = "DELETE FROM file_part WHERE user = ? AND file = ? AND start >= ?"
_SHORTER: Final = "UPDATE file SET received = ?3 WHERE user = ?1 AND file = ?2"
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


def cut_file(database: Database, user: UserId, said: tuple[int, int] | None = None) -> bool:
    """Forget the end of a large file, in a transaction of the caller's; False if there is none.
    `said`: the first and the last offset of the messages whose files are meant; all of the user's
    files if it is None. What is left is a file that has not come whole."""
    sql, values = (_LARGE, ()) if said is None else (_LARGE + _OF_SAID, said)
    found = database.execute(sql, (user, CUT_BYTES, *values)).fetchall()
    for file, received in cast("list[tuple[str, int]]", found):
        last = (user, file, received - CUT_BYTES)
        if start := cast("int | None", database.execute(_CUT_AT, last).get):
            for cut in (_CUT, _SHORTER):
                database.execute(cut, (user, file, start))
            return True
    return False


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
