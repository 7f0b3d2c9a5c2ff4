"""Rows of the journal as Redis keeps them: a hash for each table and user (pure)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Final, NamedTuple, TypeAlias

import attrs
import orjson

from greenroom.delivery.journal.sql.database import SqlValue

Row: TypeAlias = tuple[SqlValue, ...]
Key: TypeAlias = "SqlValue | Row"
"""The value of the column that is a table's key, or a row of those that together are."""

KeyOf: TypeAlias = "Callable[[Sequence[SqlValue]], Key]"


@attrs.frozen
class Keys:
    """The keys of a journal. In a cluster its name is their hash tag, so that they share a slot: a
    script reaches all of them."""

    root: str = "greenroom"
    """The hash of what is known of the journal as a whole; all other keys begin with it."""

    @classmethod
    def of(cls, journal: str | None) -> Keys:
        """`journal`: its name in a cluster."""
        return cls() if journal is None else cls(f"greenroom:{{{journal}}}")

    @property
    def nodes(self) -> str:
        """Of each node: when its lease is over (ms, 0: given up), its place, and its channel."""
        return f"{self.root}:nodes"

    @property
    def commits(self) -> str:
        """The stream of the last commits, by their numbers."""
        return f"{self.root}:commits"

    @property
    def channel(self) -> str:
        """What the channels begin with on which nodes tell each other that there is more."""
        return f"{self.root}:to:"

    @property
    def rows(self) -> str:
        """What the keys of rows begin with."""
        return f"{self.root}:rows:"

    @property
    def of_all(self) -> list[str]:
        """What each script begins with."""
        return [self.root, self.nodes, self.commits]

    def place_of(self, table: str, user: str | None) -> str:
        """The key of the rows of a table, or of a user's."""
        return f"{self.rows}{table}" if user is None else f"{self.rows}{table}:{{{user}}}"

    def table_and_user(self, place: str) -> tuple[str, str | None]:
        """What `place_of` was called with."""
        table, _, braced = place.removeprefix(self.rows).partition(":")
        return table, braced[1:-1] if braced else None


class Change(NamedTuple):
    """A row as it is after a commit of this node; `row` is None if the commit removed it."""

    table: str
    user: str | None
    key: Row
    row: Row | None

    @property
    def field(self) -> bytes:
        return encoded(self.key)


@attrs.frozen
class Changed:
    """What commits of other nodes changed: of each table the rows, by their keys, as they are after
    the last of these commits, or None if they were removed; and whose they are."""

    rows: Mapping[str, Mapping[Key, Row | None]]
    users: Set[str]


@attrs.frozen
class Place:
    """How far a copy is: the number of the last commit in it, and that commit's id."""

    number: int
    append: str


@attrs.frozen
class Commit:
    """A commit in the stream. `before`: the id of the one before it. `text`: its changes."""

    place: Place
    before: str
    text: bytes


def text_of(changes: Iterable[Change], keys: Keys) -> bytes:
    """Changes as the stream has them: a place, and then a row behind a plus, or the key of a
    removed row behind a minus. No id and no JSON contains the byte between them."""
    return b"\0".join(
        keys.place_of(each.table, each.user).encode()
        + (b"\0-" + each.field if each.row is None else b"\0+" + encoded(each.row))
        for each in changes
    )


def changed_by(texts: Iterable[bytes], keys: Keys, key_of: Callable[[str], KeyOf]) -> Changed:
    """What commits of others changed, as the stream has it. All of it is decoded at once.
    `key_of(table)` finds the key in a row of the table."""
    parts = b"\0".join(filter(None, texts)).split(b"\0")
    places, whats = parts[:-1:2], parts[1::2]
    owners = {place: keys.table_and_user(place.decode()) for place in set(places)}
    tables: dict[str, dict[Key, Row | None]] = {table: {} for table, _ in owners.values()}
    where = {place: (tables[table], key_of(table)) for place, (table, _) in owners.items()}
    rows = orjson.loads(b"[" + b",".join([what[1:] for what in whats]) + b"]")
    for place, what, row in zip(places, whats, rows, strict=True):
        lasts, key = where[place]
        if what.startswith(b"+"):
            lasts[key(row)] = _with_bytes(row)
        else:
            lasts[tuple(row) if len(row) > 1 else row[0]] = None
    return Changed(tables, {user for _, user in owners.values() if user is not None})


def encoded(row: Sequence[SqlValue]) -> bytes:
    """JSON; bytes are text in a list if they are UTF-8, and otherwise base64 in an object."""
    return orjson.dumps(row, default=_encoded)


def decoded(row: bytes) -> Row:
    return _with_bytes(orjson.loads(row))


def _with_bytes(values: list[Any]) -> Row:
    """A row of JSON as SQLite has it."""
    kinds = list(map(type, values))
    if list in kinds or dict in kinds:
        return tuple([_decoded(each) if type(each) in _BYTES else each for each in values])
    return tuple(values)


def _encoded(value: object) -> object:
    if not isinstance(value, bytes):
        raise TypeError(f"no value of SQLite: {value!r}")
    try:
        return [value.decode()]
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


_BYTES: Final = (list, dict)


def _decoded(value: object) -> bytes:
    match value:
        case [text]:
            return str(text).encode()
        case {"base64": text}:
            return b64decode(str(text))
    raise ValueError(f"no value of a row: {value!r}")
