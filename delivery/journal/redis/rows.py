"""Rows of the journal as Redis keeps them: a hash for each table and user (pure)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from typing import TypeAlias, cast

import attrs
import orjson

from greenroom.delivery.journal.sql.database import SqlValue

Row: TypeAlias = tuple[SqlValue, ...]


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


@attrs.frozen
class Change:
    """A row as it is after a commit; `row` is None if the commit removed it."""

    table: str
    user: str | None
    key: Row
    row: Row | None

    @property
    def field(self) -> bytes:
        return encoded(self.key)


@attrs.frozen
class Place:
    """How far a copy is: the number of the last commit in it, and that commit's id."""

    number: int
    append: str


@attrs.frozen
class Commit:
    """A commit in the stream. `before`: the id of the one before it."""

    place: Place
    before: str
    changes: Sequence[Change]


def changes_in(text: bytes, keys: Keys) -> Iterator[Change]:
    """The changes of a commit as the stream has them: a place, and then a row behind a plus, or the
    key of a removed row behind a minus. No id and no JSON contains the byte between them."""
    parts = iter(text.split(b"\0") if text else ())
    for place, what in zip(parts, parts, strict=True):
        table, user = keys.table_and_user(place.decode())
        values = decoded(what[1:])
        is_row = what.startswith(b"+")
        yield Change(table, user, () if is_row else values, values if is_row else None)


def encoded(row: Sequence[SqlValue]) -> bytes:
    """JSON; bytes are text in a list if they are UTF-8, and otherwise base64 in an object."""
    return orjson.dumps([_encoded(value) for value in row])


def decoded(row: bytes) -> Row:
    return tuple(_decoded(value) for value in orjson.loads(row))


def _encoded(value: SqlValue) -> object:
    if not isinstance(value, bytes):
        return value
    try:
        return [value.decode()]
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


def _decoded(value: object) -> SqlValue:
    match value:
        case [text]:
            return str(text).encode()
        case {"base64": text}:
            return b64decode(str(text))
    return cast(SqlValue, value)
