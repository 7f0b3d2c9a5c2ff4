"""Actors made to fail on purpose: fallen, deaf, slow, or deaf to cancellation."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from greenroom.actors.actor import Actor
from greenroom.actors.errors import GreenroomError

M = TypeVar("M")
Factory = Callable[[], Actor[M]]
Receive = Callable[[object], Awaitable[None]]


class InjectedFault(GreenroomError):
    """The crash a test asked for."""


class Faults:
    """Wraps actor factories: `actor_child("it", faults.crash_on(3, Account))`.

    The actors stay what they are, of their own class; only how they take messages changes, and
    they take them one at a time. `release` ends what only a fault keeps waiting.
    """

    def __init__(self) -> None:
        self._released = trio.Event()

    def crash_on(
        self,
        nth: int,
        factory: Factory[M],
        *,
        error: Exception | None = None,
        every: bool = False,
    ) -> Factory[M]:
        """Raise `error` (an `InjectedFault`) in place of handling the nth message (1, 2, …).

        Counted over all actors of the factory, so one restart is one crash; `every` counts for
        each actor anew, so that restarting never helps.
        """
        count = 0

        def make() -> Actor[M]:
            nonlocal count
            count = 0 if every else count

            async def crash(message: object) -> None:
                nonlocal count
                count += 1
                if count == nth:
                    raise error or InjectedFault(f"message {nth} was to crash: {message!r}")

            return _before_each(factory(), crash)

        return make

    def slow(self, seconds: float, factory: Factory[M]) -> Factory[M]:
        """Wait before each message. With `autojump_clock` that takes no time to test."""

        async def wait(_: object) -> None:
            await trio.sleep(seconds)

        return lambda: _before_each(factory(), wait)

    def deaf(self, factory: Factory[M], *, after: int = 0) -> Factory[M]:
        """Handle `after` messages, then none, until cancelled: the mailbox fills, asks wait."""

        def make() -> Actor[M]:
            left = after

            async def listen_no_more(_: object) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    await self._released.wait()

            return _before_each(factory(), listen_no_more)

        return make

    def ignores_cancellation(self, factory: Factory[M], *, after: int = 0) -> Factory[M]:
        """Handle `after` messages; in the next one, wait behind a shield, so that nothing stops it.

        It ends with `release`, which the fixture calls when the test is over.
        """

        def make() -> Actor[M]:
            left = after

            async def dig_in(_: object) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    with trio.CancelScope(shield=True):
                        await self._released.wait()

            return _before_each(factory(), dig_in)

        return make

    def release(self) -> None:
        """Let every deaf and every stuck actor go on."""
        self._released.set()


def _before_each(actor: Actor[M], before: Receive) -> Actor[M]:
    """Await `before(message)` ahead of each message the actor handles."""
    handle = actor.receive_many

    async def receive_many(messages: deque[object]) -> None:
        while messages and not actor._stop:
            message = messages.popleft()
            await before(getattr(message, "request", message))
            await handle(deque([message]))  # type: ignore[list-item]  # it came from there

    actor.receive_many = receive_many  # type: ignore[method-assign,assignment]  # of this one only
    return actor
