"""An event stream on a stream of the own server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus

import attrs
import trio

from greenroom.transport.auth.tokens import Identity
from greenroom.transport.connection.socket.connection_socket import ConnectionSocket
from greenroom.transport.connection.socket.ordered_writer import OrderedWriter, Starter, writer_of
from greenroom.transport.connection.socket.traffic import Traffic, unsent
from greenroom.transport.events.events_granted import Granted
from greenroom.transport.http.gentle_close import READ_BYTES, close_gently
from greenroom.transport.http.responses import Response

SPOKEN_BYTES = 64 * 1024
"""What a client may send behind its request, which means nothing, before it counts as gone."""


class StreamCarrier:
    """Writes to a stream. The answer ends with the connection (RFC 9112 §6.3)."""

    def __init__(self, stream: trio.abc.Stream, date: str) -> None:
        """`date`: of the answer."""
        self._stream = stream
        self._date = date
        self.writer: OrderedWriter = writer_of(stream)

    def traffic(self) -> Traffic:
        waiting = unsent(self._stream)
        left = self.writer.taken - waiting
        return Traffic(0, left, self.writer.given - left)

    async def open(self, beside: Starter) -> None:
        self.writer.nursery = beside

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        fields = {**headers, "Date": self._date, "Connection": "close"}.items()
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields]
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def wait_gone(self) -> None:
        left = SPOKEN_BYTES
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while left > 0 and (data := await self._stream.receive_some(READ_BYTES)):
                left -= len(data)

    async def wait_taken(self) -> None:
        await self.writer.wait_taken()

    async def end(self) -> None:
        self.writer.nursery = None
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            await close_gently(self._stream)


@attrs.frozen
class StreamEvents:
    """An event stream that was granted on a stream, and is not begun yet."""

    granted: Granted
    stream: trio.abc.Stream
    clock: Callable[[], float] = attrs.field(repr=False)

    @property
    def identity(self) -> Identity:
        return self.granted.identity

    def socket(self, *, max_bytes: int, allow: Callable[[], bool]) -> ConnectionSocket:
        return self.granted.socket(StreamCarrier(self.stream, self._date), allow)

    async def refuse(self, response: Response) -> None:
        try:
            await self.stream.send_all(response.encode(date=self._date))
            await close_gently(self.stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await self.drop()

    async def drop(self) -> None:
        await trio.aclose_forcefully(self.stream)

    @property
    def _date(self) -> str:
        return formatdate(self.clock(), usegmt=True)
