"""A run's block that code of the host is in, as one task of the trio thread.

trio's scopes are entered and left in one task. So a task here enters the block, waits until the
host leaves it, and leaves it the same way: at its end, by the host's error, or cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final

import outcome
import trio

from greenroom.actors.guard import call_guarded
from greenroom.delivery.run.timeouts import GRACE_SECONDS

if TYPE_CHECKING:
    from greenroom.delivery.run.run import Run

UNWIND_SECONDS: Final = GRACE_SECONDS + 1.0
"""Seconds that the host may take to leave a block that was cut. By then the run has been ended for
its user, and the host's code finds that when it calls."""


class HeldBlock:
    """A block of `make()`, held for the host. `entered` is called once it is entered, and `cut`
    when the host must leave it early: both in the trio thread."""

    def __init__(
        self,
        make: Callable[[], AbstractAsyncContextManager[Run]],
        entered: Callable[[outcome.Outcome[Run]], object],
        cut: Callable[[], object],
    ) -> None:
        self._make = make
        self._entered = entered
        self._cut = cut
        self._left = trio.Event()
        self._error: BaseException | None = None
        self._trace: TracebackType | None = None
        self._is_cancelled = False

    async def keep(self) -> None:
        """The task. Raises what leaving the block raises, if that is not the host's own error."""
        try:
            async with self._make() as run:
                self._entered(outcome.Value(run))
                await self._stay(run)
        except BaseException as error:
            if error is not self._error:
                raise
            error.__traceback__ = self._trace  # it goes on in the host

    def leave(self, error: BaseException | None, *, cancelled: bool) -> None:
        """In the trio thread: the host leaves the block, by `error` or because it was
        `cancelled`."""
        self._error, self._is_cancelled = error, cancelled
        self._trace = None if error is None else error.__traceback__
        self._left.set()

    async def _stay(self, run: Run) -> None:
        try:
            await self._left.wait()
        except trio.Cancelled:
            call_guarded("a host could not be interrupted", self._cut)
            with trio.move_on_after(UNWIND_SECONDS, shield=True):
                await self._left.wait()
            self._raise_error()
            raise
        self._raise_error()
        if self._is_cancelled:
            run.interrupt()
            await trio.lowlevel.checkpoint()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
