"""Replaces the legacy ids in a journal's rows and events with new ids (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import orjson

from greenroom.delivery.events.ids import (
    AskId,
    ConnectionId,
    EventId,
    Id,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    ToolCallId,
    UserId,
)
from greenroom.delivery.legacy.legacy_ids import modern

ID_COLUMNS: Final[Mapping[str, type[Id]]] = {
    "user": UserId,
    "id": EventId,
    "event": EventId,
    "thread": ThreadId,
    "run": RunId,
    "parent": RunId,
    "request": RequestId,
    "session": SessionId,
    "connection": ConnectionId,
    "ask": AskId,
}
"""The type of the ids in each column, by the column's name in any table."""

EVENT_IDS: Final = {name: ID_COLUMNS[name] for name in ("id", "thread", "run", "parent", "request")}


@lru_cache(maxsize=65_536)
def modern_id(column: str, text: str) -> str:
    """The id of the column's type that `text` is or becomes. Raises `BadId`."""
    return str(modern(ID_COLUMNS[column], text))


def modern_body(body: bytes) -> bytes:
    """An event with new ids; the same bytes if it has no legacy ids.

    Raises `BadId`, and `ValueError` if it is not a JSON object.
    """
    event = orjson.loads(body)
    if not isinstance(event, dict):
        raise ValueError("an event must be a JSON object")  # noqa: TRY004  # as for invalid JSON
    changed = _renew_all(event)
    data = event.get("data")
    if isinstance(data, dict) and isinstance(call := data.get("tool_call"), str):
        data["tool_call"] = modern(ToolCallId, call)
        changed |= data["tool_call"] != call
    return orjson.dumps(event) if changed else body


def _renew_all(event: dict[str, object]) -> bool:
    """Replace the event's own legacy ids. Whether there were any."""
    changed = False
    for name in EVENT_IDS:
        if (text := event.get(name)) is not None:
            event[name] = new = modern_id(name, str(text))
            changed |= new != text
    return changed
