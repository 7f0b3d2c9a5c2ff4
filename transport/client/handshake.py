"""A client's stream while its opening handshake lasts, and what an HTTP answer means to it."""

from __future__ import annotations

import h11
import trio
from trio_websocket import ConnectionRejected

from greenroom.actors.errors import Fault
from greenroom.transport.client.client_error import ClientError

KEPT_BYTES = 16 * 1024
SHOWN = 200
HTTP = b"HTTP/"


class CannotConnect(ClientError):
    """The URL leads elsewhere or nowhere: the host does not exist, its certificate is not trusted,
    or it speaks neither HTTP nor TLS."""

    fault = Fault.OPERATOR


class Refused(ClientError):
    """The server answered the upgrade with an HTTP status instead of a socket."""

    fault = Fault.OPERATOR

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"the server refused the connection with HTTP {status}: {text}")
        self.status = status
        self.text = text


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


def meaning_of(rejected: ConnectionRejected) -> Refused | OSError:
    """A 4xx is final, except 408 and 429; so is the answer of another kind of server. Other
    statuses are temporary."""
    status = rejected.status_code
    said = _said(rejected)
    if status < 500 and status not in (408, 429):
        return Refused(status, said)
    return ConnectionRefusedError(f"HTTP {status}: {said}")


def _said(rejected: ConnectionRejected) -> str:
    headers = dict(rejected.headers)
    if place := headers.get(b"location"):
        return f"it redirects to {_text(place)}"
    kind = _text(headers.get(b"content-type", b""))
    if rejected.status_code < 300:
        return f"a page of {kind or 'some kind'}, not a WebSocket: is that greenroom's URL?"
    return _text(rejected.body or b"")


def _text(data: bytes) -> str:
    return data.decode(errors="replace").strip()[:SHOWN]
