"""The `hello` that a request for an event stream makes (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

import orjson

from greenroom.delivery.events.kinds import JSON
from greenroom.transport.http.request_head import BadRequest, RequestHead

FIELDS = ("session", "epoch", "offset", "event", "features")


def hello_of(head: RequestHead) -> str:
    """The frame. `Last-Event-ID` says more than the query: a browser sends it when it comes back.

    Raises `BadRequest`.
    """
    query = _query(head)
    fields: dict[str, JSON] = {name: query[name][-1] for name in FIELDS if name in query}
    last = head.one("last-event-id")
    if last:
        epoch, _, offset = last.rpartition(":")
        if (epoch, offset) != (fields.get("epoch"), fields.get("offset")):
            fields.pop("event", None)  # it is the id of another event
        fields |= {"epoch": epoch, "offset": offset}
    if "offset" in fields:
        fields["offset"] = _number(str(fields["offset"]))
    if "features" in fields:
        fields["features"] = [each for each in str(fields["features"]).split(",") if each]
    return orjson.dumps({"type": "hello", **fields}).decode()


def connection_of(head: RequestHead) -> str | None:
    """The connection that a post names. Raises `BadRequest`."""
    return _query(head).get("connection", [None])[-1]


def _query(head: RequestHead) -> Mapping[str, Sequence[str]]:
    try:
        return parse_qs(head.query, strict_parsing=bool(head.query), max_num_fields=16)
    except ValueError:
        raise BadRequest("The query must be a list of fields.") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise BadRequest("An offset must be a whole number, as in `Last-Event-ID: EPOCH:OFFSET`.")
    return int(text)
