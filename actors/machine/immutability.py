"""The search for parts of a value that can be changed in place (pure)."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import (
    Callable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set,
)
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs

MUTABLE = (MutableSequence, MutableMapping, MutableSet)
TRANSPARENT = frozenset(
    {Union, types.UnionType, tuple, frozenset, Sequence, Mapping, Set} | {types.MappingProxyType}
)
"""Types whose parameters are types of parts. (Those of `Callable` or `type` are not.)"""

BY_IDENTITY: object = object.__eq__


@attrs.frozen
class _Frozen:
    """All frozen attrs classes share the `__setattr__` of this one, which refuses."""


Parts: TypeAlias = tuple[Sequence[str], Sequence[object]]
"""The steps to the parts of a value, and the parts."""


class _Mutability(NamedTuple):
    """What is wrong with all values of a class, if anything, and how to get their parts."""

    fault: str | None = None
    parts: Callable[[object], Parts] = lambda _: ((), ())


OPAQUE = _Mutability()


def mutable_part(value: object, name: str = "data") -> str | None:
    """The first part that can be changed in place, as `data.tools: dict`; None if there is none.

    Such parts are lists, dicts, sets and the like, and attrs classes and dataclasses that are not
    frozen or declare a field of such a type. Other values, and those that are compared by identity
    (`eq=False`), count as handles: their owner changes them, not the data that holds them.
    """
    waiting = [(name, value, _mutability_of(type(value)))]  # type: ignore[arg-type]  # see below
    while waiting:
        way, whole, form = waiting.pop()
        if form.fault is not None:
            return way + form.fault
        steps, parts = form.parts(whole)
        for place, form in _not_opaque(tuple(map(type, parts))):
            waiting.append((way + steps[place], parts[place], form))
    return None


@lru_cache(maxsize=1024)
def _not_opaque(types: tuple[type, ...]) -> Sequence[tuple[int, _Mutability]]:
    """The places in a row of values of these types at which one has to be looked at."""
    forms = map(_mutability_of, types)
    return [(place, form) for place, form in enumerate(forms) if form is not OPAQUE]


@lru_cache(maxsize=1024)
def _mutability_of(cls: type) -> _Mutability:
    if issubclass(cls, MUTABLE):
        return _Mutability(f": {cls.__name__}")
    if issubclass(cls, tuple):
        return _Mutability(parts=_named if hasattr(cls, "_fields") else _numbered)
    if issubclass(cls, Mapping):
        return _Mutability(parts=_by_key)
    if not _is_record(cls):
        return OPAQUE
    names = _field_names(cls)
    steps = [f".{name}" for name in names]
    values = attrgetter(*names, "__class__", "__class__")  # a tuple, for any number of names
    return _Mutability(_fault_of(cls, names), lambda value: (steps, values(value)[:-2]))


def _named(value: Any) -> Parts:
    return [f".{name}" for name in value._fields], value


def _numbered(value: Any) -> Parts:
    return [f"[{place}]" for place in range(len(value))], value


def _by_key(value: Any) -> Parts:
    return [f"[{key!r}]" for key in value], list(value.values())


def _is_record(cls: type) -> bool:
    """Whether it is an attrs class or a dataclass that is compared by its fields."""
    is_record = attrs.has(cls) or dataclasses.is_dataclass(cls)
    return is_record and cls.__eq__ is not BY_IDENTITY


def _is_frozen(cls: type) -> bool:
    if attrs.has(cls):
        return cls.__setattr__ is _Frozen.__setattr__
    return bool(cls.__dataclass_params__.frozen)  # type: ignore[attr-defined]  # dataclasses have it


def _field_names(cls: type) -> list[str]:
    if attrs.has(cls):
        return [field.name for field in attrs.fields(cls)]
    return [field.name for field in dataclasses.fields(cls)]


def _fault_of(cls: type, fields: Sequence[str]) -> str | None:
    """The fault of every value of a class: ` (Link is not frozen)`, `.tools: dict`."""
    if not _is_frozen(cls):
        return f" ({cls.__name__} is not frozen)"
    try:
        hints = get_type_hints(cls)
    except (NameError, AttributeError, TypeError):
        return None  # types that only checkers see: the values are looked at instead
    found = ((name, _mutable_type(hints.get(name))) for name in fields)
    return next((f".{name}: {cls.__name__}" for name, cls in found if cls is not None), None)


def _mutable_type(hint: object) -> type | None:
    """The first type in an annotation whose values can be changed in place."""
    origin = get_origin(hint) or hint
    if origin in TRANSPARENT:
        return next(filter(None, map(_mutable_type, get_args(hint))), None)
    if not isinstance(origin, type):
        return None
    mutable = issubclass(origin, MUTABLE) or (_is_record(origin) and not _is_frozen(origin))
    return origin if mutable else None
