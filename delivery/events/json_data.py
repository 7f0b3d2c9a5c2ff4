"""What can be said in JSON such that a browser reads what was written (pure).

JSON has no NaN and no Infinity, and encoders write `null` for them; a browser's numbers are
doubles, so it rounds integers past 2**53 (RFC 8259 §6). Such a value is refused where it comes in,
with the way to it, instead of being another one when it comes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import attrs

LARGEST_INTEGER: Final = 2**53
DEEPEST: Final = 200

_PLAIN: Final = frozenset({str, bool, type(None)})
_Path: TypeAlias = "tuple[_Path | None, str | int]"


@attrs.frozen
class Flaw:
    """What a value in some data cannot be: the way to it, what it must be, and what it is."""

    path: str
    expected: str
    given: str

    def __str__(self) -> str:
        return f"{self.path} must be {self.expected}, not {self.given}"


def flaw_of(data: object, name: str) -> Flaw | None:
    """The first value that JSON cannot carry unchanged, if any; `name` is what the data is called.

    Strings are not looked into: an encoder refuses what is no text (see `half_pair_of`).
    """
    return _first_flaw(data, name, texts=False)


def half_pair_of(data: object, name: str) -> Flaw | None:
    """The same, with halves of surrogate pairs: for what an encoder refused."""
    return _first_flaw(data, name, texts=True)


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
    """Most of what is said needs no look at each: strings, or numbers that are all in range."""
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
    if kinds == {int}:
        numbers = list(children)
        return min(numbers) >= -LARGEST_INTEGER and max(numbers) <= LARGEST_INTEGER  # type: ignore[type-var, operator]  # all are int
    if kinds == {float}:
        return all(map(math.isfinite, children))  # type: ignore[arg-type]  # all are float
    return False


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
        found = f"one with a key of type {type(key).__name__}"
        return Flaw(_path(way), "an object whose keys are all str", found)
    if _is_torn(key):
        return Flaw(_path(way), "an object whose keys are text", "one with half a surrogate pair")
    return None


def _is_torn(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text)


def _number(value: int) -> str:
    return str(int(value)) if abs(value) < 10**40 else f"one of {value.bit_length()} bits"


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
