"""The ids of the connection or run that a log line is about, bound once at the start of a task.

A task inherits the ids of the task that started it. An actor that starts work for others must
therefore bind the ids of that work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Log with these ids, and no others, inside a block."""
    before = _bound.get()
    _bound.set(ids)
    try:
        yield
    finally:
        _bound.set(before)
