"""The copy of the journal that answers questions: an SQLite file of this server, without a name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import apsw

from greenroom.delivery.journal.redis.rows import Change, Row
from greenroom.delivery.journal.sqlite import schema
from greenroom.delivery.journal.sqlite.file import plan_once

READERS: Final = 2
"""Threads that answer questions: an asker's long question leaves one to the others."""


class Copy:
    """Whoever may read the temporary directory finds no name in it, and nothing is left behind."""

    def __init__(self, epoch: str) -> None:
        with tempfile.TemporaryDirectory(prefix="greenroom-") as directory:
            path = str(Path(directory) / "copy")
            self.database = apsw.Connection(path)
            plan_once(self.database)
            self.database.pragma("journal_mode", "wal")
            self.database.pragma("synchronous", "off")  # what is durable is in Redis
            schema.create(self.database, epoch)
            flags = apsw.SQLITE_OPEN_READONLY
            self.to_read = [apsw.Connection(path, flags=flags) for _ in range(READERS)]
            for each in self.to_read:
                plan_once(each)
                each.execute("SELECT count(*) FROM meta").fetchall()  # has it open its files

    def fill(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows as they were, without what triggers made of them."""
        self.database.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        try:
            for row in rows:
                places = ", ".join("?" * len(row))
                self.database.execute(f'INSERT OR REPLACE INTO "{table}" VALUES ({places})', row)
        finally:
            self.database.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)

    def continue_from(self, number: int) -> None:
        """Give no number of a record that was trimmed to another one."""
        sql = "INSERT OR REPLACE INTO sqlite_sequence (rowid, name, seq) VALUES (1, 'log', ?)"
        self.database.execute(sql, (number,))

    def catch_up(self, changes: Iterable[Change]) -> None:
        """Carry out changes that Redis kept and this copy did not."""
        with self.database:
            for change in changes:
                if change.row is not None:
                    self.fill(change.table, [change.row])
                else:
                    self._remove(change)

    def _remove(self, change: Change) -> None:
        info = self.database.execute(f'PRAGMA table_info("{change.table}")').fetchall()
        where = " AND ".join(f'"{row[1]}" IS ?' for row in info if row[5])
        self.database.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        try:
            self.database.execute(f'DELETE FROM "{change.table}" WHERE {where}', change.key)
        finally:
            self.database.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)

    def bytes(self) -> int:
        pages = self.database.pragma("page_count") - self.database.pragma("freelist_count")
        return int(pages * self.database.pragma("page_size"))

    def close(self) -> None:
        for each in (*self.to_read, self.database):
            each.close()
