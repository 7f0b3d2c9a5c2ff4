"""One request on an accepted stream, and its answer, after which the stream is closed."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

import trio

from greenroom.transport.http.gentle_close import READ_BYTES, close_gently
from greenroom.transport.http.request_head import HeadParser, RequestHead
from greenroom.transport.http.responses import Response


async def read_head(stream: trio.abc.Stream, parser: HeadParser) -> RequestHead | None:
    """Read until the parser has a head. None if the peer leaves first. Raises `BadRequest`."""
    while data := await stream.receive_some(READ_BYTES):
        head = parser.feed(bytes(data))
        if head is not None:
            return head
    return None


async def send_response(
    stream: trio.abc.Stream,
    response: Response,
    head: RequestHead | None,
    clock: Callable[[], float],
) -> None:
    """Answer the request, None for one that could not be read, and close the stream."""
    with_body = head is None or head.method != "HEAD"
    date = formatdate(clock(), usegmt=True)
    await stream.send_all(response.encode(date=date, with_body=with_body))
    await close_gently(stream)


def peer_of(stream: trio.abc.Stream) -> str | None:
    """The address of the other end of a TCP socket; None if it is gone, or no such socket."""
    if not isinstance(stream, trio.SocketStream):
        return None
    try:
        address = stream.socket.getpeername()
    except OSError:
        return None
    return str(address[0]) if isinstance(address, tuple) else None
