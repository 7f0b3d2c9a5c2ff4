"""An estimate of the bytes that a value keeps in memory.

It is good enough to bound what is kept, and cheap enough for every message: it looks only at those
fields of a record whose type can be large, which is found once for each class. Every part counts,
and counting stops at the limit, which bounds the time for a value.
"""

from __future__ import annotations

import dataclasses
import enum
import types
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs

from greenroom.actors.exit import must_go_on
from greenroom.actors.recording.small import Small, Weighed

PART = 56
"""The bytes that each part counts by itself: those of a small Python object."""

SMALL, OPAQUE, TEXT, INT, RECORD, COLLECTION, WEIGHED = range(7)

Parts: TypeAlias = Callable[[Any], Iterable[object]]  # Any: a value of the form's class


class _Weighing(NamedTuple):
    """How values of a class are weighed, and how to get their parts."""

    kind: int
    parts: Parts = tuple


SMALL_TYPES = (Small, int, float, enum.Enum, type(None))
"""Fields of these types are skipped."""

WEIGHINGS: tuple[tuple[tuple[type, ...], _Weighing], ...] = (
    ((float, enum.Enum, type(None)), _Weighing(SMALL)),
    ((str, bytes, bytearray), _Weighing(TEXT)),
    ((int,), _Weighing(INT)),
    ((tuple, list, set, frozenset, deque), _Weighing(COLLECTION)),
    ((dict, MappingProxyType), _Weighing(COLLECTION, lambda held: (*held.keys(), *held.values()))),
)


def weight_of(value: object, limit: int) -> int:
    """The bytes of texts, collections and records (attrs, dataclasses), at any depth.

    Past `limit`, or if the weight cannot be found, some number above it. A value of another form
    counts as a handle that its owner keeps, except `value` itself: a message may be of any class.
    """
    try:
        kind = _weighing_of(type(value)).kind  # type: ignore[arg-type]  # mypy doubts __hash__
        if kind == SMALL:
            return PART
        if isinstance(value, Weighed):
            return PART + value.weight
        return _weighed([value, *_attributes_of(value)] if kind == OPAQUE else [value], limit)
    except BaseException as error:
        if must_go_on(error):
            raise
        return limit + 1  # the value's own code failed


def _weighed(waiting: list[Any], limit: int) -> int:
    weight = 0
    while waiting and weight <= limit:
        part = waiting.pop()
        weight += PART
        kind, parts = _weighing_of(type(part))  # type: ignore[arg-type]  # see above
        if kind == RECORD:
            waiting.extend(parts(part))
        elif kind == TEXT:
            weight += len(part)
        elif kind == WEIGHED:
            weight += part.weight
        elif kind == INT:
            weight += part.bit_length() >> 3
        elif kind == COLLECTION:
            if len(part) * PART > limit:  # too many to look at each
                return limit + 1
            waiting.extend(parts(part))
    return weight


def _attributes_of(value: object) -> Iterable[object]:
    """The attributes of an instance of a plain class."""
    held = object.__getattribute__(value, "__dict__") if type(value).__dictoffset__ else {}
    return tuple(held.values())


@lru_cache(maxsize=1024)
def _weighing_of(cls: type) -> _Weighing:
    if issubclass(cls, Small):
        return _Weighing(SMALL)
    if issubclass(cls, Weighed):
        return _Weighing(WEIGHED)
    if attrs.has(cls) or dataclasses.is_dataclass(cls):
        return _weighing_of_records(cls)
    return next((form for kinds, form in WEIGHINGS if issubclass(cls, kinds)), _Weighing(OPAQUE))


def _weighing_of_records(cls: type) -> _Weighing:
    hints = _hints(cls)
    large = [name for name in _field_names(cls) if not _is_small(hints.get(name, object))]
    if not large:
        return _Weighing(SMALL)
    get = attrgetter(*large, large[0])  # with two or more names it returns a tuple

    def parts(record: object) -> Iterable[object]:
        try:
            return get(record)[:-1]
        except AttributeError:  # a field was never set
            return [getattr(record, name, None) for name in large]

    return _Weighing(RECORD, parts)


def _is_small(hint: object) -> bool:
    """Whether all values of a type are small; False if that cannot be known."""
    if get_origin(hint) in (Union, types.UnionType):
        return all(map(_is_small, get_args(hint)))
    return isinstance(hint, type) and issubclass(hint, SMALL_TYPES)


def _field_names(cls: type) -> list[str]:
    if attrs.has(cls):
        return [field.name for field in attrs.fields(cls)]
    return [field.name for field in dataclasses.fields(cls)]


def _hints(cls: type) -> dict[str, object]:
    try:
        return get_type_hints(cls)
    except (NameError, AttributeError, TypeError):
        return {}  # types that only checkers see
