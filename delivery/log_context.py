"""The ids of the connection or run that a log line is about, bound once at the start of a task.

A task inherits the ids of the task that started it. An actor that starts work for others must
therefore bind the ids of that work.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})

_bound: ContextVar[Mapping[str, str]] = ContextVar("greenroom log context", default=NOTHING)


def log_context() -> Mapping[str, str]:
    """The ids bound in the current context."""
    return _bound.get()


def bind(**ids: str) -> None:
    """Log with these ids, and no others, for the rest of this task and in tasks it starts."""
    _bound.set(ids)


class bound:  # noqa: N801 - it is used as a function
    """Log with these ids, and no others, inside a block."""

    __slots__ = ("_before", "_ids")

    def __init__(self, **ids: str) -> None:
        self._ids = ids

    def __enter__(self) -> None:
        self._before = _bound.get()
        _bound.set(self._ids)

    def __exit__(self, *_: object) -> None:
        _bound.set(self._before)
