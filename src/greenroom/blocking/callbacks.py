"""Callbacks of synchronous code's that the trio thread calls: each runs in a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, Generic, TypeVar

import trio

from greenroom.actors.guard import call_guarded
from greenroom.portal.border import Border
from greenroom.portal.call import Call, Lane, ignore
from greenroom.portal.interrupted import uninterrupted

A = TypeVar("A")

logger = logging.getLogger("greenroom")

MOST_CALLBACKS: Final = 1_000
"""Calls of one callback that may wait."""


class ThreadCallback(Generic[A]):
    """A callback that the trio thread calls and does not wait for: it runs in a thread, one call
    after the other. What it raises is logged."""

    def __init__(self, function: Callable[[A], object], border: Border) -> None:
        self._function = function
        self._border = border
        self._one_at_a_time = trio.CapacityLimiter(1)
        self._waiting = 0

    @classmethod
    def of(cls, function: Callable[[A], object], border: Border) -> Callable[[A], None]:
        """The callback as the runtime calls it."""
        return cls(function, border)

    def __call__(self, value: A) -> None:
        """In the trio thread."""
        if self._waiting >= MOST_CALLBACKS:
            logger.error("%r is not called: %d calls of it wait", self._function, MOST_CALLBACKS)
            return
        self._waiting += 1
        self._border.spawn(Call(partial(self._call, value), Lane(self._border), ignore))

    def _guarded(self, value: A) -> None:
        call_guarded("on_undelivered() failed", self._function, value)

    async def _call(self, value: A) -> None:
        try:
            await trio.to_thread.run_sync(
                uninterrupted, self._guarded, value, limiter=self._one_at_a_time
            )
        finally:
            self._waiting -= 1
