"""greenroom.v1: the frames of clients as classes, those of servers as encoded bytes (pure).

Encoding joins what is already encoded: an event becomes JSON once, whatever the number of tabs it
goes to. `frame_codec` reads and writes the frames of clients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final, Protocol, TypeAlias, cast

import attrs
import orjson

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import (
    AskId,
    ConnectionId,
    EventId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.files.taken import File, Files
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.frame_limits import FrameLimits

SUBPROTOCOL = "greenroom.v1"
MAX_DISPLAYED = 1024
MAX_HISTORY = 200

LARGE_BYTES = 64 * 1024
"""A longer frame is announced to a client with the feature `large`."""

POSITION, LARGE, THREADS, ASKS = "position", "large", "threads", "asks"
FEATURES = (POSITION, LARGE, THREADS, ASKS)
"""What a client may ask for in `hello` beyond the first greenroom.v1; `ready` names what it got."""


class IsolationViolation(GreenroomError):
    """An event was about to reach another user's connection. It was stopped (R23)."""

    fault = Fault.GREENROOM


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
    """These events were shown to the user."""

    offsets: tuple[int, ...]


@attrs.frozen
class Confirm:
    """The user says whether an event was of value."""

    offset: int
    verdict: JSON = attrs.field(default=None, metadata=SECRET)
    note: str | None = attrs.field(default=None, metadata=SECRET)


@attrs.frozen
class Say:
    """The user speaks. `id` is the client's idempotency key."""

    id: str
    body: JSON = attrs.field(metadata=SECRET)
    thread: ThreadId | None = None
    files: tuple[File, ...] = ()


@attrs.frozen
class FileUpload:
    """The bytes of a file from `start` on. `file` is the client's name for it, new for each; `size`
    the whole of it."""

    id: str
    file: str
    start: int
    size: int
    data: bytes = attrs.field(repr=False, metadata=SECRET)


@attrs.frozen
class DiscardFile:
    """Forget an upload that no message has."""

    id: str
    file: str


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
class AnswerRequest:
    """The user answers a question."""

    id: str
    ask: AskId
    value: JSON = attrs.field(metadata=SECRET)


@attrs.frozen
class ThreadsRequest:
    """Page through the user's threads. `before`: a thread, or the time of its last event (ms)."""

    id: str
    limit: int
    before: int | ThreadId | None = None
    archived: bool | None = None


@attrs.frozen
class ChangeThread:
    """Name a thread, archive it or take it back."""

    id: str
    thread: ThreadId
    title: str | None = attrs.field(default=None, metadata=SECRET)
    archived: bool | None = None


@attrs.frozen
class EraseRequest:
    """Erase a thread for good."""

    id: str
    thread: ThreadId


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


ClientRequest: TypeAlias = (
    Say
    | FileUpload
    | DiscardFile
    | CancelRun
    | HistoryRequest
    | AnswerRequest
    | ThreadsRequest
    | ChangeThread
    | EraseRequest
    | Refresh
)
"""The frames that have an `id` and get a `reply`."""

ClientFrame: TypeAlias = Hello | Ack | Displayed | Confirm | ClientRequest | Typing | Pong


class EncodedEvent(Protocol):
    """What can be sent: an event's owner and its JSON, as the journal's `Record` has them."""

    @property
    def user(self) -> UserId: ...

    @property
    def body(self) -> bytes: ...


@lru_cache(maxsize=16)
def _fields_of(limits: FrameLimits) -> Mapping[str, JSON]:
    """All connections of a server have the same."""
    return attrs.asdict(limits)


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
    asks: Sequence[EncodedEvent] = (),
    files: Files | None = None,
) -> bytes:
    """The answer to `hello`. `offset` is the last accepted one; events after `after` follow, and
    the event at `after` is `event`. `asks`: the open questions, sent with the feature
    of that name; `files`: those that the agent takes. Raises `IsolationViolation` like `events`."""
    frame = _frame(
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
        **_fields_of(limits),
        features=list(features),
        **({} if files is None else {"files": files.as_json()}),
    )
    if ASKS not in features:
        return frame
    return frame[:-1] + b',"asks":[' + _joined(user, asks) + b"]}"


def events(
    user: UserId, epoch: str, events: Sequence[EncodedEvent], *, replay: bool = False
) -> bytes:
    """Events of `user`, in offset order. Raises `IsolationViolation` for anyone else's."""
    return _events_head(epoch) + _joined(user, events) + (b'],"replay":true}' if replay else b"]}")


@lru_cache(maxsize=16)
def _events_head(epoch: str) -> bytes:
    return b'{"type":"events","epoch":' + orjson.dumps(epoch) + b',"events":['


def reply_ok(id: str, **result: JSON) -> bytes:  # noqa: A002 - the wire's own word
    """The answer to a request that was done."""
    return _frame("reply", id=id, ok=True, **result)


def reply_history(
    id: str,  # noqa: A002 - the wire's own word
    user: UserId,
    events: Sequence[EncodedEvent],
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


def erased(thread: ThreadId) -> bytes:
    """A thread of the user was erased: forget what is shown of it."""
    return _frame("erased", thread=thread)


def ping(offset: int | None = None) -> bytes:
    """Ask the client for a sign of life. `offset`: the last event written to its socket."""
    return b'{"type":"ping"}' if offset is None else b'{"type":"ping","offset":%d}' % offset


def large(size: int) -> bytes:
    """Announce a frame of `size` bytes."""
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


def _joined(user: UserId, events: Sequence[EncodedEvent]) -> bytes:
    for owner in map(_user_of, events):
        if owner != user:
            raise IsolationViolation(
                f"an event of {str(owner)!r} was stopped on its way to {str(user)!r}"
            )
    return b",".join(map(_body_of, events))


_user_of: Final = cast("Callable[[EncodedEvent], UserId]", attrgetter("user"))
_body_of: Final = cast("Callable[[EncodedEvent], bytes]", attrgetter("body"))
