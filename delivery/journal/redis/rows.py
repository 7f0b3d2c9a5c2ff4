"""Rows of the journal as Redis keeps them: a hash for each table and user (pure)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, cast

import attrs
import orjson

from greenroom.delivery.journal.sql.database import SqlValue

Row: TypeAlias = tuple[SqlValue, ...]

ROOT: Final = "greenroom"
"""The hash of what is known of the journal as a whole; all other keys begin with it and a colon."""

NODES: Final = f"{ROOT}:nodes"
"""Of each node: when its lease is over (ms, 0: given up), its place, and its channel."""

COMMITS: Final = f"{ROOT}:commits"
"""The stream of the last commits, by their numbers."""

CHANNEL: Final = f"{ROOT}:to:"
"""What the channels begin with on which nodes tell each other that there is more."""

ROWS: Final = f"{ROOT}:rows:"


@attrs.frozen
class Change:
    """A row as it is after a commit; `row` is None if the commit removed it."""

    table: str
    user: str | None
    key: Row
    row: Row | None

    @property
    def place(self) -> str:
        """The Redis key. Those of a user share a slot of a cluster (`{user}`)."""
        return place_of(self.table, self.user)

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


def place_of(table: str, user: str | None) -> str:
    return f"{ROWS}{table}" if user is None else f"{ROWS}{table}:{{{user}}}"


def table_of(place: str) -> str:
    return place.removeprefix(ROWS).partition(":")[0]


def changes_in(text: bytes) -> Iterator[Change]:
    """The changes of a commit as the stream has them: a place, and then a row behind a plus, or the
    key of a removed row behind a minus. No id and no JSON contains the byte between them."""
    parts = iter(text.split(b"\0") if text else ())
    for place, what in zip(parts, parts, strict=True):
        table, _, braced = place.decode().removeprefix(ROWS).partition(":")
        user = braced[1:-1] if braced else None
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
