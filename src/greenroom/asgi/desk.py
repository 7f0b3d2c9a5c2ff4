"""Serves the requests of an ASGI server, in the runtime's thread, by the own server's door."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias, cast

import attrs

from greenroom.asgi.asgi_events import AsgiBody, AsgiCarrier, AsgiEvents
from greenroom.asgi.asgi_exchange import AsgiExchange
from greenroom.asgi.asgi_socket import AsgiUpgrade, refuse_websocket
from greenroom.asgi.host_users import HostUsers, UserFound
from greenroom.asgi.request_heads import Proxies, head_of
from greenroom.asgi.responses import as_messages
from greenroom.transport.connection.admitted import Admitted
from greenroom.transport.door.front_door import FrontDoor
from greenroom.transport.events.streaming import serve_stream
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, StreamedResponse, text
from greenroom.transport.server import Server

Scope: TypeAlias = Mapping[str, object]
DENIAL = "websocket.http.response"


@attrs.frozen
class AsgiRequest:
    """One request. `found`: the user as the host's own authentication says; None: a token does."""

    scope: Scope
    exchange: AsgiExchange
    found: UserFound | None = None

    @property
    def is_websocket(self) -> bool:
        return self.scope["type"] == "websocket"

    @property
    def can_deny(self) -> bool:
        """Whether the server can refuse an upgrade with a whole HTTP answer."""
        return DENIAL in cast(Scope, self.scope.get("extensions") or {})


@attrs.frozen
class Desk:
    """Serves the requests of one app. `users`: those that the host proves, if it does."""

    server: Server
    users: HostUsers | None
    proxies: Proxies

    async def serve(self, request: AsgiRequest) -> None:
        """Serve a request to its end."""
        exchange = request.exchange
        try:
            with self._proven(request) as proven:
                head = attrs.evolve(proven, body=AsgiBody(exchange))
                if request.is_websocket or self._door.live.begins_stream(head):
                    await self._welcome(head, request)
                else:
                    await self._answer(head, request)
            await exchange.ended.wait()
        except BadRequest as error:
            self._send(text(error.status, error.message, error.headers), request)
        finally:
            exchange.end()

    @property
    def _door(self) -> FrontDoor:
        return self.server.door

    async def _answer(self, head: RequestHead, request: AsgiRequest) -> None:
        response = await self._door.answer(head)
        if isinstance(response, StreamedResponse) and head.method != "HEAD":
            await serve_stream(response, AsgiCarrier(request.exchange))
        else:
            self._send(response, request, head.method)
            request.exchange.end()

    async def _welcome(self, head: RequestHead, request: AsgiRequest) -> None:
        server = self.server
        with server.half_open.handshake(server.accept_deadline, head.peer) as scope:
            admitted = await self._admit(head, request)
            if isinstance(admitted, Response):
                self._send(admitted, request)
                request.exchange.end()
            else:
                await server.take_in(admitted)
        if scope.cancelled_caught:
            server.drop_handshake(scope)
            request.exchange.end()

    async def _admit(self, head: RequestHead, request: AsgiRequest) -> Admitted | Response:
        if not request.is_websocket:
            granted = await self._door.admit_events(head)
            if isinstance(granted, Response):
                return granted
            return AsgiEvents(granted, request.exchange)
        identity = await self._door.admit_websocket(head)
        if isinstance(identity, Response):
            return identity
        return AsgiUpgrade(identity, request.exchange, request.can_deny)

    def _send(self, response: Response, request: AsgiRequest, method: str = "GET") -> None:
        if request.is_websocket:
            refuse_websocket(request.exchange, response, can_deny=request.can_deny)
            return
        for message in as_messages(response, with_body=method != "HEAD"):
            request.exchange.put(message)

    @contextmanager
    def _proven(self, request: AsgiRequest) -> Iterator[RequestHead]:
        """The head. In the block, it has a token for what the host said. Raises `BadRequest`."""
        head = self.proxies.seen_through(head_of(request.scope))
        if self.users is None or request.found is None:
            yield head
        else:
            with self.users.token_for(request.found) as token:
                yield with_token(head, token)


def with_token(head: RequestHead, token: str) -> RequestHead:
    """The same request, with this token and no other."""
    others = tuple(pair for pair in head.headers if pair[0] != "authorization")
    return attrs.evolve(head, headers=(*others, ("authorization", f"Bearer {token}")))
