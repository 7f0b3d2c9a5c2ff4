"""Keeps a client's session on a socket: connects, listens, acks, comes back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio
import trio_websocket
from trio_websocket import WebSocketConnection

from greenroom.transport import wire
from greenroom.transport.client_session import (
    ACK_EVENTS,
    ClientSession,
    Closing,
    Command,
    Leave,
    Transmit,
)
from greenroom.transport.client_socket import (
    GOODBYE_SECONDS,
    HANDSHAKE_SECONDS,
    open_socket,
    plain_nursery,
)
from greenroom.transport.close_codes import CloseCode, reconnects
from greenroom.transport.errors import BadFrame, ClientError, SessionClosed

ACK_SECONDS = 0.05
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 20.0
STEADY_SECONDS = 10.0  # a connection that lasted as long starts the backoff anew
REFRESH_SECONDS = 60.0  # before a token expires; half-way through a shorter one
SILENCE = 1.5  # heartbeats
NO_CODE = 1006  # RFC 6455 §7.1.5: the connection broke without a close frame

logger = logging.getLogger("greenroom.client")

Token: TypeAlias = str | Callable[[], Awaitable[str]]


class Watch:
    """Lets tasks wait for a condition on shared state, or for the failure that ends it all."""

    def __init__(self) -> None:
        self._changed = trio.lowlevel.ParkingLot()
        self.failure: Callable[[], ClientError] | None = None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds. Raises a fresh `failure` when it never will."""
        while not condition():
            if self.failure is not None:
                raise self.failure()
            await self._changed.park()

    def wake(self) -> None:
        """Something changed: the conditions are looked at again."""
        self._changed.unpark_all()


class Line:
    """The way to the server. `perform` takes every command of the session but sends and closes.

    Reads only while `has_room` says so.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        session: ClientSession,
        watch: Watch,
        *,
        perform: Callable[[Command], None],
        has_room: Callable[[], bool],
        uniform: Callable[[float, float], float],
        refresh: Callable[[str], Awaitable[int | None]],
        wall_clock: Callable[[], float],
    ) -> None:
        self.token = token
        self._url = url
        self._session = session
        self._watch = watch
        self._perform = perform
        self._has_room = has_room
        self._uniform = uniform
        self._refresh = refresh
        self._wall_clock = wall_clock
        self._socket: WebSocketConnection | None = None
        self._is_leaving = False

    async def run(self) -> None:
        """Connect again and again. Raises `SessionClosed` or `Refused` when it is no use."""
        attempt = 0
        while not self._is_leaving:
            since = trio.current_time()
            closing = await self._connect_once()
            if self._is_leaving:
                return
            if not reconnects(closing.code):
                raise SessionClosed(closing.code, closing.reason)
            attempt = 1 if trio.current_time() - since > STEADY_SECONDS else attempt + 1
            delay = self._delay(closing, attempt)
            logger.info("closed (%d %s), back in %.1f s", closing.code, closing.reason, delay)
            await trio.sleep(delay)

    async def send(self, frame: wire.ClientFrame) -> None:
        """Send once there is a socket that takes it."""
        sent = False
        while not sent:
            await self._watch.until(lambda: self._session.ready is not None)
            sent = await self.transmit(frame)

    async def transmit(self, frame: wire.ClientFrame) -> bool:
        if self._socket is None:
            return False
        try:
            await self._socket.send_message(wire.encode(frame).decode())
        except trio_websocket.ConnectionClosed:
            return False
        return True

    async def _connect_once(self) -> Closing:
        """One socket from its opening to its end; how it ended. Raises `Refused`."""
        token = self.token if isinstance(self.token, str) else await self.token()
        ending = Closing(NO_CODE, "no connection")
        try:
            async with open_socket(self._url, token) as socket:
                ending = await self._converse(socket)
        except OSError as error:
            ending = Closing(NO_CODE, str(error))
        return ending

    async def _converse(self, socket: WebSocketConnection) -> Closing:
        self._socket = socket
        try:
            await self.transmit(self._session.hello())
            async with plain_nursery() as nursery:
                nursery.start_soon(self._ack_in_time)
                if not isinstance(self.token, str):
                    nursery.start_soon(self._refresh_in_time, self.token)
                ending = await self._listen(socket)
                nursery.cancel_scope.cancel()
            return ending
        finally:
            self._socket = None
            self._session.disconnected()

    async def _listen(self, socket: WebSocketConnection) -> Closing:
        """Read until the socket ends, falls silent, or must be left; how it ended."""
        announced: Closing | None = None
        while True:
            await self._watch.until(self._has_room)
            try:
                with trio.fail_after(self._patience()):
                    message = await socket.get_message()
            except trio.TooSlowError:
                return await self._leave(socket, CloseCode.HEARTBEAT_MISSED)
            except trio_websocket.ConnectionClosed as closed:
                return announced or _ending(closed)
            for command in self._understand(message):
                match command:
                    case Transmit(frame):
                        await self.transmit(frame)
                    case Leave(code):
                        return await self._leave(socket, code)
                    case Closing():
                        announced = command
                    case _:
                        self._perform(command)
            self._watch.wake()

    def _understand(self, message: str | bytes) -> list[Command]:
        try:
            return self._session.receive(message)
        except BadFrame as error:
            logger.error("%s", error)
            return [Leave(CloseCode.POSITION_LOST)]

    async def _leave(self, socket: WebSocketConnection, code: CloseCode) -> Closing:
        with trio.move_on_after(GOODBYE_SECONDS):
            await socket.aclose(code)
        return Closing(code, code.meaning.reason)

    async def _ack_in_time(self) -> None:
        session = self._session
        while True:
            await self._watch.until(lambda: session.unacked > 0)
            with trio.move_on_after(ACK_SECONDS):
                await self._watch.until(lambda: session.unacked >= ACK_EVENTS)
            await self._ack()

    async def _refresh_in_time(self, new_token: Callable[[], Awaitable[str]]) -> None:
        """Give a new token in good time before the old one expires, again and again.

        Clocks may disagree: a token that looks expired though the server took it is left alone,
        and should the server find it expire first, it closes 4104 and the next connect asks anew.
        """
        session = self._session
        await self._watch.until(lambda: session.ready is not None)
        expires_ms = session.ready.expires_ms if session.ready else None
        while expires_ms is not None:
            left = expires_ms / 1000 - self._wall_clock()
            if left <= 0:
                return
            await trio.sleep(max(left - REFRESH_SECONDS, left / 2))
            expires_ms = await self._refresh(await new_token())

    async def _ack(self) -> None:
        ack = self._session.ack()
        if ack is not None:
            await self.transmit(ack)

    async def say_goodbye(self) -> None:
        """What was received is acked even when the program leaves at once."""
        self._is_leaving = True
        with trio.CancelScope(deadline=trio.current_time() + GOODBYE_SECONDS, shield=True):
            await self._ack()
            if self._socket is not None:
                await self._socket.aclose()

    def _patience(self) -> float:
        ready = self._session.ready
        return HANDSHAKE_SECONDS if ready is None else SILENCE * ready.heartbeat

    def _delay(self, closing: Closing, attempt: int) -> float:
        """As the server said, else exponential with full jitter. `attempt` counts from 1."""
        if closing.after is not None:
            return closing.after + self._uniform(0, closing.jitter)
        ceiling = FIRST_BACKOFF * 2 ** min(attempt - 1, 10)
        return self._uniform(0, min(LONGEST_BACKOFF, ceiling))


def _ending(closed: trio_websocket.ConnectionClosed) -> Closing:
    reason = closed.reason
    if reason is None:
        return Closing(NO_CODE, "the connection broke")
    return Closing(reason.code, reason.reason or reason.name)
