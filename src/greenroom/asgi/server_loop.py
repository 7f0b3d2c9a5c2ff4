"""The event loop that an ASGI server runs on, and how another thread wakes a coroutine there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

import trio

T = TypeVar("T")

Work = Callable[[], Awaitable[None]]


class LoopSignal(Protocol):
    """Wakes the one coroutine that waits for it."""

    def set(self) -> None:
        """May be called in any thread. Costs little if it is set already."""

    async def wait(self) -> None:
        """Wait until it is set, and unset it: whoever waits looks afterwards what there is."""


class ServerLoop(Protocol):
    """An event loop."""

    def signal(self) -> LoopSignal:
        """A new signal, for a coroutine of this loop."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    async def within(self, seconds: float, work: Awaitable[T], what: str) -> T:
        """What `work` returns; cancelled after `seconds`. Raises `TookTooLong` then."""
        ...

    async def run(self, main: Work, *, until: Work, beside: Work) -> None:
        """Run `main`, but no longer than `until`, and `beside` beside it. Raises what `main`
        does."""


class TookTooLong(TimeoutError):
    """The work was cancelled after the seconds that it had."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} took longer than {seconds:g} s")


class AsyncioSignal:
    """Sets an event of the running loop, which may be uvloop's."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._is_set = False

    def set(self) -> None:
        if not self._is_set:
            self._is_set = True
            with suppress(RuntimeError):  # the loop is closed, and with it whoever waits
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()
        self._event.clear()
        self._is_set = False


class AsyncioLoop:
    """The running loop of asyncio."""

    def signal(self) -> AsyncioSignal:
        return AsyncioSignal()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def within(self, seconds: float, work: Awaitable[T], what: str) -> T:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await work
        except TimeoutError:
            if limit.expired():
                raise TookTooLong(what, seconds) from None
            raise

    async def run(self, main: Work, *, until: Work, beside: Work) -> None:
        tasks = [asyncio.ensure_future(each()) for each in (main, until, beside)]
        try:
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await _ended(tasks)


async def _ended(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Wait for tasks that were cancelled. A cancellation of whoever waits cancels them again, and
    is raised after them as it came: anyio knows those of its scopes by their message, which
    `gather` takes from the tasks."""
    cancelled: asyncio.CancelledError | None = None
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
            for task in left:  # it may be in its last words
                task.cancel()
    for task in tasks:
        if not task.cancelled():
            task.exception()  # which asyncio would complain of otherwise
    if cancelled is not None:
        raise cancelled


class TrioSignal:
    """Within one trio run."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = trio.Event()


class TrioLoop:
    """The trio run that the runtime is in, too."""

    def signal(self) -> TrioSignal:
        return TrioSignal()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def within(self, seconds: float, work: Awaitable[T], what: str) -> T:
        with trio.move_on_after(seconds):
            return await work
        raise TookTooLong(what, seconds)

    async def run(self, main: Work, *, until: Work, beside: Work) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beside)
            nursery.start_soon(_cancel_after, until, nursery.cancel_scope)
            await main()
            nursery.cancel_scope.cancel()


async def _cancel_after(work: Work, scope: trio.CancelScope) -> None:
    await work()
    scope.cancel()


def loop_here() -> ServerLoop:
    """The loop of the coroutine that calls this."""
    return TrioLoop() if trio.lowlevel.in_trio_run() else AsyncioLoop()
