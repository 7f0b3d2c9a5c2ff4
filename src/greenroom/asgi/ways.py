"""The way of a request from the ASGI server's coroutine to the runtime, and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from greenroom.actors.guard import call_guarded
from greenroom.asgi.asgi_exchange import AsgiExchange, Receive, Send
from greenroom.asgi.server_loop import TrioLoop
from greenroom.runtime import Runtime

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
