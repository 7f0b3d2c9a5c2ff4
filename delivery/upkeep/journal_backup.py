"""A copy of a journal that a server may be writing meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.upkeep.journal_upkeep import TellProgress, copied_from, no_progress
from greenroom.delivery.upkeep.sql_tables import count_rows


@attrs.frozen
class BackedUp:
    """The number of rows in a backup, and the size of its file in bytes."""

    rows: int
    size: int


def back_up_online(
    path: str | os.PathLike[str],
    to: str | os.PathLike[str],
    progress: TellProgress = no_progress,
) -> BackedUp:
    """Copy the journal as it is now to a new file, `to`, and compare the two row by row.

    All of it is one read transaction: the backup is of one moment, a server that writes cannot make
    it begin again (sqlite.org/backup.html), and the server's WAL grows until it ends. Only the
    journal's owner can read the copy. Raises `JournalFailed` if `to` exists or its directory does
    not, `JournalCorrupt` if the journal is damaged, or as `JournalReader` does.
    """
    reader, target = JournalReader(path), Path(to).absolute()
    with reader.look() as source:
        source.execute("BEGIN")
        rows = count_rows(source)  # the first read begins it (sqlite.org/lang_transaction.html)
        with copied_from(source, reader.path, target, progress):
            pass
        source.execute("COMMIT")
    return BackedUp(rows, target.stat().st_size)
