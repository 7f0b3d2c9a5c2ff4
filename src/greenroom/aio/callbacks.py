"""Callbacks of asyncio's that the trio thread calls: each runs on the host's loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Generic, ParamSpec, TypeVar, cast

import outcome

from greenroom.actors.guard import log_failure
from greenroom.aio.host_loop import HostLoop, kept
from greenroom.transport.auth.tokens import Authenticator, Identity

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

logger = logging.getLogger("greenroom")

MOST_CALLBACKS: Final = 1_000
"""Calls of one callback that may wait or be under way."""


def there(host: HostLoop, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """`function`, to be awaited in the trio thread: it is called on the loop, and awaited there if
    it is async."""

    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return cast(T, await host.run(partial(function, *args, **kwargs)))

    return call


class AioAuthenticator:
    """An authenticator whose methods run on a loop."""

    def __init__(self, authenticator: Authenticator, host: HostLoop) -> None:
        self._authenticate = there(host, authenticator.authenticate)

    async def authenticate(self, token: str) -> Identity:
        """Raises `BadToken`."""
        return await self._authenticate(token)

    @classmethod
    def of(cls, authenticator: Authenticator, host: HostLoop) -> Authenticator:
        """It, or if it offers `still_valid`, one that does too. One of our own stays as it is: it
        works in trio."""
        if type(authenticator).__module__.startswith("greenroom."):
            return authenticator
        if hasattr(authenticator, "still_valid"):
            return _Revoking(authenticator, host)
        return cls(authenticator, host)


class _Revoking(AioAuthenticator):
    def __init__(self, authenticator: Authenticator, host: HostLoop) -> None:
        super().__init__(authenticator, host)
        found: Callable[[Identity], Awaitable[bool]] = getattr(authenticator, "still_valid")  # noqa: B009
        self._still_valid = there(host, found)

    async def still_valid(self, identity: Identity) -> bool:
        """Whether the token of the identity is still good."""
        return await self._still_valid(identity)


class LoopCallback(Generic[A]):
    """A callback that the trio thread calls and does not wait for. It runs on the loop: in order if
    it is a plain function, in a task if it is async. What it raises is logged."""

    def __init__(self, function: Callable[[A], object], host: HostLoop) -> None:
        self._function = function
        self._host = host
        self._tasks: set[asyncio.Task[outcome.Outcome[object]]] = set()
        self._waiting = 0

    @classmethod
    def of(cls, function: Callable[[A], object], host: HostLoop) -> Callable[[A], None]:
        """The callback as the runtime calls it."""
        return cls(function, host)

    def __call__(self, value: A) -> None:
        """In the trio thread."""
        if self._waiting + len(self._tasks) >= MOST_CALLBACKS:
            logger.error("%r is not called: %d calls of it wait", self._function, MOST_CALLBACKS)
        else:
            self._waiting += 1
            self._host.post(partial(self._call, value))

    def _call(self, value: A) -> None:
        self._waiting -= 1
        result = self._function(value)
        if asyncio.iscoroutine(result):
            task = self._host.loop.create_task(kept(result))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[outcome.Outcome[object]]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception() or getattr(task.result(), "error", None)
        if error is not None:
            log_failure(logger, error, "a callback failed")
