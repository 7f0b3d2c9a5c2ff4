"""Actors that fail on purpose: they crash, stop reading, are slow, or ignore cancellation."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias, TypeVar

import attrs
import outcome
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.errors import GreenroomError
from greenroom.actors.text.safe import safe_repr
from greenroom.supervisor.child_spec import ChildSpec

M = TypeVar("M")
ActorFactory = Callable[[], Actor[M]]
Receive = Callable[[object], Awaitable[None]]
Raised: TypeAlias = BaseException | Callable[[], BaseException] | None
"""An exception, what makes one, or None for an `InjectedFault`."""


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
        factory: ActorFactory[M],
        *,
        error: Raised = None,
        every: bool = False,
    ) -> ActorFactory[M]:
        """Raise `error` (an `InjectedFault`) in place of handling the nth message (1, 2, …).

        `error` is an exception, or what makes one (a class, an entry of `STRAYS`).
        Counted over all actors of the factory, so one restart is one crash; `every` counts for
        each new actor, so that restarting never helps.
        """
        count = 0

        def make() -> Actor[M]:
            nonlocal count
            count = 0 if every else count

            async def crash(message: object) -> None:
                nonlocal count
                count += 1
                if count == nth:
                    raise _made(error, f"message {nth} was to crash: {safe_repr(message)}")

            return _before_each(factory(), crash)

        return make

    def raise_at(
        self, nth: int, spec: ChildSpec, *, error: Raised = None, every: bool = False
    ) -> ChildSpec:
        """Raise `error` (an `InjectedFault`) in any child, at the nth time it has waited (1, 2, …).

        That is wherever the child's task is resumed then: while it starts, handles a message, or
        says its last words; as if the code that it waited in had raised. Counted over all lives of
        the child, `every` counts from 0 in each life. `error` is as for `crash_on`.
        """
        count = 0

        async def start(*, task_status: trio.TaskStatus[object]) -> None:
            nonlocal count
            count = 0 if every else count

            def due() -> BaseException | None:
                nonlocal count
                count += 1
                return _made(error, f"checkpoint {nth} was to raise") if count == nth else None

            await _interrupted(spec.start(task_status=task_status), due)

        return attrs.evolve(spec, start=start)

    def slow(self, seconds: float, factory: ActorFactory[M]) -> ActorFactory[M]:
        """Wait before each message. With `autojump_clock` that takes no time to test."""

        async def wait(_: object) -> None:
            await trio.sleep(seconds)

        return lambda: _before_each(factory(), wait)

    def deaf(self, factory: ActorFactory[M], *, after: int = 0) -> ActorFactory[M]:
        """Handle `after` messages, then none, until cancelled: the mailbox fills, asks wait."""

        return _then(factory, after, self._released.wait)

    def ignores_cancellation(self, factory: ActorFactory[M], *, after: int = 0) -> ActorFactory[M]:
        """Handle `after` messages; in the next one, wait behind a shield, so that nothing stops it.

        It ends with `release`, which the fixture calls when the test is over.
        """

        return _then(factory, after, self._dig_in)

    def release(self) -> None:
        """Let every deaf and every stuck actor go on."""
        self._released.set()

    async def _dig_in(self) -> None:
        with trio.CancelScope(shield=True):
            await self._released.wait()


def _made(error: Raised, words: str) -> BaseException:
    if isinstance(error, BaseException):
        return error
    return InjectedFault(words) if error is None else error()


@types.coroutine
def _interrupted(
    child: Awaitable[object], due: Callable[[], BaseException | None]
) -> Generator[Any, Any, None]:  # Any: what trio and its traps say to each other
    """Run `child`; in place of what trio answers it when it is resumed, answer what is `due()`.

    Not before it is resumed: what waits in trio has said how to call the waiting off, so that
    nothing else may end it. And not thrown in from outside: a `GeneratorExit` would close it.
    """
    steps = child.__await__()
    answer: Any = None
    while True:
        try:
            trap = steps.send(answer) if isinstance(steps, Generator) else next(steps)
        except StopIteration:
            return
        answer = yield trap
        error = due()
        if error is not None:
            answer = outcome.Error(error)


def _then(
    factory: ActorFactory[M], after: int, wait: Callable[[], Awaitable[object]]
) -> ActorFactory[M]:
    """Each actor handles `after` messages, and waits before each later one."""

    def make() -> Actor[M]:
        left = after

        async def count(_: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                await wait()

        return _before_each(factory(), count)

    return make


def _before_each(actor: Actor[M], before: Receive) -> Actor[M]:
    """Await `before(message)` ahead of each message the actor handles, in the actor's own task."""
    handle = actor.receive_many

    async def receive_many(messages: deque[object]) -> None:
        while messages and not actor._stop:
            message = messages.popleft()
            await before(getattr(message, "request", message))
            await handle(deque([message]))  # type: ignore[list-item]  # it came from there

    actor.receive_many = receive_many  # type: ignore[method-assign,assignment]  # of this one only
    actor._live = types.MethodType(Actor._live, actor)  # type: ignore[method-assign]  # also of a reactor
    return actor
