"""The copy of the journal that answers questions: an SQLite file of this server, without a name."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from greenroom.delivery.journal.redis.nodes.node_tables import NODES
from greenroom.delivery.journal.redis.rows import Change, Row
from greenroom.delivery.journal.sqlite import schema
from greenroom.delivery.journal.sqlite.file import plan_once

READERS: Final = 2
"""Threads that answer questions: an asker's long question leaves one to the others."""

_NEWEST: Final = "SELECT number, id FROM log ORDER BY number DESC LIMIT 1"


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
            self.database.execute(NODES)
            flags = apsw.SQLITE_OPEN_READONLY
            self.to_read = [apsw.Connection(path, flags=flags) for _ in range(READERS)]
            self._to_look = apsw.Connection(path, flags=flags)
            self._looks = threading.RLock()
            for each in (*self.to_read, self._to_look):
                plan_once(each)
                each.execute("SELECT count(*) FROM meta").fetchall()  # has it open its files
        self._tables: dict[str, _Table] = {}

    def fill(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows as they were, without what triggers made of them."""
        with self._without_triggers():
            for row in rows:
                self.database.execute(self._table(table).set_row(len(row)), row)

    def empty(self) -> None:
        """Remove all rows but the epoch's."""
        sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        with self._without_triggers():
            for (table,) in self.database.execute(sql).fetchall():
                but = " WHERE name != 'epoch'" if table == "meta" else ""
                self.database.execute(f'DELETE FROM "{table}"{but}')

    def continue_from(self, number: int) -> None:
        """Give no number of a record that was trimmed to another one."""
        self.database.execute("DELETE FROM sqlite_sequence WHERE name = 'log'")
        self.database.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('log', ?)", (number,)
        )

    def newest(self) -> tuple[int, str] | None:
        """The number and the id of the newest record."""
        return next(iter(self.database.execute(_NEWEST)), None)

    def apply(self, changes: Iterable[Change]) -> None:
        """Carry out changes that Redis kept and this copy has not."""
        with self._without_triggers():
            for change in changes:
                table = self._table(change.table)
                if change.row is not None:
                    self.database.execute(table.set_row(len(change.row)), change.row)
                else:
                    self.database.execute(table.remove, change.key)

    @contextmanager
    def looking(self) -> Iterator[apsw.Connection]:
        """A connection for one look, on any thread; others wait."""
        with self._looks:
            yield self._to_look

    def bytes(self) -> int:
        pages = self.database.pragma("page_count") - self.database.pragma("freelist_count")
        return int(pages * self.database.pragma("page_size"))

    def close(self) -> None:
        for each in (*self.to_read, self._to_look, self.database):
            each.close()

    def _table(self, name: str) -> _Table:
        if name not in self._tables:
            self._tables[name] = _Table(self.database, name)
        return self._tables[name]

    @contextmanager
    def _without_triggers(self) -> Iterator[None]:
        self.database.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        try:
            yield
        finally:
            self.database.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)


class _Table:
    """The statements that change one row of a table."""

    def __init__(self, database: apsw.Connection, name: str) -> None:
        info = database.execute(f'PRAGMA table_info("{name}")').fetchall()
        where = " AND ".join(f'"{row[1]}" IS ?' for row in info if row[5])
        self.remove = f'DELETE FROM "{name}" WHERE {where}'
        self._name = name
        self._columns = [f'"{row[1]}"' for row in info]

    def set_row(self, values: int) -> str:
        """A row that an older greenroom kept lacks the columns that came later."""
        columns = ", ".join(self._columns[:values])
        places = ", ".join("?" * values)
        return f'INSERT OR REPLACE INTO "{self._name}" ({columns}) VALUES ({places})'
