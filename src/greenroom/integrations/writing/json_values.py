"""Values of frameworks as JSON: arguments, results and reports of any class (pure)."""

from __future__ import annotations

from typing import Final, cast

import attrs
import orjson

from greenroom.actors.text.safe import safe_str
from greenroom.delivery.events.json_data import DEEPEST, LARGEST_INTEGER, flaw_of
from greenroom.delivery.events.kinds import JSON

MOST_BYTES: Final = 256 * 1024
"""Of one value. A longer one is shown as the beginning of its text."""

MOST_CHARACTERS: Final = 4096
MOST_LEVELS: Final = DEEPEST - 2
"""Of lists and objects, within the data of an event."""

_OPTIONS: Final = orjson.OPT_NON_STR_KEYS


def as_json(value: object) -> JSON:
    """The value as JSON: models of pydantic and classes of attrs by their fields, anything else
    that JSON has no form for as its text. So are integers that browsers would round, and what is
    nested too deep. A value of more than 256 KiB is cut."""
    try:
        encoded = orjson.dumps(value, default=_fields_of, option=_OPTIONS)
    except (TypeError, ValueError):  # too deep, in a circle, or a number past 64 bits
        return _beginning(safe_str(value))
    if len(encoded) > MOST_BYTES:
        return _beginning(encoded.decode())
    found = cast(JSON, orjson.loads(encoded))
    return found if flaw_of([found], "value") is None else _mended(found, MOST_LEVELS)


def arguments_of(arguments: object) -> JSON:
    """The arguments of a tool call, which some frameworks keep as the model's JSON text."""
    if isinstance(arguments, str):
        try:
            return as_json(orjson.loads(arguments)) if arguments else {}
        except orjson.JSONDecodeError:
            return as_json(arguments)
    return as_json(arguments)


def _fields_of(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return dump(mode="json")
    if attrs.has(type(value)):
        return attrs.asdict(cast(attrs.AttrsInstance, value), recurse=False)
    if isinstance(value, set | frozenset):
        return list(value)
    return safe_str(value)


def _mended(value: JSON, levels: int) -> JSON:
    if isinstance(value, dict | list) and not levels:
        return _beginning(orjson.dumps(value).decode())
    if isinstance(value, dict):
        return {name: _mended(each, levels - 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_mended(each, levels - 1) for each in value]
    is_long = type(value) is int and abs(value) > LARGEST_INTEGER
    return str(value) if is_long else value


def _beginning(text: str) -> str:
    shown = text.encode(errors="replace").decode()[:MOST_CHARACTERS]
    return f"{shown}… ({len(text):,} characters)" if len(text) > MOST_CHARACTERS else shown
