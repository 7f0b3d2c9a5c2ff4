"""The client's WebSocket: opened within a deadline, closed within another."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import SplitResult, urlsplit

import attrs
import trio
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from greenroom.actors.forks.children import keep_from_children
from greenroom.actors.text.safe import safe_str
from greenroom.transport.client.client_error import ClientError
from greenroom.transport.client.handshake import CannotConnect, Handshake, meaning_of
from greenroom.transport.protocol.wire import SUBPROTOCOL

HANDSHAKE_SECONDS = 10.0
GOODBYE_SECONDS = 1.0
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
LIVE_PATH = "/live"

LOST_IN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
NO_SUCH_HOST = (socket.EAI_NONAME, socket.EAI_FAIL, getattr(socket, "EAI_NODATA", None))


class BadUrl(ClientError):
    """The URL cannot be a greenroom server's."""


@attrs.frozen
class ServerUrl:
    """Where the server is: its URL, `parsed`, and the authorities to trust if that is `wss`."""

    parsed: SplitResult
    ssl_context: ssl.SSLContext | None

    @classmethod
    def parse(cls, url: str, ssl_context: ssl.SSLContext | None) -> ServerUrl:
        """Read `ws://host[:port][/path]` or `wss://…`; the path is `/live` if there is none.

        Raises `BadUrl`.
        """
        parsed = urlsplit(url)
        if parsed.scheme not in ("ws", "wss") or not parsed.hostname:
            raise BadUrl(
                f"{url!r} must be a URL with ws:// or wss:// and a host",
                advice="like ws://127.0.0.1:8700",
            )
        if ssl_context is not None and parsed.scheme == "ws":
            raise BadUrl(
                f"`ssl_context` must be None for {url!r}, which uses no TLS", advice="use wss://"
            )
        return cls(parsed, ssl_context)

    @property
    def host(self) -> str:
        return self.parsed.hostname or ""

    @property
    def authority(self) -> str:
        return self.parsed.netloc.rpartition("@")[2]

    @property
    def resource(self) -> str:
        path = LIVE_PATH if self.parsed.path in ("", "/") else self.parsed.path
        return f"{path}?{self.parsed.query}" if self.parsed.query else path


@attrs.frozen
class OpenSocket:
    """A socket that speaks greenroom.v1, and the stream below it."""

    websocket: WebSocketConnection
    stream: Handshake


@asynccontextmanager
async def open_socket(url: ServerUrl, token: str) -> AsyncIterator[OpenSocket]:
    """A socket speaking greenroom.v1.

    Raises `Refused` for an HTTP answer, `CannotConnect` for a way there that will not change by
    itself, and `OSError` when a later try may do better.
    """
    try:
        async with _open_stream(url) as stream, plain_nursery() as nursery:
            with _handshake_deadline():
                websocket = await _handshake(nursery, stream, url, token)
            yield OpenSocket(websocket, stream)
            nursery.cancel_scope.deadline = trio.current_time() + GOODBYE_SECONDS
            await websocket.aclose()
    except ConnectionRejected as rejected:
        raise meaning_of(rejected) from rejected


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


@contextmanager
def _handshake_deadline() -> Iterator[None]:
    try:
        with trio.fail_after(HANDSHAKE_SECONDS):
            yield
    except trio.TooSlowError as error:
        raise TimeoutError(f"no connection in {HANDSHAKE_SECONDS:.0f} s") from error


@asynccontextmanager
async def _open_stream(url: ServerUrl) -> AsyncIterator[Handshake]:
    """The TCP or TLS connection. Closed here: trio-websocket does not when the server closes."""
    with _handshake_deadline():
        stream = await _connected(url)
    try:
        yield Handshake(stream)
    finally:
        await trio.aclose_forcefully(stream)


async def _connected(url: ServerUrl) -> trio.abc.Stream:
    try:
        if url.parsed.scheme == "ws":
            plain = await trio.open_tcp_stream(url.host, url.parsed.port or 80)
            keep_from_children(plain.socket)
            return plain
        stream = await trio.open_ssl_over_tcp_stream(
            url.host, url.parsed.port or 443, https_compatible=True, ssl_context=url.ssl_context
        )
    except socket.gaierror as error:
        if error.errno in NO_SUCH_HOST:
            raise CannotConnect(
                f"the host {url.host!r} does not exist: {error.strerror}"
            ) from error
        raise
    keep_from_children(stream.transport_stream.socket)
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(stream)
        raise _meaning_of_tls(url, error.__cause__) from error
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


def _meaning_of_tls(url: ServerUrl, cause: BaseException | None) -> CannotConnect | OSError:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CannotConnect(
            f"the certificate of {url.authority} is not trusted: {cause.verify_message}",
            advice="add the authority that signed it to `ssl_context`, if you trust it",
        )
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, LOST_IN_TLS):
        return CannotConnect(
            f"the TLS handshake with {url.authority} failed: {cause.reason or cause}",
            advice="use a ws:// URL for a server without TLS",
        )
    return ConnectionResetError(f"the server hung up during the TLS handshake: {safe_str(cause)}")


async def _handshake(
    nursery: trio.Nursery, stream: Handshake, url: ServerUrl, token: str
) -> WebSocketConnection:
    websocket = await wrap_client_stream(
        nursery,
        stream,  # type: ignore[arg-type]  # annotated narrower than "an arbitrary stream"
        url.authority,
        url.resource,
        subprotocols=[SUBPROTOCOL],
        extra_headers=[(b"Authorization", f"Bearer {token}".encode())],
        max_message_size=MAX_MESSAGE_BYTES,
    )
    stream.is_over = True
    return websocket
