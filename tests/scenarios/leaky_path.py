"""A path between client and server that loses frames of the server's, as a bad proxy would."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

Loses = Callable[[bytes], bool]


@asynccontextmanager
async def leaky_path(port: int, loses: Loses) -> AsyncIterator[int]:
    """Its port, in front of the server's. Each frame for which `loses` says so goes missing."""

    async def carry(near: trio.SocketStream) -> None:
        far = await trio.open_tcp_stream("127.0.0.1", port)
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(_up, near, far)
            await _down(far, near, loses)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, carry, 0, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def _up(near: trio.SocketStream, far: trio.SocketStream) -> None:
    async for chunk in near:
        await far.send_all(chunk)


async def _down(far: trio.SocketStream, near: trio.SocketStream, loses: Loses) -> None:
    """The answer to the upgrade, then frame by frame (RFC 6455 §5.2; a server masks none)."""
    data = b""
    is_upgraded = False
    async for chunk in far:
        data += chunk
        if not is_upgraded:
            head, end, data = data.partition(b"\r\n\r\n")
            await near.send_all(head + end)
            is_upgraded = True
        while (size := _frame_size(data)) and len(data) >= size:
            frame, data = data[:size], data[size:]
            if not loses(frame):
                await near.send_all(frame)


def _frame_size(data: bytes) -> int | None:
    """None while its header is not there."""
    if len(data) < 2:
        return None
    match data[1]:
        case 126:
            return 4 + struct.unpack(">H", data[2:4])[0] if len(data) >= 4 else None
        case 127:
            return 10 + struct.unpack(">Q", data[2:10])[0] if len(data) >= 10 else None
        case size:
            return 2 + int(size)
