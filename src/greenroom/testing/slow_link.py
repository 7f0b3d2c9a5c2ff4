"""A bad network between a client and a server: slow, far away, stalled or cut."""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

BUFFER_BYTES = 16 * 1024
PIECES_IN_FLIGHT = 1024
LOST = (trio.BrokenResourceError, trio.ClosedResourceError)


class SlowLink:
    """A TCP proxy. Made by `open_slow_link`; connect to `port`, change it at any time.

    `bytes_per_second` is for each connection and each direction, `latency` (seconds) is one way.
    Time is trio's: on a `MockClock` a slow transfer takes no time to test. `sent_down` counts the
    bytes passed on to clients, `sent_up` those passed on to the server, `connections` all so far.
    """

    def __init__(self, bytes_per_second: float, latency: float) -> None:
        self.port = 0
        self.bytes_per_second = bytes_per_second
        self.latency = latency
        self.connections = self.sent_down = self.sent_up = 0
        self._flows = trio.Event()
        self._flows.set()
        self._open: set[trio.CancelScope] = set()

    @property
    def live(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def stall(self) -> None:
        """Let nothing through, in either direction, until `flow`. Connections stay open."""
        self._flows = trio.Event()

    def flow(self) -> None:
        """End a stall."""
        self._flows.set()

    def cut(self) -> None:
        """Break all connections there are; new ones may come."""
        for scope in self._open:
            scope.cancel()

    async def _carry(self, client: trio.SocketStream, address: tuple[str, int]) -> None:
        self.connections += 1
        try:
            async with client, await _connected(address) as server, trio.open_nursery() as nursery:
                self._open.add(nursery.cancel_scope)
                try:
                    nursery.start_soon(self._pump, client, server, "sent_up", nursery)
                    await self._pump(server, client, "sent_down", nursery)
                finally:
                    self._open.discard(nursery.cancel_scope)
        except OSError:
            return  # the server is not there: the client sees its connection end

    async def _pump(
        self, source: trio.SocketStream, sink: trio.SocketStream, count: str, nursery: trio.Nursery
    ) -> None:
        """One direction, until either side is gone: then the connection is."""
        into, out_of = trio.open_memory_channel[tuple[float, bytes]](PIECES_IN_FLIGHT)
        nursery.start_soon(self._read, source, into)
        with suppress(*LOST):
            async for due, piece in out_of:
                await trio.sleep_until(due)
                await self._flows.wait()
                vars(self)[count] += len(piece)
                await sink.send_all(piece)
        nursery.cancel_scope.cancel()

    async def _read(
        self, source: trio.SocketStream, into: trio.MemorySendChannel[tuple[float, bytes]]
    ) -> None:
        with into, suppress(*LOST):
            while piece := await source.receive_some(self._piece_bytes()):
                await self._flows.wait()
                await trio.sleep(len(piece) / self.bytes_per_second)
                await into.send((trio.current_time() + self.latency, bytes(piece)))

    def _piece_bytes(self) -> int:
        """A tenth of a second's worth."""
        return int(min(max(1, self.bytes_per_second / 10), BUFFER_BYTES))


@asynccontextmanager
async def open_slow_link(
    port: int,
    *,
    host: str = "127.0.0.1",
    bytes_per_second: float = math.inf,
    latency: float = 0.0,
) -> AsyncIterator[SlowLink]:
    """A `SlowLink` to the server at `host` and `port`, for the length of the block."""
    link = SlowLink(bytes_per_second, latency)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        link.port = listener.socket.getsockname()[1]

        async def carry(client: trio.SocketStream) -> None:
            await link._carry(client, (host, port))

        nursery.start_soon(trio.serve_listeners, carry, [listener])
        yield link
        nursery.cancel_scope.cancel()


async def _connected(address: tuple[str, int]) -> trio.SocketStream:
    """With a small buffer, set before its connection is made (socket(7)), so that what the link
    has not carried yet waits at the server."""
    connection = trio.socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    try:
        await connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return trio.SocketStream(connection)
