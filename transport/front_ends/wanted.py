"""What a request of a front end asks for (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias, cast
from urllib.parse import parse_qs, unquote

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import BadId, RunId, ThreadId, UserId, named, with_bits
from greenroom.delivery.events.kinds import JSON, Event
from greenroom.transport.front_ends.held_files import HeldFile
from greenroom.transport.front_ends.questions import PageAnswer
from greenroom.transport.http.request_head import BadRequest, RequestHead

BEGINNING: Final = "-1"
"""The position before the first event."""

MOST_NAME: Final = 128
_ID_BITS: Final = 128

Fields: TypeAlias = Mapping[str, JSON]
Message: TypeAlias = dict[str, JSON]


class RunFace(Protocol):
    """One run in the words of a protocol."""

    is_over: bool

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the answer, beside the ones of every event stream."""

    @property
    def last_words(self) -> bytes:
        """What ends the answer."""

    def begin(self) -> list[Message]: ...

    def reopened(self) -> list[Message]: ...

    def of(self, event: Event) -> list[Message]: ...

    def interrupted(self, answered: Sequence[str] = ()) -> list[Message]: ...

    def broken(self, code: int, message: str) -> list[Message]: ...

    def placed(self, message: Message, epoch: str, offset: int) -> Message:
        """The message, with the place of the event that it completes if it can say it."""


FaceOf: TypeAlias = Callable[[RunId, ThreadId], RunFace]
"""Makes the face of a run of this thread."""


@attrs.frozen
class ResumePoint:
    """The place of an event that a client has."""

    epoch: str
    offset: int


@attrs.frozen
class Saying:
    """What the user says. Without an `id` it is new, however often it was said.

    `files`: those that it holds itself; `beside`: what it says without them, to an agent that takes
    files.
    """

    id: str | None
    thread: ThreadId
    body: JSON = attrs.field(metadata=SECRET)
    files: tuple[HeldFile, ...] = attrs.field(default=(), metadata=SECRET)
    beside: JSON = attrs.field(default=None, metadata=SECRET)


@attrs.frozen(kw_only=True)
class Wanted:
    """A run to begin, to answer, to read along or to stop.

    The run is the one that `said` begins, or else that asked what `answers` answer, or else `run`,
    or else the one that `key` began, or else the newest of `thread` that goes on; `or_stopped`: or
    that was stopped last, with nothing after it. `position`: what of it is known, nothing if it is
    read as a `whole`; `must_exist`: whether there must be such a run.
    """

    face_of: FaceOf
    said: Saying | None = None
    answers: tuple[PageAnswer, ...] = ()
    run: RunId | None = None
    key: str | None = None
    thread: ThreadId | None = None
    position: ResumePoint | None = None
    stops: bool = False
    or_stopped: bool = False
    whole: bool = False
    must_exist: bool = True


def thread_of(user: UserId, name: str) -> ThreadId:
    """The thread that a front end names: by its id, or by any other name, which stands for the
    same thread of the user each time."""
    try:
        return named(ThreadId.parse(name))
    except BadId:
        digest = hashlib.sha256(f"front-end thread\0{user}\0{name}".encode()).digest()
        bits = int.from_bytes(digest[: _ID_BITS // 8])
        version_8 = bits & ~(0xF << 76) | 8 << 76
        return with_bits(ThreadId, version_8 & ~(3 << 62) | 2 << 62)


def run_or_key(name: str) -> dict[str, RunId | str]:
    """A run by its id, or by the name under which a front end began it."""
    try:
        return {"run": named(RunId.parse(name))}
    except BadId:
        return {"key": name}


def position_of(head: RequestHead) -> ResumePoint | None:
    """Where to go on: by `Last-Event-ID`, or else by `?offset=`. Raises `BadRequest`."""
    text = head.one("last-event-id") or query_of(head).get("offset") or BEGINNING
    return None if text == BEGINNING else parsed_position(text)


def parsed_position(text: str) -> ResumePoint:
    epoch, _, offset = text.rpartition(":")
    if not (epoch and len(epoch) <= MOST_NAME and offset.isascii() and offset.isdigit()):
        raise BadRequest("A position must be `EPOCH:OFFSET`, as in `id` of the stream, or `-1`.")
    if len(offset) > 16:
        raise BadRequest("An offset must have at most 16 digits.")
    return ResumePoint(epoch, int(offset))


def query_of(head: RequestHead) -> Mapping[str, str]:
    """The last of each field. Raises `BadRequest`."""
    try:
        fields = parse_qs(head.query, strict_parsing=bool(head.query), max_num_fields=16)
    except ValueError:
        raise BadRequest("The query must be a list of fields.") from None
    return {name: values[-1] for name, values in fields.items()}


def part_of_path(head: RequestHead, place: int) -> str:
    """A part of the path, counted from its end."""
    return unquote(head.path.split("/")[place])


def object_in(body: bytes) -> Fields:
    """Raises `BadRequest`."""
    try:
        fields = json.loads(body or b"{}")  # orjson rounds integers
    except (ValueError, RecursionError):
        raise BadRequest("The body must be JSON in UTF-8.") from None
    if not isinstance(fields, dict):
        raise BadRequest("The body must be a JSON object.")
    return cast(Fields, fields)


def text_in(fields: Fields, name: str) -> str:
    """A name that must be there. Raises `BadRequest`."""
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MOST_NAME:
        raise BadRequest(f"`{name}` must be a string of 1 to {MOST_NAME} characters.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRequest(f"`{name}` must not have half a surrogate pair.") from None
    return value


def list_in(fields: Fields, name: str) -> Sequence[Fields]:
    """A list of objects, which may be missing. Raises `BadRequest`."""
    value = fields.get(name)
    listed = [] if value is None else value
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise BadRequest(f"`{name}` must be a list of objects.")
    return cast("Sequence[Fields]", listed)
