"""How the frames of clients are read and written (pure).

Reading is a table from a frame's `type` to a cattrs hook, made of one check per field, that takes
what orjson parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias, get_args

import attrs
import cattrs
import orjson
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from greenroom.delivery.events.ids import AskId, EventId, Id, RunId, SessionId, ThreadId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.threads import MOST_THREADS, TITLE_CHARACTERS
from greenroom.transport.protocol.file_fields import as_wire, files, in_base64
from greenroom.transport.protocol.frame_object import REPLACEMENT, BadFrame, object_of
from greenroom.transport.protocol.wire import (
    MAX_DISPLAYED,
    MAX_HISTORY,
    Ack,
    AnswerRequest,
    CancelRun,
    ChangeThread,
    ClientFrame,
    ClientRequest,
    Confirm,
    DiscardFile,
    Displayed,
    EraseRequest,
    FileUpload,
    Hello,
    HistoryRequest,
    Pong,
    Refresh,
    Say,
    ThreadsRequest,
    Typing,
)
from greenroom.transport.protocol.wire_fields import (
    MAX_ID_LENGTH,
    MAX_OFFSET,
    MAX_TOKEN_LENGTH,
    FieldCheck,
    ParseId,
    WrongField,
    bounded_text,
    flag,
    id_of,
    maybe,
    number_or_id,
    offsets,
    parse_id,
    secret_text,
    shown,
    some_json,
    text_fields,
    texts,
    whole_number,
    words,
)

TYPES: Mapping[type[ClientFrame], str] = {
    Hello: "hello",
    Ack: "ack",
    Displayed: "displayed",
    Confirm: "confirm",
    Say: "say",
    FileUpload: "file",
    DiscardFile: "discard",
    CancelRun: "cancel",
    HistoryRequest: "history",
    ThreadsRequest: "threads",
    ChangeThread: "thread",
    EraseRequest: "erase",
    AnswerRequest: "answer",
    Refresh: "refresh",
    Typing: "typing",
    Pong: "pong",
}
FRAMES: tuple[type[ClientFrame], ...] = tuple(TYPES)
_BY_TYPE = {type_: frame for frame, type_ in TYPES.items()}
_ANSWERED = {TYPES[frame] for frame in get_args(ClientRequest)}
"""Their `id` comes back in a `reply`."""

Checks: TypeAlias = Mapping[str, FieldCheck[object]]


def _checks(parse: ParseId) -> Mapping[type[ClientFrame], Checks]:
    """What each field of each frame may hold; `parse` reads the ids."""
    request_id = bounded_text("id", MAX_ID_LENGTH, shortest=1)
    thread = id_of("thread", ThreadId, parse)
    return {
        Hello: {
            "session": maybe(id_of("session", SessionId, parse)),
            "epoch": maybe(bounded_text("epoch", 64, shortest=1)),
            "offset": maybe(whole_number("offset", 0, MAX_OFFSET)),
            "event": maybe(id_of("event", EventId, parse)),
            "client": maybe(text_fields("client", 8, 128)),
            "features": texts("features", 64, 64),
        },
        Ack: {"offset": whole_number("offset", 0, MAX_OFFSET)},
        Displayed: {"offsets": offsets("offsets", MAX_DISPLAYED)},
        Confirm: {
            "offset": whole_number("offset", 1, MAX_OFFSET),
            "verdict": some_json("verdict"),
            "note": maybe(bounded_text("note", 4096)),
        },
        **_say_checks(request_id, thread),
        CancelRun: {"id": request_id, "run": id_of("run", RunId, parse)},
        HistoryRequest: {
            "id": request_id,
            "limit": whole_number("limit", 1, MAX_HISTORY),
            "thread": maybe(thread),
            "before": maybe(whole_number("before", 1, MAX_OFFSET)),
        },
        **_thread_checks(request_id, thread, parse),
        AnswerRequest: {
            "id": request_id,
            "ask": id_of("ask", AskId, parse),
            "value": some_json("value"),
        },
        Refresh: {"id": request_id, "token": secret_text("token", MAX_TOKEN_LENGTH)},
        Typing: {"thread": thread},
        Pong: {},
    }


def _say_checks(
    request_id: FieldCheck[str], thread: FieldCheck[Id]
) -> Mapping[type[ClientFrame], Checks]:
    file = bounded_text("file", MAX_ID_LENGTH, shortest=1)
    return {
        Say: {
            "id": request_id,
            "body": some_json("body"),
            "thread": maybe(thread),
            "files": files("files"),
        },
        DiscardFile: {"id": request_id, "file": file},
        FileUpload: {
            "id": request_id,
            "file": file,
            "start": whole_number("start", 0, MAX_OFFSET),
            "size": whole_number("size", 0, MAX_OFFSET),
            "data": in_base64("data"),
        },
    }


def _thread_checks(
    request_id: FieldCheck[str], thread: FieldCheck[Id], parse: ParseId
) -> Mapping[type[ClientFrame], Checks]:
    return {
        ThreadsRequest: {
            "id": request_id,
            "limit": whole_number("limit", 1, MOST_THREADS),
            "before": maybe(number_or_id("before", ThreadId, parse)),
            "archived": maybe(flag("archived")),
        },
        ChangeThread: {
            "id": request_id,
            "thread": thread,
            "title": maybe(words("title", TITLE_CHARACTERS)),
            "archived": maybe(flag("archived")),
        },
        EraseRequest: {"id": request_id, "thread": thread},
    }


_PLAIN_ACK = re.compile(r'\{"type": ?"ack", ?"offset": ?(0|[1-9][0-9]{0,14})\}')
"""What clients send most, as encoders write it: read in a fifth of the steps. A property test holds
it to what the table makes of the same text."""


def plain_ack(message: str | bytes) -> int | None:
    """The offset of an `Ack` in its plainest form; None for all else."""
    if type(message) is str and (ack := _PLAIN_ACK.fullmatch(message)) is not None:
        return int(ack[1])
    return None


_converter = cattrs.Converter(detailed_validation=False)


class FrameDecoder:
    """Reads frames of clients. `parse_id` reads an id of the kind that a field holds.

    A service with clients that know ids of an older system gives a `parse_id` that reads those.
    """

    def __init__(self, parse_id: ParseId = parse_id) -> None:
        self._structure = {
            TYPES[frame]: _structure(frame, checks) for frame, checks in _checks(parse_id).items()
        }

    def decode(self, message: str | bytes) -> ClientFrame:
        """Read one frame of a client. Raises `BadFrame`, and nothing else.

        Size is bounded before this, by the WebSocket layer (`FrameLimits`).
        """
        offset = plain_ack(message)
        return self.decode_any(message) if offset is None else Ack(offset)

    def decode_any(self, message: str | bytes) -> ClientFrame:
        """Do what `decode` does for all but the plainest frames."""
        fields, flaw = object_of(message)
        type_ = fields.get("type")
        if type(type_) is not str:
            raise BadFrame("a frame must have a `type` that is a string", fatal=True)
        structure = self._structure.get(type_)
        if structure is None:
            raise BadFrame(f"unknown frame type {shown(type_)}")
        if flaw is not None:
            id_ = _usable_id(type_, fields)
            sound = None if id_ is None or REPLACEMENT in id_ else id_
            raise BadFrame(f"{type_}: {flaw}", id=sound)
        try:
            return structure(fields, None)
        except WrongField as error:
            raise BadFrame(f"{type_}: {error}", id=_usable_id(type_, fields)) from error
        except KeyError as missing:
            field = missing.args[0]
            raise BadFrame(f"{type_}: `{field}` is missing", id=_usable_id(type_, fields)) from None


def encode(frame: ClientFrame) -> bytes:
    """Write one frame as a client does."""
    kind = type(frame)
    return orjson.dumps({"type": TYPES[kind], **_UNSTRUCTURE[kind](frame)})


def type_of(frame: ClientFrame) -> str:
    """What the wire calls a frame's type."""
    return TYPES[type(frame)]


def _structure(
    frame: type[ClientFrame], checks: Checks
) -> Callable[[dict[str, JSON], object], ClientFrame]:
    hooks = {name: override(struct_hook=check) for name, check in checks.items()}
    return make_dict_structure_fn(frame, _converter, **hooks)  # type: ignore[arg-type]  # fields


def _unstructure(frame: type[ClientFrame]) -> Callable[[ClientFrame], dict[str, JSON]]:
    as_it_is = {field.name: override(unstruct_hook=as_wire) for field in attrs.fields(frame)}
    return make_dict_unstructure_fn(
        frame,
        _converter,
        _cattrs_omit_if_default=True,
        **as_it_is,  # type: ignore[arg-type]  # cattrs takes fields and options as keywords
    )


_UNSTRUCTURE = {frame: _unstructure(frame) for frame in FRAMES}


def _usable_id(type_: str, fields: Mapping[str, JSON]) -> str | None:
    """The id a `reply` can carry, for the types that are answered with one."""
    id_ = fields.get("id")
    if type_ in _ANSWERED and isinstance(id_, str) and 1 <= len(id_) <= MAX_ID_LENGTH:
        return id_
    return None
