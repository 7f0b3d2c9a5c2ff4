"""The connection actor: one socket's machine, its mailbox, and what its commands do."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

import attrs
import trio

from greenroom.actors.exit import ExitReason
from greenroom.actors.machine.actor import MachineReactor
from greenroom.actors.machine.runner import TimerFired
from greenroom.actors.ref import Ask
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.events.ids import ConnectionId
from greenroom.delivery.events.record import size_of
from greenroom.delivery.log_context import bind
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import (
    Acked,
    Attached,
    DeliverEvents,
    ReportRefused,
    Unacknowledged,
    Written,
)
from greenroom.delivery.user.past_connections import PastConnection
from greenroom.transport.auth.tokens import Identity
from greenroom.transport.auth.validity import Validity
from greenroom.transport.connection.attachment import Attachment
from greenroom.transport.connection.coalescing import with_followers
from greenroom.transport.connection.frame_reader import FrameReader
from greenroom.transport.connection.machine.data import ConnectionData, Phase, Times
from greenroom.transport.connection.machine.events import (
    AskAboutToken,
    AttachTo,
    Carry,
    CheckToken,
    Close,
    ConnectionCommand,
    Disconnected,
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
from greenroom.transport.connection.machine.machine import CONNECTION
from greenroom.transport.connection.messages import Answered, ConnectionMessage, Flooded
from greenroom.transport.connection.requests import Requests
from greenroom.transport.connection.socket.connection_socket import (
    CLOSE_SECONDS,
    ConnectionSocket,
)
from greenroom.transport.connection.socket.frame_writer import FrameWriter, WrittenCount
from greenroom.transport.connection.socket.ordered_writer import Starter
from greenroom.transport.connection.socket.rate_limit import FrameRates
from greenroom.transport.connection.token_watch import TokenWatch
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import BY_WEBSOCKET, CloseCode, words_of
from greenroom.transport.protocol.frame_codec import FrameDecoder, plain_ack
from greenroom.transport.protocol.frame_limits import FrameLimits
from greenroom.transport.protocol.wire import IsolationViolation

logger = logging.getLogger("greenroom.transport")

NO_CODE = 1006
"""Of a socket that ended without a closing handshake (RFC 6455 §7.1.5)."""

LAST_WORDS_SECONDS = 0.2
"""What a peer may take over the closing handshake of a connection that is stopped: the user's
other actors wait for this one."""


@attrs.frozen
class ConnectionSettings:
    """What connections of a server have in common.

    `wall_clock` gives seconds since the Unix epoch; `decoder` reads the clients' frames.
    """

    wall_clock: Callable[[], float]
    times: Times = attrs.field(factory=Times)
    limits: FrameLimits = attrs.field(factory=FrameLimits)
    decoder: FrameDecoder = attrs.field(factory=FrameDecoder)


class ConnectionActor(MachineReactor[ConnectionMessage, Phase, ConnectionData, ConnectionCommand]):
    """Drives `CONNECTION` for an accepted socket of a proven user."""

    __slots__ = (  # more than 30 attributes would be a dict of 1.6 KB for each connection
        "_acked",
        "_attachment",
        "_beside",
        "_close_code",
        "_count",
        "_cut_for",
        "_given_up",
        "_heard",
        "_heard_at",
        "_id",
        "_identity",
        "_on_ready",
        "_opened",
        "_page_position",
        "_rates",
        "_reader",
        "_requests",
        "_settings",
        "_socket",
        "_through",
        "_token",
        "_user",
        "_validity",
        "writer",
    )

    capacity = 64
    machine = CONNECTION
    _requests: Requests
    _attachment: Attachment
    _token: TokenWatch

    def __init__(
        self,
        socket: ConnectionSocket,
        identity: Identity,
        connection: ConnectionId,
        user: UserHandle,
        validity: Validity,
        settings: ConnectionSettings,
        beside: Starter,
        rates: FrameRates,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """`beside` runs what takes time; `on_ready` is called when the connection is ready."""
        self._socket = socket
        self._identity = identity
        self._id = connection
        self._user = user
        self._settings = settings
        self._validity = validity
        self._heard = False
        self._heard_at = self._opened = trio.current_time()
        self._beside = beside
        self._rates = rates
        self._acked = 0  # the last offset that the client acknowledged
        self._on_ready = on_ready
        self.writer = FrameWriter(socket, self._wrote, self._some_has_left)
        self._count = WrittenCount()
        self._reader = FrameReader(settings.decoder, settings.limits, user.observer)
        self._through: int | None = None  # the last offset of what there was to send
        self._page_position: int | None = None  # the end of a page of history that is being sent
        self._close_code: CloseCode | None = None
        self._cut_for: CloseCode | None = None
        self._given_up = False

    @property
    def phase(self) -> Phase:
        return self.runner.state

    def initial_data(self) -> ConnectionData:
        return ConnectionData(
            self._id,
            self._identity.user,
            self._settings.times,
            self._settings.limits,
            files=self._user.takes,
        )

    def note_cut(self, code: CloseCode) -> None:
        """Note the close code, before the connection is cut, maybe in the middle of a frame."""
        self._cut_for = code

    async def close(self, patience: float = CLOSE_SECONDS) -> None:
        """If the server closes: close the socket with a handshake, within `patience` seconds."""
        if self._close_code is not None:
            with trio.move_on_after(patience):
                await self.writer.close(self._close_code)

    async def started(self) -> None:
        await super().started()
        self._attachment = Attachment(self._id, self._user, self.ref, self._opened)
        self._token = TokenWatch(self._validity, self._identity, self.ref, self._beside)
        self._requests = Requests(
            self._user,
            self._token,
            self._settings.wall_clock,
            self.ref,
            self._beside,
        )
        self._user.observer.connection_opened()
        logger.debug("opened")
        self._feed(Upgraded(*self._requests.lifetime(self._identity)))

    def handle_many(self, messages: deque[ConnectionMessage | TimerFired | Ask[object]]) -> None:
        while messages and not self._stop:
            message = messages.popleft()
            self.recent.append(message)
            if type(message) is DeliverEvents:
                self._deliver(with_followers(message, messages) if messages else message)
            elif type(message) is FrameRefused or type(message) is Overstepped:
                self._refuse(message)
            elif type(message) is Flooded:
                self._refuse(Overstepped(CloseCode.RATE_LIMIT))
            elif type(message) is TimerFired:
                self._take_timer(message)
            elif type(message) is Unacknowledged:
                self._given_up = True
                self._feed(GaveUp(talks=self._heard_at > message.since))
            elif type(message) is Answered:
                self._take_answer(message.event)
            else:
                if type(message) is ReportRefused:
                    logger.warning("a report was refused: %s", message.message)
                self._feed(message)

    async def stopping(self, reason: ExitReason) -> None:
        try:
            if self.runner.state in (Phase.AUTHENTICATED, Phase.READY):
                self._feed(self._last_event(reason))
                await self.close(LAST_WORDS_SECONDS)
        finally:
            self._requests.drop()
            self.writer.retire()
            self._attachment.detach()
            self._note_closed()

    def _last_event(self, reason: ExitReason) -> Draining | Overstepped:
        """What tells the machine why it ends: a cut with its code, `Draining` if the whole user
        stops, otherwise a failure of the server."""
        if isinstance(reason.error, IsolationViolation):
            logger.critical("isolation: %s", safe_str(reason.error))
            return Overstepped(CloseCode.ISOLATION_VIOLATION)
        if self._cut_for is not None:
            logger.warning("the connection was cut: its client does not read")
            return Overstepped(self._cut_for)
        if reason.orderly and self._user.tree.stopped:
            return Draining(500, 2000)
        return Overstepped(CloseCode.SERVER_ERROR)

    # What comes in

    def _feed(self, event: object) -> None:
        self._obey(self.runner.handle(event))

    def _take_answer(self, event: object) -> None:
        if type(event) is Attached and self._token.is_banned:
            event = Disconnected()
        if type(event) is Attached:
            self._acked = event.after
            self.writer.announced = wire.LARGE in self.runner.data.features
            bind(connection=self._id, user=str(self._user.user), session=event.session)
            self._on_ready()
        self._feed(event)
        if self._requests.is_page(event):
            self._page_position = self.writer.position
            self._some_has_left()

    def _deliver(self, news: DeliverEvents) -> None:
        records, through = news.records, self._through
        if through is not None and records[0].offset > through + 1:
            logger.warning("position lost: %d follows %d", records[0].offset, through)
            self._feed(GapSeen())
            return
        sender, last = self.runner.data.sender, records[-1].offset
        if sender is None:
            self._obey(self.runner.handle(news))  # no row takes it
        else:  # what the row of READY, where the sender is made, comes to
            self._write_events(sender.frame(records, replay=news.replay), last)
        if through is None or last > through:  # else they are sent again
            self._through = last
        self._user.observer.sent(len(records), size_of(records), replay=news.replay)

    def frame_of(
        self, message: str | bytes
    ) -> wire.ClientFrame | Overstepped | FrameRefused | None:
        """The message to tell this actor of what its client sent; None if that is done already.
        Called by the task that read it.

        An ack of what was not acknowledged before is no frame of the client's own: the server
        caused it, by sending events, so it does not count for the rate of frames.
        """
        self._heard, self._heard_at = True, self._rates.clock()
        offset = plain_ack(message)
        if offset is None:
            return self._reader.event_of(message)
        if not self._acked < offset <= self.writer.gauge.written:
            return wire.Ack(offset)
        self._acked = offset
        self._rates.put_back()
        if not self.ref.is_idle or self.runner.state is not Phase.READY:
            return wire.Ack(offset)
        # What the row of an `Ack` in READY comes to, when no message waits before it.
        self.writer.pulse.arrived(offset)
        self._attachment.hand(Acked(self._id, offset))
        return None

    def _refuse(self, event: Overstepped | FrameRefused) -> None:
        self._user.observer.frame_refused(event.code)
        code, kind = event.code, {"kind": str(event.code)}
        logger.info("a frame was refused: %d %s", code, code.meaning.name, extra=kind)
        self._feed(event)

    def _take_timer(self, fired: TimerFired) -> None:
        """`Heard` comes at most once per timer: frames cost no step of the machine for it."""
        if self.writer.pulse.beats(self._settings.times.heartbeat) or self._heard:
            self._heard = False
            self._feed(Heard())
        self._feed(fired)

    # What goes out

    def perform(self, command: ConnectionCommand) -> None:
        match command:
            case SendEvents(frame, through):
                self._write_events(frame, through)
            case Tell(message):
                if type(message) is Acked:
                    self.writer.pulse.arrived(message.offset)
                self._attachment.tell(message)
            case Send(frame, is_volatile):
                self._send(frame, is_volatile)
            case Ping(position):
                self._write(wire.ping((position and self.writer.gauge.written) or None))
            case AttachTo(hello):
                self._attachment.attach(hello, self.writer.gauge)
            case Carry(request):
                self._requests.carry(request, self.runner.data.session)
            case CheckToken(expires_ms):
                self._post_answer(TokenLeft(expires_ms / 1000 - self._settings.wall_clock()))
            case AskAboutToken():
                self._token.look()
            case Close(code, reason, reconnect):
                self._close(code, reason, reconnect)

    def _send(self, frame: bytes, is_volatile: bool) -> None:
        if is_volatile and self.writer.is_late:
            return  # it would be old news by the time it left
        self._write(frame)
        self.writer.pulse.replied(len(frame))

    def _write_events(self, frame: bytes, through: int) -> None:
        if not self.writer.write_events(frame, through):
            self._note_gone()

    def _write(self, frame: bytes) -> None:
        if not self.writer.write(frame):
            self._note_gone()

    def _note_gone(self) -> None:
        self.ref.tell_owed(SocketGone())

    def _wrote(self, through: int, size: int) -> None:
        """A frame of events is with the system. Called in the task that gave it the last of it."""
        if through <= self.writer.gauge.written:
            return  # the frame was sent again
        self.writer.gauge.written = through
        if self._count.wrote(through, size):
            self._attachment.tell(Written(self._id, through))

    def _some_has_left(self) -> None:
        """Some of what waited has left: if a page of history did, the next one may be read."""
        if self._page_position is not None and self.writer.has_left(self._page_position):
            self._page_position = None
            self._requests.page_has_left()

    def _close(
        self, code: CloseCode, reason: str | None, reconnect: tuple[int, int] | None
    ) -> None:
        """Say why. The machine is at its end: so is this actor, and then the socket is closed."""
        self._close_code = code
        after_ms, jitter_ms = reconnect or (None, 0)
        closing = wire.closing(code, reason, reconnect_after_ms=after_ms, jitter_ms=jitter_ms)
        self._write(closing)

    def _post_answer(self, event: object) -> None:
        self.ref.tell_owed(Answered(event))

    def _note_closed(self) -> None:
        closed, ours = self._socket.closed, self._close_code
        code = ours or (closed.code if closed is not None else NO_CODE)
        by_server = ours is not None or code in BY_WEBSOCKET
        self._user.observer.connection_closed(code, by_server=by_server)
        at, session = self._settings.wall_clock(), self.runner.data.session
        past = PastConnection(
            at, code, by_server, self._id, session, self._given_up, words_of(code)
        )
        self._user.past.note(self._user.user, past)
        logger.debug("closed by the %s: %d", "server" if by_server else "client", code)
