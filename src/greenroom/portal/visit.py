"""A block without a scope of its own: it is entered in one call, and left in another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import trio

from greenroom.delivery.run.life import END_SECONDS
from greenroom.portal.call import Lane

T = TypeVar("T")


class Visit(Generic[T]):
    """The block of `make()`, whose calls go in `lane`. Both methods run in the trio thread."""

    def __init__(self, lane: Lane, make: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._lane = lane
        self._make = make
        self._manager: AbstractAsyncContextManager[T] | None = None

    @property
    def is_entered(self) -> bool:
        """Whether it has been entered, and not left."""
        return self._manager is not None

    async def enter(self) -> T:
        """Raises what entering the block raises."""
        manager = self._make()
        value = await manager.__aenter__()
        self._manager = manager
        return value

    async def leave(self, error: BaseException | None, *, cancelled: bool = False) -> None:
        """Leave it by the host's error, or because the host was cancelled. Raises what leaving it
        raises, if that is not the host's own error."""
        manager, self._manager = self._manager, None
        if manager is None:
            return
        with trio.CancelScope(shield=True, deadline=trio.current_time() + END_SECONDS):
            await self._lane.settled()
        if cancelled:
            await _leave_cancelled(manager)
        else:
            await _leave(manager, error)


def same(block: T) -> T:
    """Makes a block that is made already, or shows one as it is."""
    return block


async def _leave(manager: AbstractAsyncContextManager[T], error: BaseException | None) -> None:
    if error is None:
        await manager.__aexit__(None, None, None)
        return
    trace = error.__traceback__
    try:
        await manager.__aexit__(type(error), error, trace)
    except BaseException as raised:
        if raised is not error:
            raise
    finally:
        error.__traceback__ = trace


async def _leave_cancelled(manager: AbstractAsyncContextManager[T]) -> None:
    """As a task of trio would that was cancelled: by a `Cancelled` of its own scope."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            await manager.__aexit__(type(cancelled), cancelled, cancelled.__traceback__)
            raise
