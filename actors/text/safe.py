"""Text of any object, even if its own `str` or `repr` fails (pure).

Use these functions for errors from other code and for values that users made: a `__repr__` may
raise anything (as an ORM object outside its session does), or return megabytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LONGEST = 2_000
"""The number of characters of a text that are kept."""

LONGEST_NAME = 200
"""Characters of the name of a class that are kept."""


def is_a(
    error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]
) -> bool:
    """As `isinstance`, which asks the error's `__class__`: that may lie, or raise."""
    return issubclass(type(error), kinds)


def safe_str(value: object, limit: int = LONGEST, *, otherwise: str | None = None) -> str:
    """`str(value)`, at most `limit` characters of it, or `otherwise` if that fails.

    Raises nothing but `KeyboardInterrupt`.
    """
    try:
        return _text(str, value, limit)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # noqa: BLE001  # the object's own code
        return otherwise or f"(its str() raised {type_name(broken)})"


def safe_repr(value: object, limit: int = LONGEST) -> str:
    """`repr(value)`, at most `limit` characters of it. Raises nothing but `KeyboardInterrupt`."""
    try:
        return _text(repr, value, limit)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # noqa: BLE001  # the object's own code
        return f"<{type_name(value)} (its repr() raised {type_name(broken)})>"


def type_name(value: object, limit: int = LONGEST_NAME) -> str:
    """The name of the value's class, also where a metaclass hides it."""
    name: str = _NAME.__get__(type(value))
    return name if len(name) <= limit else f"{name[:limit]}…"


_NAME: Any = type.__dict__["__name__"]  # Any: a getter and setter in C


def _text(show: Callable[[object], str], value: object, limit: int) -> str:
    text = str.__str__(show(value))  # a plain str, whatever subclass was returned
    return text if len(text) <= limit else f"{text[:limit]}…"
