"""How a connection's bytes are read."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import trio

READ_BYTES = 64 * 1024


def reader_of(stream: trio.abc.ReceiveStream) -> Callable[[], Awaitable[bytes | bytearray]]:
    """What reads some bytes of a stream, as its `receive_some` does."""
    if sys.platform != "win32" and isinstance(stream, trio.SocketStream):
        return partial(
            _read, stream.socket
        )  # on Windows, no descriptor of a file is one of a socket
    return stream.receive_some


async def _read(socket: trio.socket.SocketType) -> bytes:
    """Wait first, and then read: trio tries first, which a client that says little makes in vain.

    The descriptor is asked for each time: after a close its number may be another user's.
    """
    while True:
        if socket.fileno() < 0:
            raise trio.ClosedResourceError
        await trio.lowlevel.wait_readable(socket)
        try:
            return os.read(socket.fileno(), READ_BYTES)
        except BlockingIOError:
            continue
        except OSError as error:
            raise trio.BrokenResourceError("the socket cannot be read") from error
