"""Checks of the arguments of event methods; errors name the event and the field (pure)."""

from __future__ import annotations

from greenroom.actors.text.wording import kind_of
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import Kind


def checked_text(kind: Kind, field: str, value: object) -> str:
    """A str, possibly empty. Raises `BadEvent`."""
    if not isinstance(value, str):
        raise BadEvent(f"{kind}: `{field}` must be a str, not {kind_of(value)}")
    return value


def checked_name(kind: Kind, field: str, value: object) -> str:
    """A str that is not empty. Raises `BadEvent`."""
    if not checked_text(kind, field, value):
        raise BadEvent(f"{kind}: `{field}` must not be empty")
    return str(value)


def checked_whole(kind: Kind, field: str, value: object) -> int:
    """An int of 0 or more. Raises `BadEvent`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadEvent(f"{kind}: `{field}` must be an int of 0 or more, not {value!r}")
    return value


def checked_outcome(kind: Kind, value: object) -> str:
    """The outcome of a completed run. Raises `BadEvent`."""
    if value not in ("ok", "cancelled"):
        raise BadEvent(f'{kind}: `outcome` must be "ok" or "cancelled", not {value!r}')
    return str(value)
