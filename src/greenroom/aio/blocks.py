"""Blocks under asyncio: what `async with` enters here is entered in the trio thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from types import TracebackType
from typing import TypeVar

import outcome

from greenroom.aio.host_loop import HostLoop, Waiting, cross, host_loop
from greenroom.delivery.run.run import Run
from greenroom.portal.call import Call, Lane, ignore
from greenroom.portal.errors import PortalClosed
from greenroom.portal.faces.block import BlockFace
from greenroom.portal.held_block import HeldBlock
from greenroom.portal.visit import Visit

T = TypeVar("T")
V = TypeVar("V")

_CANCELLED = (asyncio.CancelledError, GeneratorExit)


async def enter(visit: Visit[T], lane: Lane, what: str) -> T:
    """Enter a block; cancelled meanwhile, it is left again. Raises what entering it raises."""
    try:
        return await cross(lane, visit.enter, what)
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and visit.is_entered:
            await leave(visit, lane, error)
        raise


async def leave(visit: Visit[T], lane: Lane, error: BaseException | None) -> None:
    """Leave a block by `error`. Raises what leaving it raises, if that is another error."""
    cancelled = isinstance(error, _CANCELLED)
    left = partial(visit.leave, None if cancelled else error, cancelled=cancelled)
    own = Lane(lane.border)  # a lane that was cut must be left all the same
    if isinstance(error, GeneratorExit):  # thrown away: nothing may be awaited
        with suppress(PortalClosed):
            lane.border.call(Call(left, own, ignore))
        return
    await cross(own, left)


class AioBlock(BlockFace[T, V], AbstractAsyncContextManager[V]):
    """A block without a scope of its own."""

    async def __aenter__(self) -> V:
        return self._show(await enter(self._visit, self._lane, self._what))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await leave(self._visit, self._lane, error)


class AioRunBlock(AbstractAsyncContextManager[V]):
    """The block of a run. If the run is cut, the task in it is cancelled, and the end of the block
    takes that cancellation back (as `asyncio.timeout` does)."""

    def __init__(
        self,
        lane: Lane,
        make: Callable[[], AbstractAsyncContextManager[Run]],
        show: Callable[[Run], V],
        what: str,
        *,
        lasts: bool,
    ) -> None:
        self._lane = lane
        self._show = show
        self._what = what
        self._lasts = lasts
        self._held = HeldBlock(make, self._entered, self._cut)
        self._host: HostLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._before = 0
        self._is_leaving = self._was_cut = False

    async def __aenter__(self) -> V:
        border = self._lane.border
        self._host = host = host_loop(border, self._what)
        self._task = asyncio.current_task()
        self._before = 0 if self._task is None else self._task.cancelling()
        self._run: asyncio.Future[outcome.Outcome[Run]] = host.loop.create_future()
        self._end: Waiting[None] = Waiting(host, Call(self._held.keep, self._lane))
        self._end.call.answer = self._ended
        border.call(self._end.call, lasts=self._lasts)
        try:
            entered = await self._run
        except BaseException as error:
            await self._give_up(error)
            raise
        return self._show(entered.unwrap())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._leave(error)
        if isinstance(error, GeneratorExit):
            return False
        before = self._cancellations
        end = await self._end.end()
        again = self._cancellations > before
        ours = self._was_cut and isinstance(error, asyncio.CancelledError)
        if self._was_cut and self._task is not None:
            self._task.uncancel()
        if again or (ours and self._cancellations > self._before):
            raise asyncio.CancelledError
        if isinstance(error, asyncio.CancelledError) and not ours:
            return False
        if isinstance(end, outcome.Error):
            raise end.error
        return ours

    async def _give_up(self, error: BaseException) -> None:
        """Cancelled while it was entered."""
        self._leave(asyncio.CancelledError())
        self._end.abandon()
        if not isinstance(error, GeneratorExit):
            await self._end.end()

    def _leave(self, error: BaseException | None) -> None:
        self._is_leaving = True
        cancelled = isinstance(error, _CANCELLED)
        given = None if cancelled else error
        left = partial(self._held.leave, given, cancelled=cancelled)
        self._lane.border.post_if_open(left)

    @property
    def _cancellations(self) -> int:
        return 0 if self._task is None else self._task.cancelling()

    # In the trio thread

    def _entered(self, result: outcome.Outcome[Run]) -> None:
        if self._host is not None:
            self._host.post(partial(self._arrived, result))

    def _ended(self, result: outcome.Outcome[None]) -> None:
        if self._host is not None:
            if isinstance(result, outcome.Error):
                self._host.post(partial(self._arrived, result))
            self._end.answered(result)

    def _cut(self) -> None:
        if self._host is None or not self._host.post(self._cancel):
            self._held.leave(None, cancelled=True)

    # On the loop

    def _arrived(self, result: outcome.Outcome[Run]) -> None:
        if not self._run.done():
            self._run.set_result(result)

    def _cancel(self) -> None:
        if not self._is_leaving and self._task is not None:
            self._was_cut = True
            self._task.cancel()
