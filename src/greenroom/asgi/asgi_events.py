"""An event stream and a body that an ASGI server carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import attrs

from greenroom.asgi.asgi_exchange import GONE, AsgiExchange
from greenroom.asgi.responses import as_messages
from greenroom.transport.auth.tokens import Identity
from greenroom.transport.connection.socket.connection_socket import ConnectionSocket
from greenroom.transport.connection.socket.ordered_writer import Starter
from greenroom.transport.connection.socket.traffic import Traffic
from greenroom.transport.events.events_granted import Granted
from greenroom.transport.http.body import BadBody
from greenroom.transport.http.responses import Response

BODY = "http.response.body"


class AsgiBody:
    """The body of a request, as the server gives it."""

    def __init__(self, exchange: AsgiExchange) -> None:
        self._exchange = exchange
        self._has_more = True

    async def receive(self) -> bytes:
        """The next bytes; none at the end. Raises `BadBody`."""
        while self._has_more:
            message = await self._exchange.receive()
            if message["type"] in GONE:
                raise BadBody("the body broke off", status=400)
            self._has_more = bool(message.get("more_body"))
            if body := cast(bytes, message.get("body") or b""):
                return body
        return b""


class AsgiCarrier:
    """Writes the body of an answer that goes on."""

    def __init__(self, exchange: AsgiExchange) -> None:
        self.writer = exchange

    def traffic(self) -> Traffic:
        return self.writer.traffic()

    async def open(self, beside: Starter) -> None:
        """The server's side carries what is put."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        named = [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()]
        self.writer.put({"type": "http.response.start", "status": status, "headers": named})
        self.writer.put({"type": BODY, "body": b"", "more_body": True})

    def send(self, data: bytes) -> None:
        self.writer.put({"type": BODY, "body": data, "more_body": True}, len(data))

    async def wait_gone(self) -> None:
        while (await self.writer.receive())["type"] not in GONE:
            pass

    async def wait_taken(self) -> None:
        await self.writer.wait_taken()

    async def end(self) -> None:
        self.writer.put({"type": BODY, "body": b""})
        self.writer.end()


@attrs.frozen
class AsgiEvents:
    """An event stream that was granted, and is not begun yet."""

    granted: Granted
    exchange: AsgiExchange

    @property
    def identity(self) -> Identity:
        return self.granted.identity

    def socket(self, *, max_bytes: int, allow: Callable[[], bool]) -> ConnectionSocket:
        return self.granted.socket(AsgiCarrier(self.exchange), allow)

    async def refuse(self, response: Response) -> None:
        for message in as_messages(response):
            self.exchange.put(message)
        self.exchange.end()

    async def drop(self) -> None:
        self.exchange.end()
