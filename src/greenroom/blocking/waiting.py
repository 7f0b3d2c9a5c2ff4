"""Threads that wait for calls in the trio thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

import attrs
import outcome
import trio

from greenroom.actors.reactors.own_thread import WrongHost, in_asyncio
from greenroom.portal.border import Border
from greenroom.portal.call import Call, Lane
from greenroom.portal.interrupted import crossing_back

T = TypeVar("T")

Inbox: TypeAlias = "SimpleQueue[outcome.Outcome[T] | Errand]"


@attrs.define(eq=False)
class Errand:
    """A function that the waiting thread is to call for the trio thread."""

    border: Border
    function: Callable[[], object]
    _outcome: outcome.Outcome[object] | None = None
    _finished: trio.Event = attrs.field(factory=trio.Event)

    def run(self) -> None:
        """In the waiting thread. Raises a `KeyboardInterrupt`, which is this thread's."""
        result = outcome.capture(self.function)
        self._outcome = crossing_back(result)
        self.border.post_if_open(self._finished.set)
        if self._outcome is not result:
            result.unwrap()

    async def wait(self) -> object:
        """In the trio thread."""
        await self._finished.wait()
        assert self._outcome is not None, "it is set before the event"
        return self._outcome.unwrap()


def cross(lane: Lane, function: Callable[[], Awaitable[T]], what: str = "this") -> T:
    """Await `function()` in the trio thread, in its lane, and wait for it. Raises what it raises,
    and `RunInterrupted` if the run was cut."""
    return cross_with(lane, function, SimpleQueue(), what)


def cross_with(lane: Lane, function: Callable[[], Awaitable[T]], inbox: Inbox[T], what: str) -> T:
    """The same, with an inbox that errands come to as well."""
    return cross_by(Call(function, lane), inbox, what)


def cross_by(call: Call[T], inbox: Inbox[T], what: str) -> T:
    """The same for a call that was made."""
    check_may_wait(call.lane.border, what)
    call.answer = inbox.put
    call.lane.border.call(call)
    return ended(call, inbox).unwrap()


def ended(call: Call[T], inbox: Inbox[T]) -> outcome.Outcome[T]:
    """The outcome of a call. An interrupt (Ctrl-C) cancels the call, and is raised once it has
    ended."""
    try:
        return _first(inbox)
    except BaseException:
        call.lane.border.post_if_open(call.interrupt)
        _first(inbox)
        raise


def _first(inbox: Inbox[T]) -> outcome.Outcome[T]:
    while isinstance(got := inbox.get(), Errand):
        got.run()
    return got


def check_may_wait(border: Border, what: str) -> None:
    """Raises `WrongHost` in a thread that must not wait: it runs a loop."""
    if border.is_own_thread or trio.lowlevel.in_trio_task():
        raise WrongHost(
            f"{what} must not be called in a trio task: it waits for the runtime",
            advice="use greenroom.open_runtime there",
        )
    if in_asyncio():
        raise WrongHost(
            f"{what} must not be called where an asyncio loop runs: it would stand still",
            advice="use greenroom.aio.open_runtime there, or asyncio.to_thread",
        )
