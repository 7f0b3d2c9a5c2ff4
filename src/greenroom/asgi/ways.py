"""The way of a request from the ASGI server's coroutine to the runtime, and back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import outcome
import trio

from greenroom.actors.guard import call_guarded, log_failure
from greenroom.asgi.asgi_exchange import AsgiExchange, Receive, Send
from greenroom.asgi.server_loop import AsyncioLoop, TrioLoop
from greenroom.portal.border import Border
from greenroom.portal.call import Call, Lane
from greenroom.portal.errors import PortalClosed, RunInterrupted
from greenroom.runtime import Runtime

logger = logging.getLogger("greenroom.asgi")

Serve = Callable[[AsgiExchange], Awaitable[None]]


class Way(Protocol):
    """To one runtime."""

    @property
    def runtime(self) -> Runtime: ...

    async def carry(self, serve: Serve, receive: Receive, send: Send) -> None:
        """Have a request served where the runtime is, and carry its messages until it is."""


def _at_once(callback: Callable[[], object]) -> None:
    call_guarded("a message of an ASGI request was lost", callback)


class TrioWay:
    """The server runs in the runtime's own trio run."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def carry(self, serve: Serve, receive: Receive, send: Send) -> None:
        exchange = AsgiExchange(TrioLoop(), _at_once)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, exchange)
            await exchange.serve(receive, send)


class PortalWay:
    """The server runs on asyncio, and the runtime in a trio thread of its own."""

    def __init__(self, runtime: Runtime, border: Border) -> None:
        self.runtime = runtime
        self._border = border

    async def carry(self, serve: Serve, receive: Receive, send: Send) -> None:
        """Raises `PortalClosed` or `PortalFull` before anything of the request was done."""
        exchange = AsgiExchange(AsyncioLoop(), self._border.post)
        served = partial(serve, exchange)
        self._border.call(Call(served, Lane(self._border), partial(_served, exchange)))
        await exchange.serve(receive, send)


def _served(exchange: AsgiExchange, result: outcome.Outcome[None]) -> None:
    """It is over, however it went: also because the runtime has died."""
    exchange.finish()
    error = result.error if isinstance(result, outcome.Error) else None
    if error is not None and not isinstance(error, PortalClosed | RunInterrupted):
        log_failure(logger, error, "an ASGI request could not be served")
