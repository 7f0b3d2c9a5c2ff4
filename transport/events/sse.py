"""Frames of the server as messages of an event stream (pure).

HTML Living Standard §9.2.6. JSON of ours has no line break, so a frame is one line of `data`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import orjson

from greenroom.delivery.events.kinds import JSON

COMMENT = b":\n\n"
"""Keeps the stream, and what is between, awake."""

_PING = b'{"type":"ping"}'
_HEAD_BYTES = 32


def messages_of(frame: bytes) -> bytes:
    """The messages for one frame: one for each event, with its id; a comment for a ping."""
    if frame == _PING:
        return COMMENT
    kind = kind_of(frame)
    if kind == "events":
        return _events(cast("dict[str, JSON]", orjson.loads(frame)))
    message = b"event: " + kind.encode() + b"\ndata: " + frame + b"\n\n"
    if kind == "ready":
        ready = cast("dict[str, JSON]", orjson.loads(frame))
        return _id(ready["epoch"], ready["from"]) + message
    return message


def kind_of(frame: bytes) -> str:
    """The type of a frame of the server, which is always its first field."""
    return frame[:_HEAD_BYTES].split(b'"', 4)[3].decode()


def _events(frame: Mapping[str, JSON]) -> bytes:
    """A `superseded` has no id unless it is the last of its frame: what it stands for may be in the
    text of an event behind it, so a client must not resume between the two."""
    events = cast("list[dict[str, JSON]]", frame["events"])
    messages = []
    for event in events:
        has_id = event["kind"] != "superseded" or event is events[-1]
        head = _id(frame["epoch"], event["offset"]) if has_id else b""
        messages.append(head + b"data: " + orjson.dumps(event) + b"\n\n")
    return b"".join(messages)


def _id(epoch: JSON, offset: JSON) -> bytes:
    return f"id: {epoch}:{offset}\n".encode()
