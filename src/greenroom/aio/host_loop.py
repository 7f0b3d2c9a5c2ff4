"""An asyncio loop as a host: what crosses to it, and what it waits for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import Generic, TypeAlias, TypeVar, cast

import attrs
import outcome
import trio

from greenroom.actors.guard import call_guarded
from greenroom.actors.reactors.own_thread import WrongHost
from greenroom.aio.direct_future import DirectFuture
from greenroom.portal.border import Border
from greenroom.portal.call import Call, Lane
from greenroom.portal.errors import HostGone
from greenroom.portal.held_block import UNWIND_SECONDS
from greenroom.portal.interrupted import crossing_back

T = TypeVar("T")


class HostLoop:
    """One loop. What crosses to it waits in one deque, and wakes it once for all that waits."""

    def __init__(self, border: Border, loop: asyncio.AbstractEventLoop) -> None:
        self.border: Border = border
        self.loop: asyncio.AbstractEventLoop = loop
        self.jobs: set[Job[object]] = set()
        self._arrivals: deque[_Arrival] = deque()
        self._woken = self._kicks = False

    @property
    def is_gone(self) -> bool:
        """Whether the loop was closed."""
        return self.loop.is_closed()

    @property
    def is_here(self) -> bool:
        """Whether it runs in this thread."""
        return asyncio._get_running_loop() is self.loop

    def gone(self) -> None:
        """In the trio thread: the loop was closed, and nothing of it goes on."""
        for job in list(self.jobs):
            job.finish(outcome.Error(gone()))

    def post(self, callback: Callable[[], object]) -> bool:
        """From the trio thread: call this on the loop; False if the loop was closed."""
        self.bring(callback)
        return not self.loop.is_closed()

    def bring(self, arrival: Waiting[T] | Callable[[], object]) -> None:
        """The same, or an answer."""
        self._arrivals.append(arrival)  # type: ignore[arg-type]  # none sets its outcome there
        if not self._woken:
            self._woken = True
            self.border.wake_soon(self)

    def wake(self) -> None:
        """In the trio thread, or when that has ended."""
        try:
            self.loop.call_soon_threadsafe(self._arrived)
        except RuntimeError:  # it was closed
            self._woken = False
            self._arrivals.clear()

    def append(self, callback: Callable[[], object]) -> None:
        """On the loop: as `Border.post`, together with what the loop's other tasks post before it
        comes round again."""
        self.border.append(callback)
        self.kick_soon()

    def kick_soon(self) -> None:
        """On the loop: kick once its other tasks have appended, too."""
        if not self._kicks:
            self._kicks = True
            self.loop.call_soon(self._kick)

    def _kick(self) -> None:
        self._kicks = False
        self.border.kick()

    async def run(self, function: Callable[[], object]) -> object:
        """In a trio task: call a function on the loop, and await it there if it is async. A
        cancellation cancels it and waits for its end, for `UNWIND_SECONDS`. Raises what it raises,
        `asyncio.CancelledError` if it was cancelled over there, and `HostGone`."""
        job: Job[object] = Job(self, function)
        self.jobs.add(job)
        try:
            if not self.post(job.start):
                raise gone()
            return await job.wait()
        finally:
            self.jobs.discard(job)

    def _arrived(self) -> None:
        self._woken = False
        try:
            for _ in range(len(self._arrivals)):
                arrival = self._arrivals.popleft()
                if isinstance(arrival, Waiting):
                    arrival.set()
                else:
                    call_guarded("something that crossed to asyncio failed", arrival)
        except BaseException:  # a task has ended the loop, which may run again for the others
            self.loop.call_soon(self._arrived)
            raise


def gone() -> HostGone:
    return HostGone(
        "the event loop was closed",
        advice="end what runs on it before it ends, as asyncio.run does",
    )


def host_loop(border: Border, what: str) -> HostLoop:
    """The running loop as a host. Raises `WrongHost` where none runs."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise WrongHost(
            f"{what} must be awaited in an asyncio task",
            advice="in trio use greenroom.open_runtime, in synchronous code greenroom.start_portal",
        ) from None
    found = border.hosts.get(loop)
    if found is None:
        found = border.hosts.setdefault(loop, HostLoop(border, loop))
    return found  # type: ignore[return-value]  # a loop's is made here


class Waiting(DirectFuture, Generic[T]):
    """A task of asyncio that waits for a call's outcome."""

    __slots__ = ("_host", "call", "outcome")

    def __init__(self, host: HostLoop, call: Call[T]) -> None:
        super().__init__(host.loop)
        self._host = host
        self.outcome: outcome.Outcome[T] | None = None
        self.call: Call[T] = call
        call.host, call.answer = host, self.answered

    async def result_of_call(self) -> T:
        """What the call returns, or raises. If this is cancelled, the call is interrupted, and has
        ended at the end."""
        try:
            while self.outcome is None:
                await self
        except BaseException as error:
            self.abandon()
            if isinstance(error, asyncio.CancelledError):  # else the coroutine is thrown away
                await self.end()
            raise
        return self.outcome.unwrap()

    def abandon(self) -> None:
        """Interrupt the call."""
        self._host.border.post_if_open(self.call.interrupt)

    async def end(self) -> outcome.Outcome[T]:
        """The outcome, even if this is cancelled meanwhile: then it goes on to wait. Who calls it
        must look at `task.cancelling()`."""
        while self.outcome is None:
            with suppress(asyncio.CancelledError):
                await self
        return self.outcome

    def answered(self, result: outcome.Outcome[T]) -> None:
        """In the trio thread: the call has ended."""
        self.outcome = result
        self._host.bring(self)


@attrs.define(eq=False)
class Job(Generic[T]):
    """A function that runs on the loop for a trio task."""

    host: HostLoop
    function: Callable[[], object]
    context: Context = attrs.field(factory=copy_context)
    _task: asyncio.Task[outcome.Outcome[object]] | None = None
    _is_cancelled: bool = False
    _outcome: outcome.Outcome[object] | None = None
    _finished: trio.Event = attrs.field(factory=trio.Event)

    async def wait(self) -> object:
        """In the trio task."""
        try:
            await self._finished.wait()
        except trio.Cancelled:
            self.host.post(self.cancel)
            with trio.move_on_after(UNWIND_SECONDS, shield=True):
                await self._finished.wait()
            if isinstance(self._outcome, outcome.Error) and not _is_cancelled(self._outcome.error):
                self._outcome.unwrap()
            raise
        assert self._outcome is not None, "it is set before the event"
        return self._outcome.unwrap()

    def finish(self, result: outcome.Outcome[object]) -> None:
        """In the trio thread."""
        if self._outcome is None:
            self._outcome = result
            self._finished.set()

    # On the loop

    def start(self) -> None:
        """Call the function; a coroutine becomes a task."""
        if self._is_cancelled:
            self._over(outcome.Error(asyncio.CancelledError()))
            return
        result = outcome.capture(self.context.run, self.function)
        if isinstance(result, outcome.Value) and asyncio.iscoroutine(result.value):
            coroutine = cast("Coroutine[object, None, object]", result.value)
            self._task = self.host.loop.create_task(kept(coroutine), context=self.context)
            self._task.set_name(getattr(coroutine, "__qualname__", "agent"))
            self._task.add_done_callback(self._done)
        else:
            self._over(result)

    def cancel(self) -> None:
        """The trio task was cancelled."""
        self._is_cancelled = True
        if self._task is not None:
            self._task.cancel()

    def _done(self, task: asyncio.Task[outcome.Outcome[object]]) -> None:
        if task.cancelled():
            self._over(outcome.Error(asyncio.CancelledError()))
        else:
            error = task.exception()
            self._over(task.result() if error is None else outcome.Error(error))

    def _over(self, result: outcome.Outcome[object]) -> None:
        self._task = None
        self.host.border.post_if_open(partial(self.finish, crossing_back(result)))


async def kept(coroutine: Coroutine[object, None, T]) -> outcome.Outcome[T]:
    """Await it in a task that `SystemExit` does not leave: asyncio ends the whole loop for that,
    and with it the runs of other users."""
    try:
        return outcome.Value(await coroutine)
    except SystemExit as error:
        return outcome.Error(error)


def _is_cancelled(error: BaseException) -> bool:
    return isinstance(error, asyncio.CancelledError)


def cross(
    lane: Lane, function: Callable[[], Awaitable[T]], what: str = "this"
) -> Coroutine[object, None, T]:
    """Await `function()` in the trio thread, in its lane. Raises what it raises."""
    return cross_by(Call(function, lane), what)


def cross_by(call: Call[T], what: str) -> Coroutine[object, None, T]:
    """Have a call run in the trio thread, and await it at once. Raises what it raises."""
    border = call.lane.border
    host = host_loop(border, what)
    waiting = Waiting(host, call)
    border.append_call(call)
    host.kick_soon()
    return waiting.result_of_call()


_Arrival: TypeAlias = Callable[[], object] | Waiting[object]
