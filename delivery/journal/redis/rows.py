"""Rows of the journal as Redis keeps them: a hash for each table and user (pure)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import attrs
import orjson

from greenroom.delivery.journal.sql.database import SqlValue

Row: TypeAlias = tuple[SqlValue, ...]

ROOT: Final = "greenroom"
"""The hash of what is known of the journal as a whole; all other keys begin with it and a colon."""

LEASE: Final = f"{ROOT}:lease"
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


def place_of(table: str, user: str | None) -> str:
    return f"{ROWS}{table}" if user is None else f"{ROWS}{table}:{{{user}}}"


def table_of(place: str) -> str:
    return place.removeprefix(ROWS).partition(":")[0]


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
