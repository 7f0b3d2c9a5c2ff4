"""Frames as a client writes and reads them, and what a server's say (pure)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from greenroom.actors.errors import Fault
from greenroom.actors.text.safe import safe_repr
from greenroom.delivery.events.ids import EventId, SessionId, UserId
from greenroom.delivery.events.json_data import Flaw, flaw_of
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.delivery.legacy.legacy_ids import modern
from greenroom.transport.client.client_error import ClientError
from greenroom.transport.protocol import frame_codec, wire
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.frame_codec import FrameDecoder
from greenroom.transport.protocol.frame_limits import FrameLimits
from greenroom.transport.protocol.frame_object import BadFrame

WINDOW = 32
_DECODER = FrameDecoder(modern)  # a program may know ids of an older system, and a server read them


class RequestFailed(ClientError):
    """The server answered a request with an error.

    `code` is a close code (docs/protocol.md); `temporary` says whether the same request may succeed
    later.
    """

    def __init__(self, code: int, message: str, *, temporary: bool) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code
        self.temporary = temporary  # type: ignore[misc]  # per answer here, per class elsewhere


class BadMessage(RequestFailed):
    """A request or report that the client did not send, or will not send again: it is not JSON, its
    text has half a surrogate pair, the protocol does not allow a field, or it is too long."""

    fault = Fault.CALLER

    def __init__(
        self, message: str, *, code: int = CloseCode.PROTOCOL_ERROR, advice: str = ""
    ) -> None:
        super().__init__(code, message, temporary=False)
        self.advice = advice


@attrs.frozen
class Position:
    """Where to resume: keep it across restarts of the program.

    `event`: the id of the event at `offset`, where it is known. By it a server whose journal was
    restored from a backup sees that it has another one there.
    """

    session: SessionId
    epoch: str
    offset: int
    event: EventId | None = None


@attrs.frozen
class Ready:
    """The server's `ready`. `heartbeat` in seconds, `expires_ms` since the Unix epoch.

    `recovered` False after a resume means that events received beyond `after` no longer count, and
    that events before it may be missing: forget the former, and ask for the history. Events past
    `after` follow. `limits` bound what the client sends. `asks`: the open questions.
    """

    session: SessionId
    user: UserId
    epoch: str
    offset: int
    recovered: bool
    heartbeat: float
    expires_ms: int | None
    after: int
    event: EventId | None = None
    limits: FrameLimits = attrs.field(factory=FrameLimits)
    asks: tuple[Event, ...] = ()


@attrs.frozen
class Outgoing:
    """A request that waits for its answer: its `id`, and the bytes of its frame."""

    id: str
    frame: bytes


def encoded(frame: wire.ClientFrame) -> bytes:
    """A frame that any server accepts if its size is right: it is checked as a server does.

    Raises `BadMessage` for what JSON cannot say exactly (NaN, an integer past 2^53), for text
    with half a surrogate pair, and for a field that the protocol does not allow.
    """
    if flaw := _flaw_of(frame):
        raise BadMessage(f"{frame_codec.type_of(frame)} cannot be sent: {flaw}")
    try:
        message = frame_codec.encode(frame)
        _DECODER.decode(message.decode())
    except (TypeError, BadFrame) as error:  # the first is orjson's, for what it cannot say
        raise BadMessage(f"{frame_codec.type_of(frame)} cannot be sent: {error}") from error
    return message


def _flaw_of(frame: wire.ClientFrame) -> Flaw | None:
    match frame:
        case wire.Say():
            return flaw_of(frame.body, "body")
        case wire.AnswerRequest():
            return flaw_of(frame.value, "value")
        case wire.Confirm():
            return flaw_of(frame.verdict, "verdict")
    return None


def too_big(size: int, limit: int | None) -> BadMessage:
    """The error for a frame of `size` bytes that is not sent, or not sent again."""
    most = "less" if limit is None else f"{limit:,} at most"
    return BadMessage(
        f"the message takes {size:,} bytes, and the server takes {most}",
        code=CloseCode.FRAME_TOO_BIG,
        advice="send less at once, or raise the server's `max_frame_bytes`",
    )


def window(limits: FrameLimits) -> int:
    """How many requests may wait for answers. Below the burst, since frames arrive in bunches."""
    return max(1, min(WINDOW, int(limits.frames_burst / 4)))


def read_ready(fields: Mapping[str, JSON]) -> Ready:
    """Read the fields of a `ready` frame. Raises `KeyError`, `TypeError` or `BadId`."""
    expires, event = fields.get("expires"), fields.get("event")
    return Ready(
        session=SessionId.parse(str(fields["session"])),
        user=UserId.parse(str(fields["user"])),
        epoch=str(fields["epoch"]),
        offset=integer(fields["offset"]),
        recovered=fields["recovered"] is True,
        heartbeat=integer(fields["heartbeat"]) / 1000,
        expires_ms=None if expires is None else integer(expires),
        after=integer(fields.get("from", fields["offset"])),
        event=None if event is None else EventId.parse(str(event)),
        limits=_read_limits(fields),
        asks=tuple(map(Event.from_json, a_list(fields.get("asks", [])))),
    )


def end_of(event: Event) -> int:
    """The last offset that an event stands for: a `superseded` one stands for several."""
    if event.kind is Kind.SUPERSEDED:
        return max(event.offset, integer(event.data["through"]))
    return event.offset


def failure(error: JSON) -> RequestFailed:
    """Read the error in a `reply` frame. Raises `TypeError` if it lacks a field."""
    match error:
        case {"code": int(code), "message": str(message), "temporary": bool(temporary)}:
            return RequestFailed(code, message, temporary=temporary)
    raise TypeError(
        f"an error must have `code`, `message` and `temporary`, not {safe_repr(error, 100)}"
    )


def integer(value: JSON) -> int:
    """Narrow a field of a frame to an integer. Raises `TypeError` for anything else."""
    if type(value) is int:
        return value
    raise TypeError(f"an integer was expected, not {safe_repr(value, 40)}")


def a_list(value: JSON) -> list[Mapping[str, JSON]]:
    """Narrow a field of a frame to a list. Raises `TypeError` for anything else."""
    if isinstance(value, list):
        return value
    raise TypeError(f"a list was expected, not {safe_repr(value, 40)}")


def _read_limits(fields: Mapping[str, JSON]) -> FrameLimits:
    """An older server does not send them: it has the defaults."""
    known = {
        field.name: fields[field.name]
        for field in attrs.fields(FrameLimits)
        if isinstance(fields.get(field.name), int | float)
    }
    return FrameLimits(**known)  # type: ignore[arg-type]  # numbers, by their names
