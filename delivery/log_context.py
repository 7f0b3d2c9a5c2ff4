"""Which connection or run a log line is about: bound once, where its task begins.

A task inherits what its starter has bound, so whatever starts something for others binds anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})

_bound: ContextVar[Mapping[str, str]] = ContextVar("greenroom log context", default=NOTHING)


def log_context() -> Mapping[str, str]:
    """The ids bound where this is called."""
    return _bound.get()


def bind(**ids: str) -> None:
    """Log with these ids, and no others, for the rest of this task and in tasks it starts."""
    _bound.set(ids)


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """The same for the length of a block."""
    before = _bound.get()
    _bound.set(ids)
    try:
        yield
    finally:
        _bound.set(before)
