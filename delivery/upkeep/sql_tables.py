"""The tables of a journal in SQL, as upkeep walks through them."""

from __future__ import annotations

from typing import Final, cast

import attrs

from greenroom.delivery.journal.sql.database import Database

_NAMES: Final = """
    SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite|_%' ESCAPE '|'
    ORDER BY name
"""
_COLUMNS: Final = "SELECT name, pk FROM pragma_table_info(?) ORDER BY cid"

NOT_ENTRIES: Final = frozenset({"meta", "unsettled", "log_end", "node", "notice"})
"""Tables of the journal itself, and those that follow from others."""
OF_NODES: Final = frozenset({"node", "queued"})
"""Columns that mean something to one database's nodes only."""
_FIRST: Final = ("log", "span")
_LAST: Final = ("thread",)


@attrs.frozen
class SqlTable:
    """A table and its columns. `numbered`: its rows also have a `number`, which rises with age."""

    name: str
    columns: tuple[str, ...]
    numbered: bool

    @property
    def names(self) -> str:
        """The columns, as a statement lists them."""
        return ", ".join(f'"{column}"' for column in self.columns)

    @property
    def order(self) -> str:
        """By number if there is one, which keeps the order of all events."""
        return "number" if self.numbered else "1, 2"


def tables(database: Database) -> list[SqlTable]:
    """The tables with entries: first the log, then what its rows bring into being, last what they
    bring into being and other statements change."""
    found = [str(name) for (name,) in database.execute(_NAMES).fetchall()]
    names = [name for name in found if name not in NOT_ENTRIES]
    return [_table(database, name) for name in sorted(names, key=_place)]


def count_rows(database: Database) -> int:
    """The number of rows in all tables."""
    return sum(
        cast(int, database.execute(f'SELECT count(*) FROM "{table.name}"').get)
        for table in tables(database)
    )


def _place(name: str) -> tuple[bool, bool, str]:
    return name in _LAST, name not in _FIRST, name


def _table(database: Database, name: str) -> SqlTable:
    columns = [(str(each), pk) for each, pk in database.execute(_COLUMNS, (name,)).fetchall()]
    others = [each for each, pk in columns if not (each == "number" and pk)]
    entries = tuple(each for each in others if each not in OF_NODES)
    return SqlTable(name, entries, numbered=len(others) < len(columns))
