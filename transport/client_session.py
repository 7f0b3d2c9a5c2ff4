"""A client's side of a session: what to say, what to deliver, when the place is lost (pure).

Outlives sockets. The shell feeds it the server's frames and carries out what it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, TypeAlias

import attrs
import orjson

from greenroom.delivery.events import JSON, Event, Kind
from greenroom.delivery.ids import BadId, SessionId, UserId
from greenroom.transport import wire
from greenroom.transport.close_codes import CloseCode
from greenroom.transport.errors import BadFrame, RequestFailed

ACK_EVENTS = 32
Request: TypeAlias = wire.Say | wire.CancelRun | wire.HistoryRequest | wire.Refresh


@attrs.frozen
class Position:
    """Where to resume: keep it across restarts of the program."""

    session: SessionId
    epoch: str
    offset: int


@attrs.frozen
class Ready:
    """The server's `ready`. `heartbeat` in seconds, `expires_ms` since the Unix epoch.

    `recovered` False beside a resume means that events are gone: ask for the history.
    """

    session: SessionId
    user: UserId
    epoch: str
    offset: int
    recovered: bool
    heartbeat: float
    expires_ms: int | None


# What the shell is to do


@attrs.frozen
class Opened:
    """The session is ready; then come the requests that still wait, as `Transmit`."""

    ready: Ready


@attrs.frozen
class Deliver:
    """Hand these to the application: new, in order, without gaps."""

    events: Sequence[Event]


@attrs.frozen
class Answered:
    """A request has its answer: a result or an error."""

    id: str
    answer: Mapping[str, JSON] | RequestFailed


@attrs.frozen
class Transmit:
    """Send this frame."""

    frame: wire.ClientFrame


@attrs.frozen
class Leave:
    """Close with this code and come back."""

    code: CloseCode


@attrs.frozen
class Closing:
    """The server is about to close. `after` and `jitter` in seconds; None: do as the code says."""

    code: int
    reason: str
    after: float | None = None
    jitter: float = 0.0


@attrs.frozen
class ShowTyping:
    """Someone is typing. Volatile."""

    thread: str
    sender: str


@attrs.frozen
class Complaint:
    """The server could not use a frame of ours that had no id."""

    code: int
    message: str


Command: TypeAlias = (
    Opened | Deliver | Answered | Transmit | Leave | Closing | ShowTyping | Complaint
)


class ClientSession:
    """Remembers session, epoch, offset and unanswered requests across sockets.

    Call `hello` for each new socket, `receive` for each of its frames, `disconnected` at its end.
    """

    def __init__(self, position: Position | None = None) -> None:
        self.position: Position | None = position
        self.ready: Ready | None = None
        self._acked = 0
        self._adrift = False
        self._pending: dict[str, Request] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether some request has no answer yet."""
        return bool(self._pending)

    @property
    def unacked(self) -> int:
        """How many offsets were received since the last ack."""
        return self._place - self._acked if self.ready else 0

    def hello(self) -> wire.Hello:
        """The first frame for a new socket."""
        at = self.position
        if at is None:
            return wire.Hello(features=wire.FEATURES)
        return wire.Hello(at.session, at.epoch, at.offset, features=wire.FEATURES)

    def disconnected(self) -> None:
        """The socket is gone. What was asked stays asked."""
        self.ready = None

    def request(self, request: Request) -> None:
        """Remember a request until it is answered: it is sent again after each reconnect."""
        self._pending[request.id] = request

    def forget(self, id: str) -> None:  # noqa: A002  # the wire's own word
        """Nobody waits for this answer any more."""
        self._pending.pop(id, None)

    def ack(self) -> wire.Ack | None:
        """The ack that is due, if any; asking for it counts as sending it."""
        if not self.unacked:
            return None
        self._acked = self._place
        return wire.Ack(self._place)

    def receive(self, message: str | bytes) -> list[Command]:
        """What to do about a frame. Raises `BadFrame` for what no server of ours would send."""
        try:
            fields = orjson.loads(message)
            handler = self._HANDLERS.get(fields["type"])
            return [] if handler is None else list(handler(self, fields))
        except (ValueError, KeyError, TypeError, AttributeError, BadId) as error:
            raise BadFrame(f"the server sent an unusable frame: {error!r}", fatal=True) from error

    def _ready(self, fields: Mapping[str, JSON]) -> Iterator[Command]:
        """Take up the place again, or the server's when ours means nothing to it any more.

        When it means something but events after it are gone, the first event may skip them.
        """
        self.ready = ready = _read_ready(fields)
        at = self.position
        resumed = at is not None and at.epoch == ready.epoch and at.offset <= ready.offset
        self._adrift = resumed and not ready.recovered
        offset = self._place if resumed else ready.offset
        self.position = Position(ready.session, ready.epoch, offset)
        self._acked = offset
        yield Opened(ready)
        yield from map(Transmit, self._pending.values())

    def _events(self, fields: Mapping[str, JSON]) -> Iterator[Command]:
        spans = [(event, _end(event)) for event in map(Event.from_json, _list(fields["events"]))]
        if self.ready is None or fields["epoch"] != self.ready.epoch:
            yield Leave(CloseCode.POSITION_LOST)
            return
        fresh, is_gap = self._advance(spans)
        if fresh:
            yield Deliver(fresh)
        if is_gap:
            yield Leave(CloseCode.POSITION_LOST)

    def _advance(self, spans: Iterable[tuple[Event, int]]) -> tuple[list[Event], bool]:
        """The events not seen before, up to the first gap, and whether there was one."""
        fresh: list[Event] = []
        for event, end in spans:
            if end <= self._place:
                continue
            if event.offset > self._place + 1 and not self._adrift:
                return fresh, True
            assert self.position is not None, "ready gave one"
            self.position = attrs.evolve(self.position, offset=end)
            self._adrift = False
            fresh.append(event)
        return fresh, False

    @property
    def _place(self) -> int:
        return self.position.offset if self.position else 0

    def _reply(self, fields: Mapping[str, JSON]) -> Iterator[Command]:
        id_ = str(fields["id"])
        if self._pending.pop(id_, None) is None:
            return
        yield Answered(id_, fields if fields["ok"] is True else _failure(fields["error"]))

    def _ping(self, fields: Mapping[str, JSON]) -> Iterator[Command]:
        """Frames keep their order: what was written before the ping and is not here is lost."""
        written = fields.get("offset")
        is_gap = written is not None and _integer(written) > self._place
        yield Leave(CloseCode.POSITION_LOST) if is_gap else Transmit(wire.Pong())

    def _typing(self, fields: Mapping[str, JSON]) -> Iterator[Command]:
        yield ShowTyping(str(fields["thread"]), str(fields["from"]))

    def _error(self, fields: Mapping[str, JSON]) -> Iterator[Command]:
        yield Complaint(_integer(fields["code"]), str(fields["message"]))

    def _closing(self, fields: Mapping[str, JSON]) -> Iterator[Command]:
        code, reason = _integer(fields["code"]), str(fields["reason"])
        match fields["reconnect"]:
            case {"after_ms": int(after), "jitter_ms": int(jitter)}:
                yield Closing(code, reason, after / 1000, jitter / 1000)
            case _:
                yield Closing(code, reason)

    _HANDLERS: ClassVar[
        Mapping[str, Callable[[ClientSession, Mapping[str, JSON]], Iterator[Command]]]
    ] = {
        "ready": _ready,
        "events": _events,
        "reply": _reply,
        "ping": _ping,
        "typing": _typing,
        "error": _error,
        "closing": _closing,
    }


def _read_ready(fields: Mapping[str, JSON]) -> Ready:
    expires = fields.get("expires")
    return Ready(
        session=SessionId.parse(str(fields["session"])),
        user=UserId.parse(str(fields["user"])),
        epoch=str(fields["epoch"]),
        offset=_integer(fields["offset"]),
        recovered=fields["recovered"] is True,
        heartbeat=_integer(fields["heartbeat"]) / 1000,
        expires_ms=None if expires is None else _integer(expires),
    )


def _end(event: Event) -> int:
    """The last offset an event stands for."""
    if event.kind is Kind.SUPERSEDED:
        return max(event.offset, _integer(event.data["through"]))
    return event.offset


def _failure(error: JSON) -> RequestFailed:
    match error:
        case {"code": int(code), "message": str(message), "temporary": bool(temporary)}:
            return RequestFailed(code, message, temporary=temporary)
    raise TypeError("an error has code, message and temporary")


def _integer(value: JSON) -> int:
    if type(value) is int:
        return value
    raise TypeError("an integer was expected")


def _list(value: JSON) -> list[Mapping[str, JSON]]:
    if isinstance(value, list):
        return value
    raise TypeError("a list was expected")
