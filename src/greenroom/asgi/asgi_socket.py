"""A WebSocket that an ASGI server holds, as a connection drives it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import attrs
import trio

from greenroom.asgi.asgi_exchange import GONE, AsgiExchange
from greenroom.asgi.responses import as_messages
from greenroom.delivery.outbox.feed import SocketGauge
from greenroom.transport.auth.tokens import Identity
from greenroom.transport.connection.socket.connection_socket import ROOM_BYTES, Listener, heard
from greenroom.transport.connection.socket.ordered_writer import Starter
from greenroom.transport.connection.socket.traffic import Traffic
from greenroom.transport.http.responses import Response
from greenroom.transport.protocol.wire import SUBPROTOCOL


@attrs.frozen
class AsgiClosed:
    """The code that the ASGI server gives for the end."""

    code: int


class AsgiSocket:
    """A `ConnectionSocket`: control frames, fragments and handshakes are the server's affair."""

    def __init__(self, exchange: AsgiExchange, *, allow: Callable[[], bool]) -> None:
        self._allow = allow
        self._patience: trio.CancelScope | None = None
        self._is_closing = False
        self.writer = exchange
        self.closed: AsgiClosed | None = None
        self.gauge = SocketGauge()

    def traffic(self) -> Traffic:
        return self.writer.traffic()

    async def open(self, beside: Starter) -> None:
        self.writer.put({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})

    async def read(self, listener: Listener) -> None:
        flooded = False
        while not flooded:
            message = await self.writer.receive()
            if message["type"] in GONE:
                self.closed = AsgiClosed(cast(int, message.get("code") or 1005))
                break
            if message["type"] == "websocket.receive" and not self._is_closing:
                flooded = not self._allow()
                if not flooded:
                    await heard(listener, _said_in(message))
        listener.ended(flooded=flooded)

    def stop_reading(self, scope: trio.CancelScope) -> None:
        scope.cancel()

    async def be_patient(self, wait: Callable[[], Awaitable[None]]) -> None:
        with trio.CancelScope() as self._patience:
            await wait()
        self._patience = None

    def send_text(self, text: bytes) -> bool:
        if self.closed is not None or self._is_closing:
            return False
        self.writer.put({"type": "websocket.send", "text": text.decode()}, len(text))
        return not self.writer.is_broken

    async def wait_for_room(self) -> None:
        if self.writer.waiting > ROOM_BYTES:
            await self.be_patient(self.writer.wait_taken)

    async def aclose(self, code: int = 1000, reason: str | None = None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self.closed is None and not self._is_closing:
            self._is_closing = True
            self.writer.put({"type": "websocket.close", "code": int(code), "reason": reason or ""})
            await self.writer.wait_taken()

    async def finish(self) -> None: ...


def _said_in(message: object) -> str | bytes:
    parts = cast("dict[str, str | bytes | None]", message)
    text = parts.get("text")
    return text if text is not None else parts.get("bytes") or b""


@attrs.frozen
class AsgiUpgrade:
    """A proven user's WebSocket, which the server has not accepted yet.

    `can_deny`: whether the server can refuse it with a whole HTTP answer.
    """

    identity: Identity
    exchange: AsgiExchange
    can_deny: bool

    def socket(self, *, max_bytes: int, allow: Callable[[], bool]) -> AsgiSocket:
        """The size of a message is looked at when it is read, and before that by the server."""
        return AsgiSocket(self.exchange, allow=allow)

    async def refuse(self, response: Response) -> None:
        refuse_websocket(self.exchange, response, can_deny=self.can_deny)

    async def drop(self) -> None:
        self.exchange.end()


def refuse_websocket(exchange: AsgiExchange, response: Response, *, can_deny: bool) -> None:
    """Answer the upgrade with the response, or with 403 where the server cannot say more."""
    if can_deny:
        for message in as_messages(response, kind="websocket.http.response"):
            exchange.put(message)
    else:
        exchange.put({"type": "websocket.close"})
    exchange.end()
