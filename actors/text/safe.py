"""Text of any object, also of one whose own `str` or `repr` fails (pure).

Use these for errors that came from other code and for values that users made: a `__repr__` may
raise anything (an ORM object outside of its session does), or return megabytes.
"""

from __future__ import annotations

from collections.abc import Callable

LONGEST = 2_000
"""Characters of a text that are kept."""


def safe_str(value: object, limit: int = LONGEST, *, otherwise: str | None = None) -> str:
    """`str(value)`, at most `limit` characters of it, or `otherwise` if that fails.

    Raises nothing but `KeyboardInterrupt`.
    """
    try:
        return _text(str, value, limit)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # noqa: BLE001  # the object's own code
        return otherwise or f"(its str() raised {type(broken).__name__})"


def safe_repr(value: object, limit: int = LONGEST) -> str:
    """`repr(value)`, at most `limit` characters of it. Raises nothing but `KeyboardInterrupt`."""
    try:
        return _text(repr, value, limit)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # noqa: BLE001  # the object's own code
        return f"<{type(value).__name__} (its repr() raised {type(broken).__name__})>"


def _text(show: Callable[[object], str], value: object, limit: int) -> str:
    text = str.__str__(show(value))  # a plain str, whatever subclass was returned
    return text if len(text) <= limit else f"{text[:limit]}…"
