"""Closing a stream so that what was sent last arrives."""

from __future__ import annotations

import trio

READ_BYTES = 4096
LINGER_SECONDS = 1.0
LINGER_BYTES = 256 * 1024


async def close_gently(stream: trio.abc.Stream) -> None:
    """Close so that the answer arrives even if the peer is still sending.

    Closing a TCP socket with unread data resets it, and the reset may overtake the answer
    (RFC 9112 §9.6): so say that we are done, then read what still comes, within limits.
    """
    with trio.move_on_after(LINGER_SECONDS):
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
            left = LINGER_BYTES
            while left > 0 and (data := await stream.receive_some(READ_BYTES)):
                left -= len(data)
    await trio.aclose_forcefully(stream)
