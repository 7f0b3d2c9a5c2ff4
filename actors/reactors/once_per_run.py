"""Objects of which each trio run has one, made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import trio

T = TypeVar("T")


def once_per_run(made: trio.lowlevel.RunVar[T]) -> Callable[[Callable[[], T]], Callable[[], T]]:
    """Decorate a function so that its first call within a trio run makes an object, and sets `made`
    to it; all later calls return that object, or what `made` has been set to since.
    """

    def decorate(make: Callable[[], T]) -> Callable[[], T]:
        @wraps(make)
        def ours() -> T:
            try:
                return made.get()
            except LookupError:
                made.set(make())
                return made.get()

        return ours

    return decorate
