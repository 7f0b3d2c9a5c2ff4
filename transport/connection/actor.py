"""The connection actor: one socket's machine, its mailbox, and what its commands do.

Longer than other files, until it is split.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import attrs
import trio
from trio_websocket import ConnectionClosed
from wsproto.utilities import LocalProtocolError

from greenroom.actors.exit import ExitReason
from greenroom.actors.machine.actor import MachineActor
from greenroom.actors.machine.runner import TimerFired
from greenroom.actors.recording.redaction import SECRET
from greenroom.actors.ref import Ask, Ref
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.errors import TooManyConnections
from greenroom.delivery.events.ids import ConnectionId
from greenroom.delivery.log_context import bind
from greenroom.delivery.outbox.feed import (
    FRAME_BYTES,
    FRAME_EVENTS,
    SocketGauge,
    nothing_on_its_way,
)
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import (
    Acked,
    Attach,
    Attached,
    ConnectionNews,
    DeliverEvents,
    Detach,
    ReportRefused,
    Unacknowledged,
    Written,
)
from greenroom.supervisor.errors import SupervisorError
from greenroom.transport.auth.tokens import Authenticator, Identity
from greenroom.transport.connection.coalescing import with_followers
from greenroom.transport.connection.counted_socket import CountedSocket
from greenroom.transport.connection.data import ConnectionData, Phase, Times
from greenroom.transport.connection.events import (
    AttachTo,
    Carry,
    CheckToken,
    Close,
    ConnectionCommand,
    Draining,
    FrameRefused,
    GapSeen,
    GaveUp,
    Heard,
    Overstepped,
    Ping,
    Send,
    SendEvents,
    SocketGone,
    Tell,
    TokenLeft,
    Upgraded,
)
from greenroom.transport.connection.machine import CONNECTION
from greenroom.transport.connection.pulse import Pulse
from greenroom.transport.connection.requests import Requests
from greenroom.transport.errors import BadFrame, IsolationViolation, wrong_id_behind
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import BY_WEBSOCKET, CloseCode
from greenroom.transport.protocol.frame_limits import FrameLimits

logger = logging.getLogger("greenroom.transport")

NO_CODE = 1006
"""Of a socket that ended without a closing handshake (RFC 6455 §7.1.5)."""

CLOSE_SECONDS = 2.0
"""How long a peer may take over the closing handshake."""

LAST_WORDS_SECONDS = 0.2
"""The same for a connection that is stopped: what reads the socket is stopped too, so no answer
comes, and the user's other actors wait for this one."""


@attrs.frozen
class FrameCame:
    """A message of the client, not yet looked at."""

    message: str | bytes = attrs.field(metadata=SECRET)


@attrs.frozen
class Flooded:
    """The client sent more frames than it may. Those before that came as messages."""


@attrs.frozen
class Answered:
    """What the client asked for is there: an event for the machine."""

    event: object


ConnectionMessage: TypeAlias = (
    ConnectionNews | FrameCame | Flooded | Answered | Draining | SocketGone
)


@attrs.frozen
class ConnectionSettings:
    """Limits of one connection; `wall_clock` gives seconds since the Unix epoch."""

    wall_clock: Callable[[], float]
    times: Times = attrs.field(factory=Times)
    limits: FrameLimits = attrs.field(factory=FrameLimits)


class ConnectionActor(MachineActor[ConnectionMessage, Phase, ConnectionData, ConnectionCommand]):
    """Drives `CONNECTION` for an accepted socket of a proven user."""

    capacity = 64
    machine = CONNECTION
    _requests: Requests

    def __init__(
        self,
        socket: CountedSocket,
        identity: Identity,
        connection: ConnectionId,
        user: UserHandle,
        authenticator: Authenticator,
        settings: ConnectionSettings,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_ready` is called when the connection becomes ready."""
        self._socket = socket
        self._identity = identity
        self._id = connection
        self._user = user
        self._settings = settings
        self._authenticator = authenticator
        self._heard = False
        self._heard_at = trio.current_time()
        self._on_ready = on_ready
        self.writing_since: float | None = None
        self._reported = self._unreported_bytes = 0
        self.pulse = Pulse(socket.traffic, trio.current_time)
        self._gauge = SocketGauge(on_its_way=self._is_on_its_way)
        self._through: int | None = None  # the last offset of what there was to send
        self._patience = CLOSE_SECONDS
        self._opened = trio.current_time()
        self._close_code: CloseCode | None = None
        self._cut_for: CloseCode | None = None
        self._torn = False  # a frame was cut off in the middle: nothing more can be said

    @property
    def phase(self) -> Phase:
        return self.runner.state

    def initial_data(self) -> ConnectionData:
        return ConnectionData(
            self._id, self._identity.user, self._settings.times, self._settings.limits
        )

    def give_up(self, code: CloseCode) -> None:
        """Say what for it is about to be cut, in the middle of a frame maybe."""
        self._cut_for = code

    async def started(self) -> None:
        await super().started()
        self._requests = Requests(
            self._user,
            self._authenticator,
            self._settings.wall_clock,
            partial(_answer, self.ref),
            self.ref,
        )
        self._user.observer.connection_opened()
        logger.debug("opened")
        await self._feed(Upgraded(*self._requests.lifetime(self._identity)))

    async def receive_many(
        self, messages: deque[ConnectionMessage | TimerFired | Ask[object]]
    ) -> None:
        while messages and not self._stop:
            message = messages.popleft()
            self.recent.append(message)
            if type(message) is DeliverEvents:
                await self._deliver(with_followers(message, messages))
            elif type(message) is FrameCame:
                await self._take_frame(message.message)
            elif type(message) is Flooded:
                await self._refuse(Overstepped(CloseCode.RATE_LIMIT))
            elif type(message) is TimerFired:
                await self._take_timer(message)
            elif type(message) is Unacknowledged:
                await self._feed(GaveUp(talks=self._heard_at > message.since))
            elif type(message) is Answered:
                await self._take_answer(message.event)
            else:
                if type(message) is ReportRefused:
                    logger.warning("a report was refused: %s", message.message)
                await self._feed(message)

    async def stopping(self, reason: ExitReason) -> None:
        self._patience = LAST_WORDS_SECONDS
        try:
            if self.runner.state in (Phase.AUTHENTICATED, Phase.READY):
                await self._feed(self._last_event(reason))
        finally:
            self._requests.drop()
            self._gauge.on_its_way = nothing_on_its_way  # it knew this actor, which knows it
            self._leave_user()
            self._note_closed()

    def _last_event(self, reason: ExitReason) -> Draining | Overstepped:
        """Given up: as said. Stopped with the whole user: the server goes away. Else it failed."""
        if isinstance(reason.error, IsolationViolation):
            logger.critical("isolation: %s", safe_str(reason.error))
            return Overstepped(CloseCode.ISOLATION_VIOLATION)
        if self._cut_for is not None:
            logger.warning("cut, its client reads nothing")
            return Overstepped(self._cut_for)
        if reason.orderly and self._user.tree.stopped:
            return Draining(500, 2000)
        return Overstepped(CloseCode.SERVER_ERROR)

    # What comes in

    async def _feed(self, event: object) -> None:
        await self._obey(self.runner.handle(event))

    async def _take_answer(self, event: object) -> None:
        if type(event) is Attached:
            bind(connection=self._id, user=str(self._user.user), session=event.session)
            self._on_ready()
        await self._feed(event)
        self._requests.answered(event)

    async def _deliver(self, news: DeliverEvents) -> None:
        if self._through is not None and news.records[0].offset > self._through + 1:
            logger.warning("position lost: %d follows %d", news.records[0].offset, self._through)
            await self._feed(GapSeen())
            return
        await self._feed(news)
        self._through = max(self._through or 0, news.records[-1].offset)
        size = sum(len(record.body) for record in news.records)
        self._user.observer.sent(len(news.records), size, replay=news.replay)

    async def _take_frame(self, message: str | bytes) -> None:
        self._heard, self._heard_at = True, trio.current_time()
        event = self._event_of(message)
        if type(event) is Overstepped or type(event) is FrameRefused:
            await self._refuse(event)
        else:
            await self._feed(event)

    async def _refuse(self, event: Overstepped | FrameRefused) -> None:
        self._user.observer.frame_refused(event.code)
        code, kind = event.code, {"kind": str(event.code)}
        logger.info("a frame was refused: %d %s", code, code.meaning.name, extra=kind)
        await self._feed(event)

    def _event_of(self, message: str | bytes) -> object:
        size = len(message if message.isascii() else _bytes(message))
        if size > self._settings.limits.max_frame_bytes:
            return Overstepped(CloseCode.FRAME_TOO_BIG)
        try:
            return wire.decode(message)
        except BadFrame as bad:
            if (wrong := wrong_id_behind(bad)) is not None:
                self._user.observer.id_mismatch(wrong.expected, wrong.given)
            return FrameRefused(bad.code, bad.message, bad.id, bad.fatal)

    async def _take_timer(self, fired: TimerFired) -> None:
        if self.pulse.beats(self._settings.times.heartbeat) or self._heard:
            self._heard = False
            await self._feed(Heard())
        await self._feed(fired)

    # What goes out

    async def perform(self, command: ConnectionCommand) -> None:
        match command:
            case SendEvents(frame, through):
                if await self._write(frame):
                    self.pulse.wrote(through, len(frame))
                    self._wrote(frame, through)
            case Send(frame):
                await self._write(frame)
                self.pulse.replied(len(frame))
            case Ping(position):
                await self._write(wire.ping((position and self._gauge.written) or None))
            case Tell(message):
                self._tell_user(message)
            case AttachTo(hello):
                self._attach(hello)
            case Carry(request):
                await self._requests.carry(request, self.runner.data.session)
            case CheckToken(expires_ms):
                self._answered(TokenLeft(expires_ms / 1000 - self._settings.wall_clock()))
            case Close(code, reason, reconnect):
                await self._close(code, reason, reconnect)

    async def _write(self, frame: bytes) -> bool:
        """False when the socket is gone."""
        if self._torn:
            return False
        self.writing_since, self._torn = trio.current_time(), True
        try:
            if len(frame) > wire.LARGE_BYTES and wire.LARGE in self.runner.data.features:
                await self._socket.send_message(wire.large(len(frame)).decode())
            await self._socket.send_message(frame.decode())
            written = True
        except (ConnectionClosed, LocalProtocolError):
            self.ref.tell_owed(SocketGone())
            written = False
        self.writing_since, self._torn = None, False
        return written

    def _is_on_its_way(self, after: int) -> bool:
        """What the client acknowledges is not heard amid a write, whose end is `_write_guard`."""
        return self.writing_since is not None or self.pulse.on_its_way(after)

    def _wrote(self, frame: bytes, through: int) -> None:
        """Report what is written by the half frame: the window is two, so it never runs dry."""
        if through <= self._gauge.written:
            return  # it was sent again
        self._gauge.written = through
        self._unreported_bytes += len(frame)
        events = through - self._reported
        if events >= FRAME_EVENTS // 2 or self._unreported_bytes >= FRAME_BYTES // 2:
            self._tell_user(Written(self._id, through))
            self._reported, self._unreported_bytes = through, 0

    async def _close(
        self, code: CloseCode, reason: str | None, reconnect: tuple[int, int] | None
    ) -> None:
        self._close_code = code
        after_ms, jitter_ms = reconnect or (None, 0)
        closing = wire.closing(code, reason, reconnect_after_ms=after_ms, jitter_ms=jitter_ms)
        if self._torn:
            return  # a close frame would be read as the rest of the frame that was cut off
        with trio.move_on_after(self._patience):
            await self._write(closing)
            await self._socket.aclose(code, code.meaning.reason)

    def _attach(self, hello: wire.Hello) -> None:
        request = Attach(
            self._id,
            self.ref,
            hello.session,
            hello.epoch,
            hello.offset,
            self._gauge,
            hello.event,
        )
        self._requests.ask_user(request, partial(self._attached, hello), _refused_attach)

    def _attached(self, hello: wire.Hello, attached: Attached) -> Attached:
        self._user.observer.connection_ready(trio.current_time() - self._opened)
        if hello.session not in (None, attached.session):
            logger.info("%s is no session of this user: a new one begins", hello.session)
            self._user.observer.lookup_failed("session")
        return attached

    def _tell_user(self, message: object) -> None:
        """The user actor gone means that this connection is about to be stopped: say nothing."""
        if type(message) is Acked:
            self.pulse.arrived(message.offset)
        try:
            self._user.actor.tell_owed(message)  # type: ignore[arg-type]  # Tell and Written only
        except SupervisorError:
            self._user_is_gone()

    def _user_is_gone(self) -> None:
        self._answered(Overstepped(CloseCode.SERVER_ERROR))

    def _answered(self, event: object) -> None:
        _answer(self.ref, event)

    def _leave_user(self) -> None:
        try:
            self._user.actor.tell_owed(Detach(self._id))
        except SupervisorError:
            return  # it is restarting, and comes back knowing no connection

    def _note_closed(self) -> None:
        closed, ours = self._socket.closed, self._close_code
        code = ours or (closed.code if closed is not None else NO_CODE)
        by_server = ours is not None or code in BY_WEBSOCKET
        self._user.observer.connection_closed(code, by_server=by_server)
        logger.debug("closed by the %s: %d", "server" if by_server else "client", code)


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _answer(connection: Ref[ConnectionMessage], event: object) -> None:
    connection.tell_owed(Answered(event))


def _refused_attach(error: BaseException) -> object:
    if isinstance(error, TooManyConnections):
        return Overstepped(CloseCode.TOO_MANY_CONNECTIONS)
    return Overstepped(CloseCode.SERVER_ERROR)
