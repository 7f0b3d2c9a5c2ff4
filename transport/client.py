"""The reconnecting Python client: a trio shell around `ClientSession`."""

from __future__ import annotations

import logging
import random
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias

import attrs
import trio
import trio_websocket
from trio_websocket import WebSocketConnection

from greenroom.actors.reply import Reply
from greenroom.delivery.events import JSON, Event
from greenroom.delivery.ids import RunId, ThreadId, UserId
from greenroom.transport import wire
from greenroom.transport.client_session import (
    ACK_EVENTS,
    Answered,
    ClientSession,
    Closing,
    Command,
    Complaint,
    Deliver,
    Leave,
    Opened,
    Position,
    Ready,
    Request,
    ShowTyping,
    Transmit,
)
from greenroom.transport.client_socket import (
    GOODBYE_SECONDS,
    HANDSHAKE_SECONDS,
    open_socket,
    plain_nursery,
)
from greenroom.transport.close_codes import CloseCode, reconnects
from greenroom.transport.errors import (
    BadFrame,
    ClientClosed,
    ClientError,
    Refused,
    RequestFailed,
    SessionClosed,
)

ACK_SECONDS = 0.05
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 20.0
STEADY_SECONDS = 10.0  # a connection that lasted as long starts the backoff anew
SILENCE = 1.5  # heartbeats
MAX_WAITING_EVENTS = 1024
NO_CODE = 1006  # RFC 6455 §7.1.5: the connection broke without a close frame

logger = logging.getLogger("greenroom.client")

Token: TypeAlias = str | Callable[[], Awaitable[str]]


@attrs.frozen
class Started:
    """What a `say` started."""

    run: RunId
    thread: ThreadId


@attrs.frozen
class HistoryPage:
    """Events in ascending order; `more` says that there are earlier ones."""

    events: tuple[Event, ...]
    more: bool


def _random_id() -> str:
    return secrets.token_urlsafe(12)


@asynccontextmanager
async def connect(
    url: str,
    *,
    token: Token,
    position: Position | None = None,
    on_ready: Callable[[Ready], object] | None = None,
    on_typing: Callable[[ThreadId, str], object] | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
    new_id: Callable[[], str] = _random_id,
) -> AsyncIterator[Client]:
    """A client of the server at `url` (`ws://…` or `wss://…`; the path is `/live` if it has none).

    Entered once the session is ready, however long that takes: bound it with a cancel scope.
    `token` may be an async callable, asked before each connect. `position` resumes a session of
    an earlier process. `on_ready` is called at each (re)connect: `recovered` False beside a
    resume says that events were missed.

    Raises `BadUrl`, and `Refused` or `SessionClosed` when there is no use in coming back; so do
    the client's methods later.
    """
    client = Client(url, token, ClientSession(position), uniform, new_id)
    client.on_ready = on_ready
    client.on_typing = on_typing
    try:
        async with plain_nursery() as nursery:
            nursery.start_soon(client._run)
            try:
                await client._until(lambda: client._session.ready is not None)
                yield client
            finally:
                await client._say_goodbye()
                nursery.cancel_scope.cancel()
    finally:
        client._fail(partial(ClientClosed, "the client was closed"))


class Client:
    """One session with a server, across any number of sockets. Made by `connect`.

    Received events are kept until `events` takes them; past `MAX_WAITING_EVENTS` the client
    stops reading, unless an answer is awaited.
    """

    on_ready: Callable[[Ready], object] | None = None
    on_typing: Callable[[ThreadId, str], object] | None = None

    def __init__(
        self,
        url: str,
        token: Token,
        session: ClientSession,
        uniform: Callable[[float, float], float],
        new_id: Callable[[], str],
    ) -> None:
        self._url = url
        self._token = token
        self._session = session
        self._uniform = uniform
        self._new_id = new_id
        self._user: UserId | None = None
        self._socket: WebSocketConnection | None = None
        self._events: deque[Event] = deque()
        self._answers: dict[str, Reply[Mapping[str, JSON]]] = {}
        self._failure: Callable[[], ClientError] | None = None
        self._is_leaving = False
        self._changed = trio.lowlevel.ParkingLot()

    @property
    def user(self) -> UserId:
        """Who the server says we are."""
        assert self._user is not None, "connect waits for ready"
        return self._user

    @property
    def position(self) -> Position | None:
        """Where a later process may resume. Counts received events, taken from `events` or not."""
        return self._session.position

    def events(self) -> AsyncIterator[Event]:
        """Every event, in order, once; leave and take up the loop as you like."""
        return _Events(self._next_event)

    async def _next_event(self) -> Event:
        await self._until(lambda: bool(self._events))
        event = self._events.popleft()
        self._wake()
        return event

    async def say(
        self,
        body: JSON,
        *,
        thread: ThreadId | None = None,
        id: str | None = None,  # noqa: A002
    ) -> Started:
        """Speak; starts a run. Sent again after a reconnect until answered, never run twice.

        Raises `RequestFailed`. Give `id` to make it the same `say` across processes, too.
        """
        answer = await self._ask(wire.Say(id or self._new_id(), body, thread))
        return Started(RunId.parse(str(answer["run"])), ThreadId.parse(str(answer["thread"])))

    async def cancel(self, run: RunId) -> None:
        """Stop a run. Raises `RequestFailed`."""
        await self._ask(wire.CancelRun(self._new_id(), run))

    async def history(
        self, thread: ThreadId | None = None, *, before: int | None = None, limit: int = 100
    ) -> HistoryPage:
        """A page of the past, before an offset if given. `limit` ≤ 200. Raises `RequestFailed`."""
        answer = await self._ask(wire.HistoryRequest(self._new_id(), limit, thread, before))
        events = answer["events"]
        assert isinstance(events, list), "PROTOCOL.md, reply to history"
        return HistoryPage(tuple(map(Event.from_json, events)), answer["more"] is True)

    async def refresh(self, token: str) -> int | None:
        """Give a new token before the old one expires; when it does (ms since the Unix epoch).

        Raises `RequestFailed`; `SessionClosed` if the token is another user's.
        """
        answer = await self._ask(wire.Refresh(self._new_id(), token))
        if isinstance(self._token, str):
            self._token = token
        expires = answer.get("expires")
        return expires if isinstance(expires, int) else None

    async def displayed(self, offsets: Iterable[int]) -> None:
        """Say that these events were put before the user's eyes."""
        shown = tuple(offsets)
        for start in range(0, len(shown), wire.MAX_DISPLAYED):
            await self._send(wire.Displayed(shown[start : start + wire.MAX_DISPLAYED]))

    async def confirm(self, offset: int, verdict: JSON = None, note: str | None = None) -> None:
        """Say that the user got value from an event, or not."""
        await self._send(wire.Confirm(offset, verdict, note))

    async def typing(self, thread: ThreadId) -> None:
        """Say that the user is typing; lost without a word while there is no connection."""
        if self._session.ready is not None:
            await self._transmit(wire.Typing(thread))

    # Requests

    async def _ask(self, request: Request) -> Mapping[str, JSON]:
        if self._failure is not None:
            raise self._failure()
        reply = self._answers[request.id] = Reply()
        self._session.request(request)
        self._wake()
        try:
            if self._session.ready is not None:
                await self._transmit(request)
            return await reply.wait()
        finally:
            self._session.forget(request.id)
            del self._answers[request.id]

    async def _send(self, frame: wire.ClientFrame) -> None:
        """Send once there is a socket that takes it."""
        sent = False
        while not sent:
            await self._until(lambda: self._session.ready is not None)
            sent = await self._transmit(frame)

    async def _transmit(self, frame: wire.ClientFrame) -> bool:
        if self._socket is None:
            return False
        try:
            await self._socket.send_message(wire.encode(frame).decode())
        except trio_websocket.ConnectionClosed:
            return False
        return True

    # Connections

    async def _run(self) -> None:
        """Connect again and again, until there is no use in it."""
        attempt = 0
        try:
            while True:
                since = trio.current_time()
                closing = await self._connect_once()
                if self._is_leaving:
                    return
                if not reconnects(closing.code):
                    raise SessionClosed(closing.code, closing.reason)
                attempt = 0 if trio.current_time() - since > STEADY_SECONDS else attempt + 1
                delay = self._delay(closing, attempt)
                logger.info("closed (%d %s), back in %.1f s", closing.code, closing.reason, delay)
                await trio.sleep(delay)
        except SessionClosed as error:
            self._fail(partial(SessionClosed, error.code, error.reason))
        except Refused as error:
            self._fail(partial(Refused, error.status, error.text))

    async def _connect_once(self) -> Closing:
        """One socket from its opening to its end; how it ended. Raises `Refused`."""
        token = self._token if isinstance(self._token, str) else await self._token()
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
            await self._transmit(self._session.hello())
            async with plain_nursery() as nursery:
                nursery.start_soon(self._ack_in_time)
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
            await self._until(self._has_room)
            try:
                with trio.fail_after(self._patience()):
                    message = await socket.get_message()
            except trio.TooSlowError:
                return await self._leave(socket, CloseCode.HEARTBEAT_MISSED)
            except trio_websocket.ConnectionClosed as closed:
                return announced or _ending(closed)
            for command in self._understand(message):
                await self._perform(command)
                if isinstance(command, Leave):
                    return await self._leave(socket, command.code)
                if isinstance(command, Closing):
                    announced = command

    def _understand(self, message: str | bytes) -> list[Command]:
        try:
            return self._session.receive(message)
        except BadFrame as error:
            logger.error("%s", error)
            return [Leave(CloseCode.POSITION_LOST)]

    async def _perform(self, command: Command) -> None:
        match command:
            case Opened(ready):
                self._user = ready.user
                if self.on_ready is not None:
                    self.on_ready(ready)
            case Deliver(events):
                self._events.extend(events)
            case Answered(id_, answer):
                self._answer(id_, answer)
            case Transmit(frame):
                await self._transmit(frame)
            case ShowTyping(thread, sender) if self.on_typing is not None:
                self.on_typing(ThreadId.trusted(thread), sender)
            case Complaint(code, message):
                logger.warning("the server could not use a frame: %s [%d]", message, code)
        self._wake()

    def _answer(self, id_: str, answer: Mapping[str, JSON] | RequestFailed) -> None:
        reply = self._answers.get(id_)
        if reply is None:
            return
        if isinstance(answer, RequestFailed):
            reply.fail(answer)
        else:
            reply.succeed(answer)

    async def _leave(self, socket: WebSocketConnection, code: CloseCode) -> Closing:
        with trio.move_on_after(GOODBYE_SECONDS):
            await socket.aclose(code)
        return Closing(code, code.meaning.reason)

    async def _ack_in_time(self) -> None:
        session = self._session
        while True:
            await self._until(lambda: session.unacked > 0)
            with trio.move_on_after(ACK_SECONDS):
                await self._until(lambda: session.unacked >= ACK_EVENTS)
            await self._ack()

    async def _ack(self) -> None:
        ack = self._session.ack()
        if ack is not None:
            await self._transmit(ack)

    async def _say_goodbye(self) -> None:
        """What was received is acked even when the program leaves at once."""
        self._is_leaving = True
        with trio.CancelScope(deadline=trio.current_time() + GOODBYE_SECONDS, shield=True):
            await self._ack()
            if self._socket is not None:
                await self._socket.aclose()

    # Waiting

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds. Raises what the client failed with, if it never will."""
        while not condition():
            if self._failure is not None:
                raise self._failure()
            await self._changed.park()

    def _wake(self) -> None:
        self._changed.unpark_all()

    def _has_room(self) -> bool:
        """An awaited answer is read past any number of events, or both would wait for ever."""
        return len(self._events) < MAX_WAITING_EVENTS or self._session.is_waiting

    def _patience(self) -> float:
        ready = self._session.ready
        return HANDSHAKE_SECONDS if ready is None else SILENCE * ready.heartbeat

    def _delay(self, closing: Closing, attempt: int) -> float:
        """As the server said, else exponential with full jitter. Seconds."""
        if closing.after is not None:
            return closing.after + self._uniform(0, closing.jitter)
        ceiling = FIRST_BACKOFF * 2 ** min(attempt, 10)
        return self._uniform(0, min(LONGEST_BACKOFF, ceiling))

    def _fail(self, failure: Callable[[], ClientError]) -> None:
        if self._failure is None:
            self._failure = failure
        for reply in self._answers.values():
            reply.fail(self._failure())
        self._wake()


class _Events(AsyncIterator[Event]):
    """No async generator: one that is left by `break` would need closing."""

    def __init__(self, take: Callable[[], Awaitable[Event]]) -> None:
        self._take = take

    async def __anext__(self) -> Event:
        return await self._take()


def _ending(closed: trio_websocket.ConnectionClosed) -> Closing:
    reason = closed.reason
    if reason is None:
        return Closing(NO_CODE, "the connection broke")
    return Closing(reason.code, reason.reason or reason.name)
