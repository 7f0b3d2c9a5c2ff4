"""Opening a runtime under asyncio, and its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import outcome

from greenroom.aio.callbacks import LoopCallback
from greenroom.aio.host_loop import HostLoop, host_loop
from greenroom.aio.loop_agent import AioAgent, LoopAgent
from greenroom.aio.run import AioRun
from greenroom.aio.runtime import AioRuntime
from greenroom.delivery.events.ids import IdSource
from greenroom.delivery.events.policy import Policies
from greenroom.delivery.events.record import DeadLetter
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.parts import nothing_more
from greenroom.portal.border import Border
from greenroom.portal.call import Lane
from greenroom.portal.host_agents import THREADS, HostAgents
from greenroom.portal.runtime_thread import RuntimeThread
from greenroom.runtime import Runtime
from greenroom.runtime import open_runtime as open_in_trio
from greenroom.settings import Settings


@asynccontextmanager
async def open_runtime(
    settings: Settings | None = None,
    agents: Mapping[str, AioAgent] | AioAgent | None = None,
    *,
    ids: IdSource | None = None,
    policies: Policies | None = None,
    on_undelivered: Callable[[DeadLetter], object] = nothing_more,
    describe_error: Callable[[BaseException, AioRun], str] | None = None,
    wall_clock: Callable[[], float] = time.time,
    threads: int = THREADS,
) -> AsyncIterator[AioRuntime]:
    """Start the runtime in a thread of its own, and stop it in order at the end of the block.

    See `greenroom.open_runtime`. Agents that are coroutine functions run as tasks on this loop, and
    plain functions in threads, at most `threads` at once. `on_undelivered` is called on this loop,
    and awaited if it is async. `describe_error` is called in the runtime's thread and must be
    quick. If the runtime dies, the task in the block is cancelled, and the end of the block raises
    `PortalClosed`, whose cause is what ended it. Raises `WrongHost` where no asyncio loop runs.
    """

    def opening(border: Border) -> AbstractAsyncContextManager[Runtime]:
        agents_here = HostAgents(border, partial(LoopAgent, host), threads)
        return open_in_trio(
            settings,
            agents_here.made_of(agents),
            ids=ids,
            policies=policies,
            on_undelivered=LoopCallback.of(on_undelivered, host),
            describe_error=_described(describe_error, border),
            wall_clock=wall_clock,
        )

    holder = _Holder()
    thread = RuntimeThread(opening, holder.died)
    host = host_loop(thread.border, "greenroom.aio.open_runtime()")
    holder.enter(host)
    try:
        runtime = await _started(thread, host)
        yield AioRuntime(runtime, Lane(thread.border))
    except (asyncio.CancelledError, GeneratorExit) as error:
        if not holder.took_back(error):
            raise
    finally:
        await holder.stop(thread)
    if thread.error is not None:
        raise thread.border.reason()


async def _started(thread: RuntimeThread, host: HostLoop) -> Runtime:
    opened: asyncio.Future[outcome.Outcome[Runtime]] = host.loop.create_future()

    def arrived(result: outcome.Outcome[Runtime]) -> None:
        if not opened.done():
            opened.set_result(result)

    def tell(result: outcome.Outcome[Runtime]) -> None:
        host.post(partial(arrived, result))

    thread.start(tell)
    return (await opened).unwrap()


class _Holder:
    """The task that is in the block of a runtime. If the runtime dies, it is cancelled."""

    def __init__(self) -> None:
        self._host: HostLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._before = 0
        self._was_cancelled = self._is_leaving = self._is_thrown_away = False

    def enter(self, host: HostLoop) -> None:
        self._host = host
        self._task = asyncio.current_task()
        self._before = 0 if self._task is None else self._task.cancelling()

    def died(self, _: BaseException) -> None:
        """In the runtime's thread."""
        if self._host is not None:
            self._host.post(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._is_leaving:
            self._was_cancelled = True
            self._task.cancel()

    def took_back(self, error: BaseException) -> bool:
        """Whether the error was a cancellation, and this one alone. A coroutine that is thrown
        away, perhaps on a loop that is over, must not await anything."""
        self._is_leaving = True
        self._is_thrown_away = isinstance(error, GeneratorExit)
        if not self._was_cancelled or self._task is None:
            return False
        return self._task.uncancel() <= self._before

    async def stop(self, thread: RuntimeThread) -> None:
        """Stop the runtime and wait for its end, also if this is cancelled meanwhile."""
        self._is_leaving = True
        if self._host is None or thread.border.is_forked:
            return
        if self._is_thrown_away:
            thread.stop(_nothing)
            return
        ended = asyncio.Event()
        thread.stop(partial(self._host.post, ended.set))
        cancelled = False
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                cancelled = True
        thread.join()
        if cancelled:
            raise asyncio.CancelledError


def _nothing() -> None:
    """The end is not waited for."""


def _described(
    describe: Callable[[BaseException, AioRun], str] | None, border: Border
) -> Callable[[BaseException, Run], str] | None:
    if describe is None:
        return None
    described = describe

    def in_the_thread(error: BaseException, run: Run) -> str:
        return described(error, AioRun(run, Lane(border)))

    return in_the_thread
