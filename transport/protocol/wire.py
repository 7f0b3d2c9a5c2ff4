"""greenroom.v1: client frames decoded, server frames encoded (pure).

Decoding is a table from `type` to a cattrs hook that orjson's parse is put through. Encoding joins
what is already encoded: an event becomes JSON once, whatever the number of tabs it goes to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

import attrs
import cattrs
import orjson
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import ConnectionId, EventId, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.transport.errors import BadFrame, IsolationViolation
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.frame_limits import FrameLimits
from greenroom.transport.protocol.frame_object import REPLACEMENT, object_of
from greenroom.transport.protocol.wire_fields import (
    MAX_ID_LENGTH,
    MAX_OFFSET,
    MAX_TOKEN_LENGTH,
    FieldCheck,
    WrongField,
    bounded_text,
    id_of,
    maybe,
    offsets,
    secret_text,
    shown,
    some_json,
    text_fields,
    texts,
    whole_number,
)

SUBPROTOCOL = "greenroom.v1"
MAX_EVENTS_PER_FRAME = 128
MAX_EVENTS_BYTES = 256 * 1024
MAX_DISPLAYED = 1024
MAX_HISTORY = 200

LARGE_BYTES = 64 * 1024
"""A longer frame is announced to a client with the feature `large`."""

POSITION, LARGE = "position", "large"
FEATURES = (POSITION, LARGE)
"""What a client may ask for in `hello` beyond the first greenroom.v1; `ready` names what it got."""


@attrs.frozen
class Hello:
    """The first frame: which session to resume, and what was seen of which journal.

    `event`: the id of the event at `offset`.
    """

    session: SessionId | None = None
    epoch: str | None = None
    offset: int | None = None
    event: EventId | None = None
    client: Mapping[str, str] | None = None
    features: tuple[str, ...] = ()


@attrs.frozen
class Ack:
    """Everything through `offset` was received."""

    offset: int


@attrs.frozen
class Displayed:
    """These events were put before the user's eyes."""

    offsets: tuple[int, ...]


@attrs.frozen
class Confirm:
    """The user got value from an event, or says not."""

    offset: int
    verdict: JSON = attrs.field(default=None, metadata=SECRET)
    note: str | None = attrs.field(default=None, metadata=SECRET)


@attrs.frozen
class Say:
    """The user speaks. `id` is the client's idempotency key."""

    id: str
    body: JSON = attrs.field(metadata=SECRET)
    thread: ThreadId | None = None


@attrs.frozen
class CancelRun:
    """Stop a run."""

    id: str
    run: RunId


@attrs.frozen
class HistoryRequest:
    """Page back through a thread, or through everything."""

    id: str
    limit: int
    thread: ThreadId | None = None
    before: int | None = None


@attrs.frozen
class Refresh:
    """A new token before the old one expires."""

    id: str
    token: str = attrs.field(repr=False, metadata=SECRET)


@attrs.frozen
class Typing:
    """The user is typing; volatile."""

    thread: ThreadId


@attrs.frozen
class Pong:
    """Answer to `ping`."""


ClientFrame: TypeAlias = (
    Hello | Ack | Displayed | Confirm | Say | CancelRun | HistoryRequest | Refresh | Typing | Pong
)

ClientRequest: TypeAlias = Say | CancelRun | HistoryRequest | Refresh
"""The frames that have an `id` and get a `reply`."""


@attrs.frozen
class _Codec:
    """How one type of frame is read and written. `answered`: it has an `id` and gets a `reply`."""

    type: str
    structure: Callable[[dict[str, JSON], object], ClientFrame]
    unstructure: Callable[[ClientFrame], dict[str, JSON]]
    answered: bool


_converter = cattrs.Converter(detailed_validation=False)


def _codec(type_: str, frame: type[ClientFrame], **checks: FieldCheck[object]) -> _Codec:
    checked = {name: override(struct_hook=check) for name, check in checks.items()}
    as_it_is = {name: override(unstruct_hook=lambda value: value) for name in checks}
    return _Codec(
        type_,
        make_dict_structure_fn(frame, _converter, **checked),  # type: ignore[arg-type]  # fields
        make_dict_unstructure_fn(
            frame,
            _converter,
            _cattrs_omit_if_default=True,
            **as_it_is,  # type: ignore[arg-type]  # cattrs takes fields and options as keywords
        ),
        answered="id" in checks,
    )


_id = bounded_text("id", MAX_ID_LENGTH, shortest=1)
_offset = whole_number("offset", 0, MAX_OFFSET)
_thread = id_of("thread", ThreadId)

_CODECS: Mapping[type[ClientFrame], _Codec] = {
    Hello: _codec(
        "hello",
        Hello,
        session=maybe(id_of("session", SessionId)),
        epoch=maybe(bounded_text("epoch", 64, shortest=1)),
        offset=maybe(_offset),
        event=maybe(id_of("event", EventId)),
        client=maybe(text_fields("client", 8, 128)),
        features=texts("features", 64, 64),
    ),
    Ack: _codec("ack", Ack, offset=_offset),
    Displayed: _codec("displayed", Displayed, offsets=offsets("offsets", MAX_DISPLAYED)),
    Confirm: _codec(
        "confirm",
        Confirm,
        offset=whole_number("offset", 1, MAX_OFFSET),
        verdict=some_json("verdict"),
        note=maybe(bounded_text("note", 4096)),
    ),
    Say: _codec("say", Say, id=_id, body=some_json("body"), thread=maybe(_thread)),
    CancelRun: _codec("cancel", CancelRun, id=_id, run=id_of("run", RunId)),
    HistoryRequest: _codec(
        "history",
        HistoryRequest,
        id=_id,
        limit=whole_number("limit", 1, MAX_HISTORY),
        thread=maybe(_thread),
        before=maybe(whole_number("before", 1, MAX_OFFSET)),
    ),
    Refresh: _codec("refresh", Refresh, id=_id, token=secret_text("token", MAX_TOKEN_LENGTH)),
    Typing: _codec("typing", Typing, thread=_thread),
    Pong: _codec("pong", Pong),
}
FRAMES: tuple[type[ClientFrame], ...] = tuple(_CODECS)
_BY_TYPE: Mapping[str, _Codec] = {codec.type: codec for codec in _CODECS.values()}


def decode(message: str | bytes) -> ClientFrame:
    """Read one frame of a client. Raises `BadFrame`, and nothing else.

    Size is bounded before this, by the WebSocket layer (`FrameLimits`).
    """
    fields, is_mended = object_of(message)
    type_ = fields.get("type")
    if type(type_) is not str:
        raise BadFrame("a frame needs a `type` that is a string", fatal=True)
    codec = _BY_TYPE.get(type_)
    if codec is None:
        raise BadFrame(f"unknown frame type {shown(type_)}")
    if is_mended:
        id_ = _usable_id(codec, fields)
        broken = f"{type_}: text must not hold half a surrogate pair; send U+FFFD in its place"
        raise BadFrame(broken, id=None if id_ is None or REPLACEMENT in id_ else id_)
    try:
        return codec.structure(fields, None)
    except WrongField as error:
        raise BadFrame(f"{type_}: {error}", id=_usable_id(codec, fields)) from error
    except KeyError as missing:
        field = missing.args[0]
        raise BadFrame(f"{type_}: `{field}` is missing", id=_usable_id(codec, fields)) from None


def encode(frame: ClientFrame) -> bytes:
    """Write one frame as a client does."""
    codec = _CODECS[type(frame)]
    return orjson.dumps({"type": codec.type, **codec.unstructure(frame)})


def type_of(frame: ClientFrame) -> str:
    """What the wire calls a frame's type."""
    return _CODECS[type(frame)].type


class EncodedEvent(Protocol):
    """What can be sent: an event's owner and its JSON, as the journal's `Record` has them."""

    @property
    def user(self) -> UserId: ...

    @property
    def body(self) -> bytes: ...


def ready(
    *,
    session: SessionId,
    connection: ConnectionId,
    user: UserId,
    epoch: str,
    offset: int,
    after: int,
    event: EventId | None = None,
    recovered: bool,
    heartbeat_ms: int,
    expires_ms: int | None = None,
    limits: FrameLimits,
    features: Sequence[str] = (),
) -> bytes:
    """The answer to `hello`. `offset` is the last one accepted; events after `after` follow, whose
    own event is `event`."""
    return _frame(
        "ready",
        session=session,
        connection=connection,
        user=user,
        epoch=epoch,
        offset=offset,
        **{"from": after},
        **({} if event is None else {"event": event}),
        recovered=recovered,
        heartbeat=heartbeat_ms,
        **({} if expires_ms is None else {"expires": expires_ms}),
        **attrs.asdict(limits),
        features=list(features),
    )


def events(
    user: UserId, epoch: str, events: Iterable[EncodedEvent], *, replay: bool = False
) -> bytes:
    """Events of `user`, in offset order. Raises `IsolationViolation` for anyone else's."""
    head = b'{"type":"events","epoch":' + orjson.dumps(epoch) + b',"events":['
    return head + _joined(user, events) + (b'],"replay":true}' if replay else b"]}")


def reply_ok(id: str, **result: JSON) -> bytes:  # noqa: A002 - the wire's own word
    """The answer to a request that was done."""
    return _frame("reply", id=id, ok=True, **result)


def reply_history(
    id: str,  # noqa: A002 - the wire's own word
    user: UserId,
    events: Iterable[EncodedEvent],
    *,
    more: bool,
) -> bytes:
    """The answer to `history`. Raises `IsolationViolation` like `events`."""
    head = b'{"type":"reply","id":' + orjson.dumps(id) + b',"ok":true,"events":['
    return head + _joined(user, events) + (b'],"more":true}' if more else b'],"more":false}')


def reply_error(id: str, code: int, message: str, *, temporary: bool) -> bytes:  # noqa: A002
    """The answer to a request that was not done, and why."""
    return _frame(
        "reply", id=id, ok=False, error={"code": code, "message": message, "temporary": temporary}
    )


def error(code: int, message: str, *, temporary: bool) -> bytes:
    """About a frame without an id."""
    return _frame("error", code=code, message=message, temporary=temporary)


def typing(thread: ThreadId, sender: str) -> bytes:
    """Someone is typing in a thread: a user's id, or an agent's name."""
    return _frame("typing", thread=thread, **{"from": sender})


def ping(offset: int | None = None) -> bytes:
    """Ask the client for a sign of life. `offset`: the last event written to its socket."""
    return b'{"type":"ping"}' if offset is None else b'{"type":"ping","offset":%d}' % offset


def large(size: int) -> bytes:
    """Announces a frame of so many bytes."""
    return b'{"type":"large","bytes":%d}' % size


def closing(
    code: CloseCode,
    reason: str | None = None,
    *,
    reconnect_after_ms: int | None = None,
    jitter_ms: int = 0,
) -> bytes:
    """Sent just before a close. Without `reconnect_after_ms` the frame says `reconnect: null`."""
    reconnect = None
    if reconnect_after_ms is not None:
        reconnect = {"after_ms": reconnect_after_ms, "jitter_ms": jitter_ms}
    return _frame(
        "closing", code=int(code), reason=reason or code.meaning.reason, reconnect=reconnect
    )


def _frame(type_: str, /, **fields: object) -> bytes:
    return orjson.dumps({"type": type_, **fields})


def _joined(user: UserId, events: Iterable[EncodedEvent]) -> bytes:
    bodies = []
    for event in events:
        if event.user != user:
            raise IsolationViolation(
                f"an event of {str(event.user)!r} was stopped on its way to {str(user)!r}"
            )
        bodies.append(event.body)
    return b",".join(bodies)


def _usable_id(codec: _Codec, fields: Mapping[str, JSON]) -> str | None:
    """The id a `reply` can carry, for the types that are answered with one."""
    id_ = fields.get("id")
    if codec.answered and isinstance(id_, str) and 1 <= len(id_) <= MAX_ID_LENGTH:
        return id_
    return None
