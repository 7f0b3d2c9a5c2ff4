"""The search for parts of a value that can be changed in place (pure)."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import (
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set,
)
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

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


class _Mutability(NamedTuple):
    """What is wrong with all values of a class, if anything, and how to get their parts."""

    fault: str | None = None
    parts: Callable[[object], Iterable[tuple[str, object]]] = lambda _: ()
    values: Callable[[object], Iterable[object]] | None = None
    """The parts without their names, for less."""


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
        if form.values is not None and not _any_part(tuple(map(type, form.values(whole)))):
            continue
        for step, part in form.parts(whole):
            form = _mutability_of(type(part))  # type: ignore[arg-type]  # mypy doubts type.__hash__
            if form is not OPAQUE:
                waiting.append((way + step, part, form))
    return None


@lru_cache(maxsize=1024)
def _any_part(types: tuple[type, ...]) -> bool:
    """Whether a value of one of these types has to be looked at."""
    return any(_mutability_of(each) is not OPAQUE for each in types)


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
    steps = [(f".{name}", name) for name in names]
    return _Mutability(
        _fault_of(cls, names),
        lambda value: [(step, getattr(value, name)) for step, name in steps],
        attrgetter(*names) if len(names) > 1 else None,
    )


def _named(value: Any) -> Iterable[tuple[str, object]]:
    return ((f".{name}", inner) for name, inner in value._asdict().items())


def _numbered(value: Any) -> Iterable[tuple[str, object]]:
    return ((f"[{place}]", inner) for place, inner in enumerate(value))


def _by_key(value: Any) -> Iterable[tuple[str, object]]:
    return ((f"[{key!r}]", inner) for key, inner in value.items())


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
