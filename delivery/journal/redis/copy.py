"""The copy of the journal that answers questions: an SQLite file of this server, without a name."""

from __future__ import annotations

import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Final, cast

import apsw

from greenroom.delivery.journal.redis.nodes.node_tables import NODES
from greenroom.delivery.journal.redis.rows import Changed, Key, KeyOf, Row
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

    def apply(self, changed: Changed) -> None:
        """Carry out changes that Redis kept and this copy has not."""
        with self._without_triggers():
            for table, rows in changed.rows.items():
                self._table(table).change(self.database, rows)

    def key_of(self, table: str) -> KeyOf:
        """What finds the key in a row of a table."""
        return self._table(table).key

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
    """The statements that change rows of a table."""

    def __init__(self, database: apsw.Connection, name: str) -> None:
        info = database.execute(f'PRAGMA table_info("{name}")').fetchall()
        keys = [number for number, row in enumerate(info) if row[5]]
        where = " AND ".join(f'"{info[number][1]}" IS ?' for number in keys)
        self.key = cast(KeyOf, itemgetter(*keys))
        self._remove = f'DELETE FROM "{name}" WHERE {where}'
        self._name = name
        self._columns = [f'"{row[1]}"' for row in info]
        self._newest = None
        if [info[number][2] for number in keys] == ["INTEGER"]:
            self._newest = f'SELECT max({self._columns[keys[0]]}) FROM "{name}"'

    def change(self, database: apsw.Connection, rows: Mapping[Key, Row | None]) -> None:
        """Set these rows, or remove them. What must be unique is so once all are as they should be:
        rows with new numbers come last, and replace none."""
        removed = [key for key, row in rows.items() if row is None]
        database.executemany(self._remove, [k if type(k) is tuple else (k,) for k in removed])
        kept = {key: row for key, row in rows.items() if row is not None}
        new = self._new_among(database, kept)
        self._set(database, [kept[key] for key in kept.keys() - new], "INSERT OR REPLACE")
        self._set(database, [kept[key] for key in kept if key in new], "INSERT")

    def _new_among(self, database: apsw.Connection, keys: Iterable[Key]) -> Set[Key]:
        """The numbers past the newest one there is; none where keys are no numbers."""
        if self._newest is None:
            return frozenset()
        newest = database.execute(self._newest).get or 0
        return {key for key in cast("Iterable[int]", keys) if key > newest}

    def _set(self, database: apsw.Connection, rows: Iterable[Row], verb: str) -> None:
        by_length: defaultdict[int, list[Row]] = defaultdict(list)
        for row in rows:
            by_length[len(row)].append(row)
        for length, some in by_length.items():
            database.executemany(self.set_row(length, verb), some)

    def set_row(self, values: int, verb: str = "INSERT OR REPLACE") -> str:
        """A row that an older greenroom kept lacks the columns that came later."""
        columns = ", ".join(self._columns[:values])
        places = ", ".join("?" * values)
        return f'{verb} INTO "{self._name}" ({columns}) VALUES ({places})'
