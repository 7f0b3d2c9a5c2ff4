"""What each field of a client frame may hold (pure).

A check is made for a field by its name, `bounded_text("note", 4096)`, and is a cattrs structure
hook: it returns the value or raises `WrongField`, which names field, expectation and given value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

import orjson

from greenroom.actors.text.wording import a
from greenroom.delivery.events.ids import BadId, I, Id, named
from greenroom.delivery.events.json_data import flaw_of
from greenroom.delivery.events.kinds import JSON

V = TypeVar("V")
FieldCheck: TypeAlias = Callable[[object, object], V]

MAX_OFFSET = 2**53
MAX_ID_LENGTH = 128
MAX_TOKEN_LENGTH = 16 * 1024


class ParseId(Protocol):
    """Reads an id of one kind. Raises `BadId` for anything else, of whatever type it is."""

    def __call__(self, kind: type[I], text: str, /) -> I: ...


def parse_id(kind: type[I], text: str) -> I:
    """An id of greenroom's own."""
    return kind.parse(text)


class WrongField(ValueError):
    """A field holds a value that the protocol does not allow."""

    def __init__(self, name: str, expected: str, given: str, advice: str = "") -> None:
        hint = f" ({advice})" if advice else ""
        super().__init__(f"`{name}` must be {expected}, not {given}{hint}")


def whole_number(name: str, lowest: int, highest: int) -> FieldCheck[int]:
    """An integer in a range; `true` and `1.0` are not integers."""
    expected = f"an integer from {lowest} to {highest}"

    def check(value: object, _: object) -> int:
        if type(value) is int and lowest <= value <= highest:
            return value
        raise WrongField(name, expected, shown(value))

    return check


def bounded_text(name: str, longest: int, *, shortest: int = 0) -> FieldCheck[str]:
    """A string of `shortest` to `longest` characters."""
    return _text(name, shortest, longest, shown)


def words(name: str, longest: int) -> FieldCheck[str]:
    """A string of 1 to `longest` characters, not only spaces."""
    bounded = bounded_text(name, longest, shortest=1)

    def check(value: object, kind: object) -> str:
        if (text := bounded(value, kind)).strip():
            return text
        raise WrongField(name, "more than spaces", shown(value))

    return check


def secret_text(name: str, longest: int) -> FieldCheck[str]:
    """A string that is never repeated in an error."""
    return _text(name, 1, longest, described)


def some_json(name: str) -> FieldCheck[JSON]:
    """Any JSON value that a browser reads as it is, `null` included: no integer past 2^53."""

    def check(value: object, _: object) -> JSON:
        if flaw := flaw_of(value, name):
            raise WrongField(flaw.path, flaw.expected, flaw.given)
        return value  # type: ignore[return-value]  # orjson returned it

    return check


def id_of(name: str, kind: type[Id], parse: ParseId) -> FieldCheck[Id]:
    """An id of one kind, as `parse` reads it."""

    def check(value: object, _: object) -> Id:
        try:
            return named(parse(kind, value))  # type: ignore[arg-type]  # `parse` refuses what is not a string
        except BadId as error:
            words = error.given_words
            given = f"{words}: {shown(value)}" if isinstance(value, str) else words
            raise WrongField(name, f"{a(error.expected)} id", given, error.advice) from error

    return check


def flag(name: str) -> FieldCheck[bool]:
    """`true` or `false`."""

    def check(value: object, _: object) -> bool:
        if type(value) is bool:
            return value
        raise WrongField(name, "true or false", shown(value))

    return check


def number_or_id(name: str, kind: type[Id], parse: ParseId) -> FieldCheck[int | Id]:
    """A place in a list: an integer from 1 to 2^53, or an id of one kind."""
    a_number, an_id = whole_number(name, 1, MAX_OFFSET), id_of(name, kind, parse)

    def check(value: object, type_: object) -> int | Id:
        return an_id(value, type_) if isinstance(value, str) else a_number(value, type_)

    return check


def offsets(name: str, most: int) -> FieldCheck[tuple[int, ...]]:
    """A list of 1 to `most` offsets."""
    return _list_of(name, most, whole_number(f"{name}[]", 1, MAX_OFFSET), shortest=1)


def texts(name: str, most: int, longest: int) -> FieldCheck[tuple[str, ...]]:
    """A list of at most `most` strings."""
    return _list_of(name, most, bounded_text(f"{name}[]", longest))


def text_fields(name: str, most: int, longest: int) -> FieldCheck[dict[str, str]]:
    """An object of at most `most` fields that are all strings."""
    key, text = bounded_text(f"{name}.*", longest), bounded_text(f"{name}.*", longest)

    def check(value: object, _: object) -> dict[str, str]:
        if not isinstance(value, dict) or len(value) > most:
            raise WrongField(name, f"an object of at most {most} fields", shown(value))
        return {key(k, str): text(v, str) for k, v in value.items()}

    return check


def maybe(check: FieldCheck[V]) -> FieldCheck[V | None]:
    """`null` counts as absent."""
    return lambda value, kind: None if value is None else check(value, kind)


def shown(value: object) -> str:
    """A value for an error message, shortened."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else f"{value[:40]!r}… ({len(value)} characters)"
    if value is None or isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    return described(value)


def described(value: object) -> str:
    """What a JSON value is, without repeating it."""
    match value:
        case str():
            return f"a string of {len(value)} characters"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)} fields"
        case None:
            return "null"
        case bool():
            return "a boolean"
        case _:
            return "a number"


def _text(
    name: str, shortest: int, longest: int, name_value: Callable[[object], str]
) -> FieldCheck[str]:
    expected = f"a string of {shortest} to {longest} characters"

    def check(value: object, _: object) -> str:
        if type(value) is str and shortest <= len(value) <= longest:
            return value
        raise WrongField(name, expected, name_value(value))

    return check


def _list_of(
    name: str, most: int, check: FieldCheck[V], *, shortest: int = 0
) -> FieldCheck[tuple[V, ...]]:
    def check_list(value: object, kind: object) -> tuple[V, ...]:
        if not isinstance(value, list) or not shortest <= len(value) <= most:
            raise WrongField(name, f"a list of {shortest} to {most}", shown(value))
        return tuple([check(item, kind) for item in value])

    return check_list
