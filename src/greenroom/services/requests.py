"""What a program's request holds, beside its token: key, path, query, JSON."""

from __future__ import annotations

import math
from typing import Final, cast
from urllib.parse import parse_qs

import orjson

from greenroom.delivery.events.kinds import JSON
from greenroom.services.problems import BadEntry
from greenroom.transport.http.body import whole
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.json_depth import nests_at_most

MOST_BODY_BYTES: Final = 4 * 1024 * 1024
MOST_KEY: Final = 128
DEEPEST: Final = 64


async def json_body(head: RequestHead) -> JSON:
    """The body as JSON; an empty one is an empty object. Raises `BadEntry`, or `BadBody`."""
    data = await whole(head.body, MOST_BODY_BYTES)
    return parsed(data) if data.strip() else {}


def parsed(data: bytes) -> JSON:
    """Raises `BadEntry`."""
    try:
        value = cast(JSON, orjson.loads(data))
    except ValueError as error:
        raise BadEntry(f"the body is not JSON: {error}") from None
    if not nests_at_most(DEEPEST, value):
        raise BadEntry(f"the JSON may nest at most {DEEPEST} levels deep")
    return value


def key_of(head: RequestHead) -> str | None:
    """The idempotency key of a request. Raises `BadEntry`."""
    key = head.one("idempotency-key")
    if key is not None and not (0 < len(key) <= MOST_KEY and key.isascii()):
        raise BadEntry(f"`Idempotency-Key` must have 1 to {MOST_KEY} ASCII characters")
    return key


def run_in(head: RequestHead) -> str:
    """The run in `/api/runs/RUN` and what is below it."""
    return head.path.split("/")[3]


def text_in(head: RequestHead, name: str) -> str | None:
    """A parameter of the query."""
    return parse_qs(head.query).get(name, [None])[-1]


def number_in(head: RequestHead, name: str) -> float | None:
    """Raises `BadEntry` for one that is no number of 0 or more."""
    text = text_in(head, name)
    try:
        number = None if text is None else float(text)
    except ValueError:
        number = math.nan
    if number is not None and not 0 <= number < math.inf:
        raise BadEntry(f"`{name}` must be a number, 0 or more, not {text!r:.40}")
    return number


def whole_in(head: RequestHead, name: str) -> int | None:
    """Raises `BadEntry` for one that is no whole number."""
    number = number_in(head, name)
    if number is not None and not number.is_integer():
        raise BadEntry(f"`{name}` must be a whole number, not {number}")
    return None if number is None else int(number)
