"""The client's WebSocket: opened within a deadline, closed within another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from greenroom.transport.errors import BadUrl, Refused
from greenroom.transport.wire import SUBPROTOCOL

HANDSHAKE_SECONDS = 10.0
GOODBYE_SECONDS = 1.0
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
LIVE_PATH = "/live"


@asynccontextmanager
async def open_socket(url: str, token: str) -> AsyncIterator[WebSocketConnection]:
    """A socket speaking greenroom.v1.

    Raises `Refused` for an HTTP answer that will not change by itself, `BadUrl`, and `OSError`
    (also for an answer that may change) when a later try may do better.
    """
    try:
        async with _open_stream(url) as stream, plain_nursery() as nursery:
            with _handshake_deadline():
                socket = await _handshake(nursery, stream, url, token)
            yield socket
            nursery.cancel_scope.deadline = trio.current_time() + GOODBYE_SECONDS
            await socket.aclose()
    except ConnectionRejected as rejected:
        raise _meaning_of(rejected) from rejected


@asynccontextmanager
async def plain_nursery() -> AsyncIterator[trio.Nursery]:
    """A nursery whose error, if it is one alone, comes out as itself and not in a group."""
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        error = group.exceptions[0]
    if error is not None:
        raise error  # out here, where the group does not become its context


class _Handshaking(trio.abc.Stream):
    """A stream whose end is an error while the handshake lasts.

    trio-websocket would take it for a closed WebSocket and wait for the handshake for ever.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.is_over = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self.is_over:
            return await self._stream.receive_some(max_bytes)
        try:
            data = await self._stream.receive_some(max_bytes)
        except trio.BrokenResourceError as error:
            raise _hung_up() from error
        if not data and not self.is_over:
            raise _hung_up()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError as error:
            if self.is_over:
                raise
            raise _hung_up() from error

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


@contextmanager
def _handshake_deadline() -> Iterator[None]:
    try:
        with trio.fail_after(HANDSHAKE_SECONDS):
            yield
    except trio.TooSlowError as error:
        raise TimeoutError(f"no connection in {HANDSHAKE_SECONDS:.0f} s") from error


@asynccontextmanager
async def _open_stream(url: str) -> AsyncIterator[_Handshaking]:
    """The TCP or TLS connection. Closed here: trio-websocket does not when the server closes."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise BadUrl(f"{url!r} is not the URL of a server", advice="like ws://127.0.0.1:8700")
    stream: trio.abc.Stream
    with _handshake_deadline():
        if parts.scheme == "wss":
            stream = await trio.open_ssl_over_tcp_stream(
                parts.hostname, parts.port or 443, https_compatible=True
            )
        else:
            stream = await trio.open_tcp_stream(parts.hostname, parts.port or 80)
    try:
        yield _Handshaking(stream)
    finally:
        await trio.aclose_forcefully(stream)


async def _handshake(
    nursery: trio.Nursery, stream: _Handshaking, url: str, token: str
) -> WebSocketConnection:
    parts = urlsplit(url)
    path = LIVE_PATH if parts.path in ("", "/") else parts.path
    socket = await wrap_client_stream(
        nursery,
        stream,  # type: ignore[arg-type]  # annotated narrower than "an arbitrary stream"
        parts.netloc.rpartition("@")[2],
        f"{path}?{parts.query}" if parts.query else path,
        subprotocols=[SUBPROTOCOL],
        extra_headers=[(b"Authorization", f"Bearer {token}".encode())],
        max_message_size=MAX_MESSAGE_BYTES,
    )
    stream.is_over = True
    return socket


def _hung_up() -> ConnectionResetError:
    return ConnectionResetError("the server hung up during the handshake")


def _meaning_of(rejected: ConnectionRejected) -> Refused | OSError:
    """A 4xx is final, but for 408 and 429; the others pass."""
    status = rejected.status_code
    said = (rejected.body or b"").decode(errors="replace").strip()[:200]
    if 400 <= status < 500 and status not in (408, 429):
        return Refused(status, said)
    return ConnectionRefusedError(f"HTTP {status}: {said}")
