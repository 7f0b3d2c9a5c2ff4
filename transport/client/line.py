"""Keeps a client's session on a socket: connects, reads, acknowledges, reconnects."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from threading import get_ident

import trio
import trio_websocket

from greenroom.actors.reactors.own_thread import check_thread
from greenroom.actors.text.escaping import one_line
from greenroom.transport.client.causes import Causes
from greenroom.transport.client.client_error import ClientError
from greenroom.transport.client.frames import Outgoing, encoded, too_big
from greenroom.transport.client.handshake import CannotConnect, Refused
from greenroom.transport.client.pacing import Pacer
from greenroom.transport.client.session import (
    ACK_EVENTS,
    ClientCommand,
    ClientSession,
    Closing,
    Expect,
    Leave,
    Opened,
    RequestAnswered,
    Transmit,
)
from greenroom.transport.client.socket import (
    GOODBYE_SECONDS,
    HANDSHAKE_SECONDS,
    OpenSocket,
    ServerUrl,
    open_socket,
    plain_nursery,
)
from greenroom.transport.client.token import NoToken, Tokens, TokenSource
from greenroom.transport.connection.socket.traffic import SLOWEST
from greenroom.transport.protocol import frame_codec, wire
from greenroom.transport.protocol.close_codes import CloseCode, reconnects
from greenroom.transport.protocol.frame_object import BadFrame

ACK_SECONDS = 0.05
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 20.0
STEADY_SECONDS = 10.0  # a connection that lasted this long resets the backoff
SILENCE = 1.5  # heartbeats
NO_CODE = 1006  # RFC 6455 §7.1.5: the connection broke without a close frame

logger = logging.getLogger("greenroom.client")


class SessionClosed(ClientError):
    """The server ended the session with a final code: another attempt would fail the same way."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the server closed the session with {code}: {reason}")
        self.code = code
        self.reason = reason


class ConditionWatch:
    """Lets tasks wait for a condition on shared state, or for the failure that ends the client."""

    def __init__(self) -> None:
        self._changed = trio.lowlevel.ParkingLot()
        self._thread = get_ident()
        self.failure: Callable[[], ClientError] | None = None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition()` holds. Raises a fresh `failure` if it never will, and
        `WrongThread`."""
        self.check_thread()
        while not condition():
            if self.failure is not None:
                raise self.failure()
            await self._changed.park()

    def check_thread(self) -> None:
        """Raises `WrongThread` in another thread than that of the client's trio run."""
        check_thread(self._thread, "a client")

    def wake(self) -> None:
        """Let every waiting task look at its condition again: the state has changed."""
        self._changed.unpark_all()


class Line:
    """The way to the server. `perform` carries out every session command except send and close.

    Reads only while `has_room` says so.
    """

    def __init__(
        self,
        url: ServerUrl,
        token: TokenSource,
        session: ClientSession,
        watch: ConditionWatch,
        *,
        perform: Callable[[ClientCommand], None],
        has_room: Callable[[], bool],
        uniform: Callable[[float, float], float],
        refresh: Callable[[str], Awaitable[int | None]],
        wall_clock: Callable[[], float],
    ) -> None:
        self.tokens = Tokens(token, refresh, backoff=self._backoff, wall_clock=wall_clock)
        self._url = url
        self._session = session
        self._watch = watch
        self._perform = perform
        self._has_room = has_room
        self._uniform = uniform
        self._causes = Causes()
        self._pacer = Pacer()
        self._socket: OpenSocket | None = None
        self._expected_until = 0.0
        self._is_leaving = False

    async def run(self) -> None:
        """Connect again and again. Raises the final errors: those of `Causes`, and
        `SessionClosed`."""
        attempt = 0
        while not self._is_leaving:
            since = trio.current_time()
            closing = await self._connect_once()
            if self._is_leaving:
                return
            if not (_may_come_back(closing) or self._drop_too_big(closing)):
                raise SessionClosed(closing.code, closing.reason)
            attempt = 1 if trio.current_time() - since > STEADY_SECONDS else attempt + 1
            delay = self._delay(closing, attempt)
            said = one_line(closing.reason)
            logger.info("closed (%d %s), back in %.1f s", closing.code, said, delay)
            await trio.sleep(delay)

    async def send(self, frame: wire.ClientFrame) -> None:
        """Send once there is a socket that takes it. Raises `BadMessage`.

        A report is dropped if its events no longer count by then.
        """
        message, history = encoded(frame), self._session.history
        sent = False
        while not sent:
            await self._watch.until(lambda: self._session.ready is not None)
            if self._session.history != history:
                logger.warning("%s was not sent: its events are gone", frame_codec.type_of(frame))
                return
            await self._pacer.turn()
            self._check_size(message)
            sent = await self._transmit(message)

    async def send_volatile(self, frame: wire.ClientFrame) -> None:
        """Send if a socket is open and the rate allows it, else drop. Raises `BadMessage`."""
        self._watch.check_thread()
        message = encoded(frame)
        if self._session.ready is not None and self._pacer.spend():
            await self._transmit(message)

    async def _transmit(self, message: bytes) -> bool:
        if self._socket is None:
            return False
        try:
            await self._socket.websocket.send_message(message.decode())
        except trio_websocket.ConnectionClosed:
            return False
        return True

    async def _connect_once(self) -> Closing:
        """One socket from its opening to its end; returns how it ended. Raises the final errors."""
        ending = Closing(NO_CODE, "no connection")
        try:
            token = await self.tokens.take()
            async with open_socket(self._url, token) as socket:
                ending = await self._converse(socket)
        except (NoToken, CannotConnect, Refused, OSError) as error:
            cause = self._causes.explain(error, retoken=self.tokens.are_fresh)
            after = error.after if isinstance(error, Refused) else None
            ending = Closing(NO_CODE, cause, after, min(after or 0.0, LONGEST_BACKOFF))
        return ending

    async def _converse(self, socket: OpenSocket) -> Closing:
        self._socket = socket
        try:
            await self._transmit(encoded(self._session.hello()))
            async with plain_nursery() as nursery:
                nursery.start_soon(self._ack_in_time)
                nursery.start_soon(self._send_requests)
                nursery.start_soon(self._keep_token)
                ending = await self._listen(socket)
                nursery.cancel_scope.cancel()
            return ending
        finally:
            self._socket = None
            self._session.disconnected()

    async def _listen(self, socket: OpenSocket) -> Closing:
        """Read until the socket ends, falls silent, or must be left; how it ended."""
        announced: Closing | None = None
        while True:
            await self._watch.until(self._has_room)
            try:
                message = await self._next_message(socket)
            except trio.TooSlowError:
                return await self._leave(socket, CloseCode.HEARTBEAT_MISSED)
            except trio_websocket.ConnectionClosed as closed:
                return announced or _ending(closed)
            for command in self._understand(message):
                match command:
                    case Transmit(frame):
                        self._pacer.spend()
                        await self._transmit(encoded(frame))
                    case Leave(code):
                        self._watch.wake()  # for what came before the gap
                        return await self._leave(socket, code)
                    case Closing():
                        announced = command
                    case _:
                        self._obey(command)
            self._watch.wake()

    async def _next_message(self, socket: OpenSocket) -> str | bytes:
        """Raises `trio.TooSlowError` when nothing comes, not even a piece of a message, for longer
        than the server is silent or a message that it announced may take."""
        began = trio.current_time()
        while True:
            since = max(began, socket.stream.came_at)
            deadline = max(since + self._patience(), self._expected_until)
            if trio.current_time() >= deadline:
                raise trio.TooSlowError
            with trio.CancelScope(deadline=deadline):
                message = await socket.websocket.get_message()
                self._expected_until = 0.0
                return message

    def _obey(self, command: ClientCommand) -> None:
        match command:
            case Expect(size):
                self._expected_until = trio.current_time() + size / SLOWEST
            case Opened(ready):
                self._causes.is_there()
                self._pacer.begin(ready.limits)
                self._perform(command)
            case _:
                self._perform(command)

    def _understand(self, message: str | bytes) -> list[ClientCommand]:
        try:
            return self._session.receive(message)
        except BadFrame as error:
            logger.error("%s", error)
            return [Leave(CloseCode.POSITION_LOST)]

    async def _leave(self, socket: OpenSocket, code: CloseCode) -> Closing:
        with trio.move_on_after(GOODBYE_SECONDS):
            await socket.websocket.aclose(code)
        return Closing(code, code.meaning.reason)

    async def _ack_in_time(self) -> None:
        session = self._session
        while True:
            await self._watch.until(lambda: session.unacked > 0)
            with trio.move_on_after(ACK_SECONDS):
                await self._watch.until(lambda: session.unacked >= ACK_EVENTS)
            await self._pacer.turn()
            await self._ack()

    async def _send_requests(self) -> None:
        """One after the other, below the server's limits, however many there are."""
        while True:
            await self._watch.until(lambda: self._session.may_send)
            await self._pacer.turn()
            if self._session.may_send:
                await self._send_request(self._session.next_request())

    async def _send_request(self, request: Outgoing) -> None:
        if self.limit < len(request.frame):
            self._perform(RequestAnswered(request.id, too_big(len(request.frame), self.limit)))
            self._session.forget(request.id)
        else:
            await self._transmit(request.frame)

    def _check_size(self, message: bytes) -> None:
        if self.limit < len(message):
            raise too_big(len(message), self.limit)

    @property
    def limit(self) -> int:
        """The most bytes of a frame, as the last `ready` said."""
        return self._session.limits.max_frame_bytes

    def _drop_too_big(self, closing: Closing) -> bool:
        """Whether a request was given up for which the server, or a proxy, closed."""
        if closing.code != CloseCode.FRAME_TOO_BIG:
            return False
        answer = self._session.refused_for_size()
        if answer is not None:
            self._perform(answer)
        return answer is not None

    async def _keep_token(self) -> None:
        await self._watch.until(lambda: self._session.ready is not None)
        if self._session.ready is not None:
            await self.tokens.keep(self._session.ready.expires_ms)

    async def _ack(self) -> None:
        ack = self._session.ack()
        if ack is not None:
            await self._transmit(encoded(ack))

    async def say_goodbye(self) -> None:
        """Send the ack that is due, also if the program leaves at once."""
        self._is_leaving = True
        with trio.CancelScope(deadline=trio.current_time() + GOODBYE_SECONDS, shield=True):
            await self._ack()
            if self._socket is not None:
                await self._socket.websocket.aclose()

    def _patience(self) -> float:
        ready = self._session.ready
        return HANDSHAKE_SECONDS if ready is None else SILENCE * ready.heartbeat

    def _delay(self, closing: Closing, attempt: int) -> float:
        """As the server said, but with backoff where that does not help. `attempt` from 1."""
        if closing.after is None:
            return self._backoff(attempt)
        asked = closing.after + self._uniform(0, closing.jitter)
        return asked if attempt == 1 else max(asked, self._backoff(attempt))

    def _backoff(self, attempt: int) -> float:
        """Exponential with full jitter."""
        ceiling = FIRST_BACKOFF * 2 ** min(attempt - 1, 10)
        return self._uniform(0, min(LONGEST_BACKOFF, ceiling))


def _may_come_back(closing: Closing) -> bool:
    """4509 is final, unless the server says when to come back."""
    is_asked_back = closing.code == CloseCode.DISCONNECTED and closing.after is not None
    return is_asked_back or reconnects(closing.code)


def _ending(closed: trio_websocket.ConnectionClosed) -> Closing:
    reason = closed.reason
    if reason is None:
        return Closing(NO_CODE, "the connection broke")
    return Closing(reason.code, reason.reason or reason.name)
