"""The values that a setting accepts: their description, parsing and checks (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import TypeVar

import attrs

from greenroom.actors.text.wording import kind_of
from greenroom.settings.database_url import DATABASES, DatabaseUrl, is_url, without_password

T = TypeVar("T")

SHORTEST_SECRET = 32  # bytes: an HS256 key is at least as long as the hash (RFC 7518 §3.2)


class UnexpectedValue(ValueError):
    """A value that is not accepted; the expectation describes the accepted ones."""


@attrs.frozen
class Expected:
    """`words` finish the sentence "expected …"; `read` raises `ValueError` for anything else.

    `parse` turns the text of an environment variable into what TOML would have given.
    """

    words: str
    read: Callable[[object], object]
    parse: Callable[[str], object] = str
    hidden: bool = False

    def convert(self, value: object) -> object:
        """The value as read; unchanged when refused, so that one error lists all refusals."""
        try:
            return self.read(value)
        except ValueError:
            return value

    def shown(self, value: object) -> str:
        """The value as an error message may show it."""
        if self.hidden:
            length = f"{len(value.encode())} of them" if isinstance(value, str) else kind_of(value)
            return f"{length} (not shown)"
        return repr(without_password(str(value)) if isinstance(value, str | PurePath) else value)


def setting(default: T, shape: Expected, about: str, *, show: bool = True) -> T:
    """A field of `Settings`, with what it may be and the sentence of its documentation."""
    field: T = attrs.field(
        default=default,
        converter=shape.convert,
        repr=show,
        metadata=described(shape, about),
    )
    return field


def described(shape: Expected, about: str) -> dict[str, object]:
    """The metadata of a field: what it may be, and the sentence of its documentation."""
    return {"expected": shape, "about": about}


def default_words(default: object) -> str:
    """A default as the documentation shows it."""
    return "—" if default is None or default == () else f"`{default}`"


def text(words: str = "a text") -> Expected:
    return Expected(words, _non_empty)


def whole(lowest: int, highest: int | None = None, *, unit: str = "") -> Expected:
    """A whole number from `lowest` to `highest`, both included."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise UnexpectedValue
        return _between(value, lowest, highest)

    return Expected(f"a whole number {_range_words(lowest, highest)}{unit}", read, int)


def number(above: float, *, unit: str = "") -> Expected:
    """A finite number greater than `above`."""

    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise UnexpectedValue
        if not above < value < math.inf:
            raise UnexpectedValue
        return float(value)

    return Expected(f"a number{unit} greater than {above:g}", read, float)


def seconds() -> Expected:
    return number(0, unit=" of seconds")


def pause() -> Expected:
    """Seconds, 0 for none."""

    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise UnexpectedValue
        if not 0 <= value < math.inf:
            raise UnexpectedValue
        return float(value)

    return Expected("a number of seconds of at least 0", read, float)


def one_of(*names: str) -> Expected:
    def read(value: object) -> str:
        if value not in names:
            raise UnexpectedValue
        return str(value)

    return Expected("one of " + ", ".join(names), read)


def flag() -> Expected:
    """True or false; in a variable also yes and no, on and off, 1 and 0."""

    def read(value: object) -> bool:
        if not isinstance(value, bool):
            raise UnexpectedValue
        return value

    return Expected("true or false", read, _parsed_flag)


def path(kind: Callable[[str], PurePath]) -> Expected:
    """A file path. Relative ones count from the working directory."""

    def read(value: object) -> PurePath:
        return value if isinstance(value, PurePath) else kind(_non_empty(value))

    return Expected("a file path", read)


def journal(kind: Callable[[str], PurePath]) -> Expected:
    """A database, or a file for SQLite, which accepts only names in UTF-8
    (https://sqlite.org/c3ref/open.html)."""
    plain = path(kind)

    def read(value: object) -> object:
        if isinstance(value, DatabaseUrl):
            return value
        if isinstance(value, str | PurePath) and (url := DatabaseUrl.of(value)) is not None:
            return url
        if is_url(value):
            raise UnexpectedValue
        found = plain.read(value)
        try:
            str(found).encode()
        except UnicodeEncodeError as error:
            raise UnexpectedValue from error
        return found

    return Expected(f"a file path in UTF-8, or {DATABASES}", read)


def secret() -> Expected:
    def read(value: object) -> str:
        if len(_non_empty(value).encode()) < SHORTEST_SECRET:
            raise UnexpectedValue
        return str(value)

    return Expected(f"a text of at least {SHORTEST_SECRET} bytes", read, hidden=True)


def origins() -> Expected:
    """Web origins as a browser sends them (RFC 6454 §6.2), or `*`."""

    def read(value: object) -> tuple[str, ...]:
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise UnexpectedValue
        return tuple(_origin(each) for each in value)

    words = "a list of origins such as https://chat.example.com (commas between, in a variable)"
    return Expected(words, read, _split)


def optional(expected: Expected) -> Expected:
    def read(value: object) -> object:
        return None if value is None else expected.read(value)

    return Expected(expected.words, read, expected.parse, expected.hidden)


def _non_empty(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UnexpectedValue
    return value


def _between(value: int, lowest: int, highest: int | None) -> int:
    if value < lowest or (highest is not None and value > highest):
        raise UnexpectedValue
    return value


def _range_words(lowest: int, highest: int | None) -> str:
    return f"of at least {lowest:_}" if highest is None else f"from {lowest} to {highest}"


def _parsed_flag(text: str) -> bool:
    if text.lower() in ("true", "yes", "on", "1"):
        return True
    if text.lower() in ("false", "no", "off", "0"):
        return False
    raise UnexpectedValue


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _origin(value: object) -> str:
    scheme, separator, host = _non_empty(value).partition("://")
    if value == "*":
        return "*"
    if scheme not in ("http", "https") or not separator or not host or "/" in host:
        raise UnexpectedValue
    return f"{scheme}://{host.lower()}"
