"""How deep JSON nests: a bound on what a client may make the server walk through (pure)."""

from __future__ import annotations

from collections.abc import Iterable


def brackets(message: str) -> int:
    """An upper bound of the depth, found without looking at the parse."""
    return message.count("[") + message.count("{")


def nests_at_most(deepest: int, value: object) -> bool:
    """Whether lists and objects lie at most `deepest` deep in a JSON value, itself included."""
    level = [value]
    for _ in range(deepest):
        level = [child for parent in level for child in _children(parent) if _is_nest(child)]
        if not level:
            return True
    return False


def _is_nest(value: object) -> bool:
    return type(value) is dict or type(value) is list


def _children(value: object) -> Iterable[object]:
    if type(value) is dict:
        return value.values()
    return value if type(value) is list else ()
