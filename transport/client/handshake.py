"""A client's stream while its opening handshake lasts, and what an HTTP answer means to it."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import h11
import trio
from trio_websocket import ConnectionRejected

from greenroom.actors.errors import Fault
from greenroom.transport.client.client_error import ClientError

KEPT_BYTES = 16 * 1024
SHOWN = 200
HTTP = b"HTTP/"
LONGEST_ASKED = 300.0
"""Seconds that a client waits at most because a `Retry-After` asks for it."""

FOR_NOW = (408, 429)
"""The 4xx that are not about this request."""


class CannotConnect(ClientError):
    """The URL leads elsewhere or nowhere: the host does not exist, its certificate is not trusted,
    or it speaks neither HTTP nor TLS."""

    fault = Fault.OPERATOR


class Refused(ClientError):
    """The server answered the upgrade with an HTTP status instead of a socket.

    `after`: the seconds that its `Retry-After` asks to wait, at most five minutes.
    """

    fault = Fault.OPERATOR

    def __init__(self, status: int, text: str, after: float | None = None) -> None:
        super().__init__(f"the server refused the connection with HTTP {status}: {text}")
        self.status = status
        self.text = text
        self.after = after

    @property
    def is_for_now(self) -> bool:
        """Whether the same server may take the same request later: a 5xx, a 408 or a 429."""
        return self.status >= 500 or self.status in FOR_NOW


class Handshake(trio.abc.Stream):
    """A stream whose end is an error while the handshake lasts.

    trio-websocket takes such an end for a closed WebSocket and waits for the handshake for ever, or
    forgets an answer that ends with the connection. `came_at`: the time of the last bytes.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._answer = b""
        self.is_over = False
        self.came_at = trio.current_time()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self._stream.receive_some(max_bytes)
        except trio.BrokenResourceError as error:
            if self.is_over:
                raise
            raise self._ended() from error
        self.came_at = trio.current_time()
        if not self.is_over:
            self._note(data)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError as error:
            if self.is_over:
                raise
            raise self._ended() from error

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Before the handshake is over, trio-websocket closes what it cannot understand."""
        await self._stream.aclose()
        if not self.is_over:
            raise self._ended()

    def _note(self, data: bytes | bytearray) -> None:
        if not data:
            raise self._ended()
        self._answer = (self._answer + data)[:KEPT_BYTES]
        if not self._answer.startswith(HTTP[: len(self._answer)]):
            raise self._no_http()

    def _no_http(self) -> CannotConnect:
        return CannotConnect(f"what answers there does not speak HTTP: {self._answer[:SHOWN]!r}")

    def _ended(self) -> Exception:
        if not self._answer:
            return ConnectionResetError("the server hung up during the handshake")
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "greenroom")]))
        try:
            connection.receive_data(self._answer)
            response = connection.next_event()
        except h11.RemoteProtocolError:
            return self._no_http()
        if not isinstance(response, h11.Response):
            return ConnectionResetError("the server hung up during the handshake")
        body = self._answer.partition(b"\r\n\r\n")[2]
        headers = tuple((bytes(name), bytes(value)) for name, value in response.headers)
        return ConnectionRejected(response.status_code, headers, body)


def meaning_of(rejected: ConnectionRejected) -> Refused:
    """The error for an HTTP answer."""
    headers = dict(rejected.headers)
    return Refused(rejected.status_code, _said(rejected, headers), _retry_after(headers))


def _retry_after(headers: Mapping[bytes, bytes]) -> float | None:
    """RFC 9110 §10.2.3: seconds, or a date, which is compared with the server's own clock."""
    asked, seconds = _text(headers.get(b"retry-after", b"")), None
    if asked.isascii() and asked.isdigit():
        seconds = float(asked)
    elif asked and b"date" in headers:
        seconds = _seconds_between(_text(headers[b"date"]), asked)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_ASKED)


def _seconds_between(one: str, other: str) -> float | None:
    try:
        return (parsedate_to_datetime(other) - parsedate_to_datetime(one)).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no dates, or one without a zone
        return None


def _said(rejected: ConnectionRejected, headers: Mapping[bytes, bytes]) -> str:
    if place := headers.get(b"location"):
        return f"it redirects to {_text(place)}"
    kind = _text(headers.get(b"content-type", b""))
    if rejected.status_code < 300:
        return f"a page of {kind or 'some kind'}, not a WebSocket: is that greenroom's URL?"
    return _text(rejected.body or b"")


def _text(data: bytes) -> str:
    return data.decode(errors="replace").strip()[:SHOWN]
