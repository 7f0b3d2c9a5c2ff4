"""A future whose task goes on in the callback that sets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Self, TypeAlias

Wakeup: TypeAlias = Callable[["DirectFuture"], object]


class DirectFuture:
    """What one task waits on; `set` runs the task's next step before it returns.

    An `asyncio.Future` has the loop call the task in its next round instead, by a handle for each:
    of the answers that come together, that took a third of what they cost the loop. A task takes
    any object for a future that has `_asyncio_future_blocking` (`asyncio.isfuture`), its loop in
    `_loop`, and the three methods that a task calls.
    """

    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_context", "_loop", "_wakeup")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wakeup: Wakeup | None = None
        self._context: Context | None = None
        self._cancelled: tuple[object, ...] | None = None

    def __await__(self) -> Generator[Self, None, None]:
        """Wait until it is set. It may be awaited again if the task was cancelled."""
        self._cancelled, self._asyncio_future_blocking = None, True
        yield self

    def set(self) -> None:
        """On the loop, in no task: have the task go on, if it waits. Raises the `SystemExit` and
        the `KeyboardInterrupt` that the task raises, as a handle of the loop does."""
        wakeup, self._wakeup = self._wakeup, None
        if wakeup is not None and self._context is not None:
            self._context.run(wakeup, self)

    # What a task calls

    def add_done_callback(self, wakeup: Wakeup, *, context: Context) -> None:
        """The task waits from now on."""
        self._wakeup, self._context = wakeup, context

    def cancel(self, msg: object = None) -> bool:
        """The task is cancelled; False if it waits no more."""
        wakeup, self._wakeup = self._wakeup, None
        if wakeup is None:
            return False
        self._cancelled = () if msg is None else (msg,)
        self._loop.call_soon(wakeup, self, context=self._context)
        return True

    def result(self) -> None:
        """Raises what the task gets."""
        if self._cancelled is not None:
            raise asyncio.CancelledError(*self._cancelled)
