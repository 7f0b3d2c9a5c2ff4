"""Programs that ask: one connection, request after request, each with its body (RFC 9112 §9.3)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Final, TypeAlias

import attrs
import h11
import trio

from greenroom.transport.http.body import BadBody
from greenroom.transport.http.gentle_close import READ_BYTES, close_gently
from greenroom.transport.http.request_head import BadRequest, RequestHead, head_of
from greenroom.transport.http.responses import Response, text

BODY_SECONDS: Final = 10.0
"""Seconds that a client may let pass between two pieces of a body."""

IDLE_SECONDS: Final = 75.0
"""Seconds that a connection may stay open between two requests."""

HEAD_SECONDS: Final = 10.0
SEND_SECONDS: Final = 10.0
LEFT_BYTES: Final = 256 * 1024
"""Bytes of a body that was not read which are passed over to keep the connection."""

Answer: TypeAlias = Callable[[RequestHead], Awaitable[Response]]


@attrs.define(eq=False)
class Exchange:
    """A connection whose first request was read; `connection` reads on. It keeps no more of a body
    in memory than one piece. `clock` gives seconds since the Unix epoch."""

    stream: trio.abc.Stream
    connection: h11.Connection = attrs.field(repr=False)
    head: RequestHead
    clock: Callable[[], float] = attrs.field(default=time.time, repr=False)
    _is_broken: bool = False

    async def serve(self, answer: Answer) -> None:
        """Answer this request and those that follow, until either side has enough."""
        try:
            await self._serve(answer)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the client is gone
        finally:
            await trio.aclose_forcefully(self.stream)

    async def _serve(self, answer: Answer) -> None:
        head: RequestHead | None = self.head
        while head is not None:
            response = await answer(attrs.evolve(head, body=self))
            await self._pass_over()
            with_body = head.method != "HEAD"
            if not await self._respond(response, with_body=with_body):
                return await close_gently(self.stream)
            head = await self._next_head()
        return None

    async def receive(self) -> bytes:
        """The next bytes of the body of the present request; none at its end."""
        if self.connection.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        with trio.move_on_after(BODY_SECONDS):
            return await self._receive()
        self._is_broken = True
        raise BadBody(
            f"nothing of the body came for {BODY_SECONDS:g} s",
            status=408,
            advice="end the request, and go on with another one",
        )

    async def _receive(self) -> bytes:
        while True:
            try:
                event = self.connection.next_event()
            except h11.RemoteProtocolError:
                raise BadBody("the body is not HTTP/1.1", status=400) from None
            if event is h11.NEED_DATA:
                self.connection.receive_data(bytes(await self.stream.receive_some(READ_BYTES * 4)))
            elif isinstance(event, h11.Data):
                return bytes(event.data)
            else:
                return b""

    async def _pass_over(self) -> None:
        """What is left of a body that was refused, if it is short."""
        left = LEFT_BYTES
        connection = self.connection
        if self._is_broken or connection.they_are_waiting_for_100_continue:
            return
        try:
            while left > 0 and connection.their_state is h11.SEND_BODY:
                left -= len(await self.receive())
        except BadBody:
            return

    async def _respond(self, response: Response, *, with_body: bool) -> bool:
        """Whether the connection may be used again."""
        over = self.connection.their_state is not h11.DONE
        headers = response.all_headers(formatdate(self.clock(), usegmt=True))
        headers |= {"Connection": "close"} if over else {}
        data = h11.Response(status_code=response.status, headers=list(headers.items()))
        body = response.body if with_body else b""
        await self._send(data, h11.Data(data=body), h11.EndOfMessage())
        return self.connection.our_state is h11.DONE

    async def _send(self, *events: h11.Event) -> None:
        data = b"".join(self.connection.send(event) or b"" for event in events)
        with trio.move_on_after(SEND_SECONDS) as scope:
            await self.stream.send_all(data)
        if scope.cancelled_caught:
            raise trio.BrokenResourceError("the client does not read its answer")

    async def _next_head(self) -> RequestHead | None:
        self.connection.start_next_cycle()
        try:
            request, size = await self._next_request()
            if request is None:
                return None
            return attrs.evolve(head_of(request, size), peer=self.head.peer)
        except (h11.RemoteProtocolError, BadRequest):
            await self._respond(text(400, "This is not an HTTP/1.1 request."), with_body=True)
            await close_gently(self.stream)
            return None

    async def _next_request(self) -> tuple[h11.Request | None, int]:
        """The next request and how many bytes it took, at most; none if the client leaves, or says
        nothing more."""
        fed = len(self.connection.trailing_data[0])
        with trio.move_on_after(IDLE_SECONDS) as scope:
            while (event := self.connection.next_event()) is h11.NEED_DATA:
                data = await self.stream.receive_some(READ_BYTES)
                if not fed:
                    scope.deadline = trio.current_time() + HEAD_SECONDS
                fed += len(data)
                self.connection.receive_data(bytes(data))
            size = fed - len(self.connection.trailing_data[0])
            return (event, size) if isinstance(event, h11.Request) else (None, 0)
        return None, 0
