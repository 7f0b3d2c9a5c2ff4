"""The JSON object in a client's frame, and how deep it may nest (pure)."""

from __future__ import annotations

import re

import orjson

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.delivery.events.kinds import JSON
from greenroom.transport.json_depth import brackets, nests_at_most
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.wire_fields import described

MAX_DEPTH = 64
REPLACEMENT = "\ufffd"

# An escape in JSON (RFC 8259 §7): a surrogate pair, half of one, or any other.
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)


class BadFrame(GreenroomError):
    """A frame breaks the protocol.

    `id` is the frame's own, if it has a usable one; `fatal` says that the connection ends.
    """

    fault = Fault.CLIENT

    def __init__(
        self,
        message: str,
        *,
        code: CloseCode = CloseCode.PROTOCOL_ERROR,
        id: str | None = None,  # noqa: A002 - the wire's own word
        fatal: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.id = id
        self.fatal = fatal


def object_of(message: str | bytes) -> tuple[dict[str, JSON], bool]:
    """A frame's fields, and whether its text held half a surrogate pair, which becomes U+FFFD.

    RFC 8259 §8.2 lets JSON escape such a half, but UTF-8 has no bytes for it, so neither a
    journal nor another client could get it. Raises `BadFrame`, fatal.
    """
    if not isinstance(message, str):
        raise BadFrame("a frame must be a text frame, not a binary one", fatal=True)
    value, is_mended = _parsed(message)
    if type(value) is not dict:
        raise BadFrame(f"a frame must be a JSON object, not {described(value)}", fatal=True)
    if brackets(message) > MAX_DEPTH and not nests_at_most(MAX_DEPTH, value):
        raise BadFrame(f"a frame must nest at most {MAX_DEPTH} levels deep", fatal=True)
    return value, is_mended


def _parsed(message: str) -> tuple[JSON, bool]:
    try:
        return orjson.loads(message), False
    except ValueError as error:
        mended = _ESCAPE.sub(_whole, message)
        if mended == message:
            raise BadFrame(f"a frame must be JSON: {error}", fatal=True) from None
    try:
        return orjson.loads(mended), True
    except ValueError as error:
        raise BadFrame(f"a frame must be JSON: {error}", fatal=True) from None


def _whole(escape: re.Match[str]) -> str:
    return REPLACEMENT if escape["half"] else escape[0]
