"""Checks that a browser reads JSON data back unchanged (pure).

JSON has no NaN and no Infinity, and encoders write `null` for them; a browser's numbers are
doubles, so it rounds integers past 2**53 (RFC 8259 §6). Such a value is refused at the call,
with the path to it, instead of reaching the browser as a different value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import attrs

LARGEST_INTEGER: Final = 2**53
DEEPEST: Final = 200

_PLAIN: Final = frozenset({str, bool, type(None)})
_PLAIN_OR_INT: Final = _PLAIN | {int}
_STR: Final = frozenset({str})
_Path: TypeAlias = "tuple[_Path | None, str | int]"


@attrs.frozen
class Flaw:
    """A value that is not allowed: the path to it, what it must be, and what it is."""

    path: str
    expected: str
    given: str

    def __str__(self) -> str:
        return f"{self.path} must be {self.expected}, not {self.given}"


def is_plain(data: object) -> bool:
    """Whether it is an object of strings, integers and the like, as nearly always: nothing can be
    wrong with it that an encoder which is strict about integers does not refuse."""
    return (
        type(data) is dict
        and _STR.issuperset(map(type, data))
        and _PLAIN_OR_INT.issuperset(map(type, data.values()))
    )


def flaw_of(data: object, name: str) -> Flaw | None:
    """The first value that JSON cannot carry unchanged, if any; `name` begins the path to it.

    Strings are not examined: the encoder refuses invalid text itself (see `half_pair_of`).
    """
    if type(data) is dict and _STR.issuperset(map(type, data)) and _are_plain(data.values()):
        return None  # nearly always
    return _first_flaw(data, name, texts=False)


def half_pair_of(data: object, name: str) -> Flaw | None:
    """Like `flaw_of`, but also finds halves of surrogate pairs, which encoders refuse."""
    return _first_flaw(data, name, texts=True)


def any_flaw_of(data: object, name: str) -> Flaw | None:
    """What is wrong with data that the encoder refused, or has not seen."""
    return flaw_of(data, name) or half_pair_of(data, name)


def _first_flaw(data: object, name: str, *, texts: bool) -> Flaw | None:
    pending: list[tuple[object, _Path, int]] = [(data, (None, name), 0)]
    while pending:
        value, way, depth = pending.pop()
        if isinstance(value, dict | list) or type(value) is tuple:
            if depth == DEEPEST:
                return Flaw(_path(way), f"at most {DEEPEST} levels deep", "deeper")
            flaw = _look_into(value, way, depth + 1, pending, texts)
        else:
            flaw = _flaw_of_leaf(value, way, texts)
        if flaw is not None:
            return flaw
    return None


def _look_into(
    value: dict[object, object] | Sequence[object],
    way: _Path,
    depth: int,
    pending: list[tuple[object, _Path, int]],
    texts: bool,
) -> Flaw | None:
    """Most data needs no check of each value: it is strings, or numbers that are all in range."""
    children: Iterable[object] = value
    if isinstance(value, dict):
        for key in value if texts or set(map(type, value)) - {str} else ():
            if flaw := _flaw_of_key(key, way):
                return flaw
        children = value.values()
    if not texts and _are_plain(children):
        return None
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key, child in reversed(list(zip(keys, children, strict=True))):
        pending.append((child, (way, key), depth))  # type: ignore[arg-type]  # keys are checked
    return None


def _are_plain(children: Iterable[object]) -> bool:
    kinds = set(map(type, children))
    if kinds <= _PLAIN:
        return True
    if kinds <= _PLAIN_OR_INT:
        return _are_in_range(children)
    if kinds == {float}:
        return all(map(math.isfinite, children))  # type: ignore[arg-type]  # all are float
    return False


def _are_in_range(children: Iterable[object]) -> bool:
    for each in children:
        if type(each) is int and not -LARGEST_INTEGER <= each <= LARGEST_INTEGER:
            return False
    return True


def _flaw_of_leaf(value: object, way: _Path, texts: bool) -> Flaw | None:
    kind = type(value)
    if isinstance(value, str):
        return (
            Flaw(_path(way), "text", "half a surrogate pair") if texts and _is_torn(value) else None
        )
    if kind is bool or value is None:
        return None
    if isinstance(value, int):
        if -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            return None
        return Flaw(_path(way), "an integer from -2^53 to 2^53", _number(value))
    if kind is float:
        return None if math.isfinite(value) else Flaw(_path(way), "a finite number", repr(value))  # type: ignore[arg-type]  # it is a float
    return Flaw(_path(way), "JSON", f"of type {type(value).__name__}")


def _flaw_of_key(key: object, way: _Path) -> Flaw | None:
    if type(key) is not str:
        found = f"an object with a key of type {type(key).__name__}"
        return Flaw(_path(way), "an object whose keys are all str", found)
    if _is_torn(key):
        found = "an object with half a surrogate pair in a key"
        return Flaw(_path(way), "an object whose keys are text", found)
    return None


def _is_torn(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text)


def _number(value: int) -> str:
    return str(int(value)) if abs(value) < 10**40 else f"an integer of {value.bit_length()} bits"


def _path(way: _Path) -> str:
    """`data.result.rows[3]`"""
    steps: list[str] = []
    link: _Path | None = way
    while link is not None:
        link, key = link
        steps.append(_step(key) if link is not None else str(key))
    return "".join(reversed(steps))


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    if key.isidentifier() and len(key) <= 40:
        return f".{key}"
    return f"[{key[:40]!r}{'…' if len(key) > 40 else ''}]"
