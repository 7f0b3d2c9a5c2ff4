"""A client's side of a session: what to send, what to deliver, when the position is lost (pure).

Outlives sockets. The shell feeds it the server's frames and carries out what it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, TypeAlias

import attrs
import orjson

from greenroom.delivery.events.ids import BadId
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.transport.client.frames import (
    Outgoing,
    Position,
    Ready,
    RequestFailed,
    a_list,
    encoded,
    end_of,
    failure,
    integer,
    read_ready,
    too_big,
    window,
)
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.frame_limits import FrameLimits
from greenroom.transport.protocol.frame_object import BadFrame

ACK_EVENTS = 32


# What the shell is to do


@attrs.frozen
class Opened:
    """The session is ready. Requests without an answer are to be sent again.

    `lost`: the client's position means nothing any more, and a new one begins here.
    """

    ready: Ready
    position: Position
    lost: bool


@attrs.frozen
class Arrival:
    """An event, and the position to resume from once it is taken."""

    event: Event
    place: Position


@attrs.frozen
class DeliverArrivals:
    """Hand these events to the application: new ones, in order, without gaps."""

    arrivals: Sequence[Arrival]


@attrs.frozen
class Expect:
    """A frame of `size` bytes comes next, which may take long."""

    size: int


@attrs.frozen
class RequestAnswered:
    """A request has its answer: a result or an error."""

    id: str
    answer: Mapping[str, JSON] | RequestFailed


@attrs.frozen
class Transmit:
    """Send this frame over the socket."""

    frame: wire.ClientFrame


@attrs.frozen
class Leave:
    """Close the socket with this code and reconnect."""

    code: CloseCode


@attrs.frozen
class Closing:
    """The server is about to close. `after` and `jitter` in seconds; None: do as the code says."""

    code: int
    reason: str
    after: float | None = None
    jitter: float = 0.0


@attrs.frozen
class TypingSeen:
    """Someone is typing in a thread of the user. It is never sent again."""

    thread: str
    sender: str


@attrs.frozen
class Complaint:
    """The server could not use a frame without an id: its close `code` and `message` say why."""

    code: int
    message: str


ClientCommand: TypeAlias = (
    Opened
    | DeliverArrivals
    | Expect
    | RequestAnswered
    | Transmit
    | Leave
    | Closing
    | TypingSeen
    | Complaint
)


class ClientSession:
    """Remembers session, epoch, offset and unanswered requests across sockets.

    Call `hello` for each new socket, `receive` for each of its frames, `disconnected` at its end.
    """

    def __init__(self, position: Position | None = None) -> None:
        self.position: Position | None = position
        self.ready: Ready | None = None
        self.limits: FrameLimits = FrameLimits()
        self.history: int = 0  # changes when events that were received no longer count
        self._acked = 0
        self._adrift = False
        self._pending: dict[str, Outgoing] = {}
        self._unsent: dict[str, Outgoing] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether some request has no answer yet."""
        return bool(self._pending)

    @property
    def unacked(self) -> int:
        """How many offsets were received since the last ack."""
        return self._place - self._acked if self.ready else 0

    def hello(self) -> wire.Hello:
        """Return the `hello` frame, the first one for a new socket."""
        at = self.position
        if at is None:
            return wire.Hello(features=wire.FEATURES)
        return wire.Hello(at.session, at.epoch, at.offset, at.event, features=wire.FEATURES)

    def disconnected(self) -> None:
        """The socket is gone. Requests without an answer are sent again on the next one."""
        self.ready = None

    def request(self, request: wire.ClientRequest) -> None:
        """Remember a request until it is answered: it is sent again after each reconnect.

        Raises `BadMessage` for one that no server could take.
        """
        outgoing = Outgoing(request.id, encoded(request))
        self._pending[request.id] = self._unsent[request.id] = outgoing

    def forget(self, id: str) -> None:  # noqa: A002  # the wire's own word
        """Forget a request: the program no longer waits for its answer."""
        self._pending.pop(id, None)
        self._unsent.pop(id, None)

    @property
    def may_send(self) -> bool:
        """Whether a request waits to be sent while few enough wait for their answers."""
        if self.ready is None or not self._unsent:
            return False
        return len(self._pending) - len(self._unsent) < window(self.ready.limits)

    def next_request(self) -> Outgoing:
        """The request to send now, when `may_send` says so; asking for it counts as sending it."""
        return self._unsent.pop(next(iter(self._unsent)))

    def refused_for_size(self) -> RequestAnswered | None:
        """The server closed for a frame that was too big: the biggest one sent is not sent again.

        None when none was: then it cannot have been a request.
        """
        sent = [each for id_, each in self._pending.items() if id_ not in self._unsent]
        if not sent:
            return None
        biggest = max(sent, key=lambda each: len(each.frame))
        self.forget(biggest.id)
        return RequestAnswered(biggest.id, too_big(len(biggest.frame), None))

    def ack(self) -> wire.Ack | None:
        """Return the frame of the ack that is due, or None; asking for it counts as sending it."""
        if not self.unacked:
            return None
        self._acked = self._place
        return wire.Ack(self._place)

    def receive(self, message: str | bytes) -> list[ClientCommand]:
        """Return what to do about a frame of the server. Raises `BadFrame` for a bad one."""
        try:
            fields = orjson.loads(message)
            handler = self._HANDLERS.get(fields["type"])
            return [] if handler is None else list(handler(self, fields))
        except (ValueError, KeyError, TypeError, AttributeError, BadId) as error:
            raise BadFrame(f"the server sent an unusable frame: {error!r}", fatal=True) from error

    def _ready(self, fields: Mapping[str, JSON]) -> Iterator[ClientCommand]:
        """Resume at our position, or at the server's if it does not know ours any more.

        A server that does not say from where it sends may skip events that are gone.
        """
        self.ready = ready = read_ready(fields)
        self.limits = ready.limits
        at = self.position
        same = at is not None and at.epoch == ready.epoch and at.offset <= ready.offset
        goes_on = same and (ready.recovered or "from" not in fields)
        self._adrift = goes_on and not ready.recovered
        place = Position(ready.session, ready.epoch, ready.after, ready.event)
        self.position = attrs.evolve(at, session=ready.session) if goes_on and at else place
        self._acked = self._place
        self.history += not goes_on
        self._unsent = dict(self._pending)
        yield Opened(ready, self.position, lost=not goes_on)

    def _events(self, fields: Mapping[str, JSON]) -> Iterator[ClientCommand]:
        spans = [(event, end_of(event)) for event in map(Event.from_json, a_list(fields["events"]))]
        if self.ready is None or fields["epoch"] != self.ready.epoch:
            yield Leave(CloseCode.POSITION_LOST)
            return
        fresh, is_gap = self._advance(spans)
        if fresh:
            yield DeliverArrivals(fresh)
        if is_gap:
            yield Leave(CloseCode.POSITION_LOST)

    def _advance(self, spans: Iterable[tuple[Event, int]]) -> tuple[list[Arrival], bool]:
        """The events not seen before, up to the first gap, and whether there was one.

        The events behind a `superseded` may come merged, later in the frame. A program that took
        the first and not yet the second must resume before both.
        """
        fresh: list[Arrival] = []
        folded: Position | None = None
        for event, end in spans:
            if end <= self._place:
                continue
            if event.offset > self._place + 1 and not self._adrift:
                return _whole(fresh, self.position), True
            assert self.position is not None, "ready gave one"
            if event.kind is Kind.SUPERSEDED and folded is None:
                folded = self.position
            known = event.id if end == event.offset else None
            self.position = attrs.evolve(self.position, offset=end, event=known)
            self._adrift = False
            fresh.append(Arrival(event, folded or self.position))
        return _whole(fresh, self.position), False

    @property
    def _place(self) -> int:
        return self.position.offset if self.position else 0

    def _reply(self, fields: Mapping[str, JSON]) -> Iterator[ClientCommand]:
        id_ = str(fields["id"])
        if self._pending.pop(id_, None) is None:
            return
        yield RequestAnswered(id_, fields if fields["ok"] is True else failure(fields["error"]))

    def _ping(self, fields: Mapping[str, JSON]) -> Iterator[ClientCommand]:
        """Frames keep their order: what was written before the ping and is not here is lost."""
        written = fields.get("offset")
        is_gap = written is not None and integer(written) > self._place
        yield Leave(CloseCode.POSITION_LOST) if is_gap else Transmit(wire.Pong())

    def _large(self, fields: Mapping[str, JSON]) -> Iterator[ClientCommand]:
        yield Expect(integer(fields["bytes"]))

    def _typing(self, fields: Mapping[str, JSON]) -> Iterator[ClientCommand]:
        yield TypingSeen(str(fields["thread"]), str(fields["from"]))

    def _error(self, fields: Mapping[str, JSON]) -> Iterator[ClientCommand]:
        yield Complaint(integer(fields["code"]), str(fields["message"]))

    def _closing(self, fields: Mapping[str, JSON]) -> Iterator[ClientCommand]:
        code, reason = integer(fields["code"]), str(fields["reason"])
        match fields["reconnect"]:
            case {"after_ms": int(after), "jitter_ms": int(jitter)}:
                yield Closing(code, reason, after / 1000, jitter / 1000)
            case _:
                yield Closing(code, reason)

    _HANDLERS: ClassVar[
        Mapping[str, Callable[[ClientSession, Mapping[str, JSON]], Iterator[ClientCommand]]]
    ] = {
        "ready": _ready,
        "events": _events,
        "reply": _reply,
        "ping": _ping,
        "large": _large,
        "typing": _typing,
        "error": _error,
        "closing": _closing,
    }


def _whole(arrivals: list[Arrival], end: Position | None) -> list[Arrival]:
    """A program that took all of a frame resumes at its end."""
    if arrivals and end is not None:
        arrivals[-1] = attrs.evolve(arrivals[-1], place=end)
    return arrivals
