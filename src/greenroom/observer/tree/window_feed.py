"""A window on the tree as a stream of events: first all of it, then what changes (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import orjson

from greenroom.delivery.events.kinds import JSON

SCHEMA: Final = "greenroom.nodes/1"

Row: TypeAlias = dict[str, JSON]
Rows: TypeAlias = Mapping[str, Row]
"""By the paths of their nodes, in order."""


class WindowFeed:
    """What one visitor was sent last, and what to send next."""

    def __init__(self) -> None:
        self._rows: Rows | None = None
        self._figures: dict[str, JSON] = {}

    def next(self, at: int, figures: dict[str, JSON], rows: Rows) -> bytes:
        """The event that leads to these rows; none if nothing has changed."""
        before, self._rows = self._rows, rows
        old, self._figures = self._figures, figures
        if before is None:
            return event("window", whole(at, figures, rows))
        changes = difference(before, rows)
        if changes == {"rows": []} and old == figures:
            return b""
        return event("change", {"at": at, **figures, **changes})


def difference(old: Rows, new: Rows) -> dict[str, JSON]:
    """`rows` that are new or changed, and the `order` of all of them unless it is the same."""
    changed: list[JSON] = [row for path, row in new.items() if old.get(path) != row]
    order: dict[str, JSON] = {} if list(old) == list(new) else {"order": list(new)}
    return {"rows": changed, **order}


def whole(at: int, figures: dict[str, JSON], rows: Rows) -> dict[str, JSON]:
    """A window as one object."""
    return {"schema": SCHEMA, "at": at, **figures, "rows": list(rows.values())}


def event(name: str, data: dict[str, JSON]) -> bytes:
    """A message of an event stream."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"
