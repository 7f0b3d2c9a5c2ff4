"""Answers as objects: the JSON Schema of an attrs class, and the instance of an answer (pure)."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar, cast

import attrs
import cattrs

from greenroom.delivery.events.kinds import JSON

T = TypeVar("T")

_SIMPLE: Final[Mapping[object, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_converter = cattrs.Converter(forbid_extra_keys=True)


class BadAnswerType(TypeError):
    """The class cannot be the type of an answer; the text says why."""


def schema_of(answer_type: type) -> Mapping[str, JSON]:
    """The JSON Schema of the answers that become an instance of this attrs class.

    Fields may be of str, bool, int, float, None, enums and `Literal`s of these, attrs classes,
    lists, dicts with str keys, and one of these or None. Raises `BadAnswerType` for others.
    """
    if not (isinstance(answer_type, type) and attrs.has(answer_type)):
        raise BadAnswerType(f"it must be an attrs class, not {answer_type!r}")
    return _of_class(answer_type, ())


def structured(value: JSON, answer_type: type[T]) -> T:
    """The answer as an instance. Raises what a converter or a validator of the class raises."""
    return _converter.structure(value, answer_type)


def _of_class(cls: type, within: tuple[type, ...]) -> dict[str, JSON]:
    if cls in within:
        raise BadAnswerType(f"{cls.__name__} may not have fields of its own type")
    attrs.resolve_types(cls)
    fields = [field for field in attrs.fields(cls) if field.init]
    return {
        "type": "object",
        "properties": {
            field.name: _of_field(cls, field.name, field.type, (*within, cls)) for field in fields
        },
        "required": [field.name for field in fields if field.default is attrs.NOTHING],
        "additionalProperties": False,
    }


def _of_field(cls: type, name: str, type_: object, within: tuple[type, ...]) -> JSON:
    try:
        return _of_type(type_, within)
    except _NoSchema as error:
        raise BadAnswerType(
            f"{cls.__name__}.{name} cannot be {error}: JSON has no such type"
        ) from None


class _NoSchema(TypeError):
    """JSON has no such type."""


def _of_type(type_: object, within: tuple[type, ...]) -> JSON:
    if type_ in _SIMPLE:
        return {"type": _SIMPLE[type_]}
    if isinstance(type_, type) and attrs.has(type_):
        return _of_class(type_, within)
    if isinstance(type_, enum.EnumMeta):
        return {"enum": [each.value for each in cast("type[enum.Enum]", type_)]}
    make = _GENERIC.get(typing.get_origin(type_))
    if make is None:
        raise _NoSchema(str(type_))
    return make(type_, typing.get_args(type_), within)


def _of_literal(_: object, values: Sequence[JSON], __: tuple[type, ...]) -> JSON:
    return {"enum": list(values)}


def _of_list(type_: object, items: Sequence[object], within: tuple[type, ...]) -> JSON:
    return {"type": "array", "items": _of_type(items[0], within)}


def _of_dict(type_: object, items: Sequence[object], within: tuple[type, ...]) -> JSON:
    if items[0] is not str:
        raise _NoSchema(str(type_))
    return {"type": "object", "additionalProperties": _of_type(items[1], within)}


def _of_optional(type_: object, items: Sequence[object], within: tuple[type, ...]) -> JSON:
    if len(items) != 2 or type(None) not in items:
        raise _NoSchema(str(type_))
    return {"anyOf": [_of_type(each, within) for each in items]}


_GENERIC: Final[
    Mapping[object, Callable[[object, Sequence[typing.Any], tuple[type, ...]], JSON]]
] = {
    typing.Literal: _of_literal,
    list: _of_list,
    dict: _of_dict,
    typing.Union: _of_optional,
    types.UnionType: _of_optional,
}
