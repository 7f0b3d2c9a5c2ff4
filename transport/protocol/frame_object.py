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
MOST_DIGITS = 20
REPLACEMENT = "\ufffd"
HALF_PAIR = "text must not hold half a surrogate pair; send U+FFFD in its place"

# An escape in JSON (RFC 8259 §7): a surrogate pair, half of one, or any other.
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)

# A string or a number in JSON (RFC 8259 §6, §7). orjson rounds integers of 19 digits and more if
# 64 bits do not hold them, and refuses those past the doubles.
_LONG = re.compile(r"[1-9][0-9]{18}")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[1-9][0-9]*(?P<rest>[.eE][0-9.eE+-]*)?', re.DOTALL)


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


def object_of(message: str | bytes) -> tuple[dict[str, JSON], str | None]:
    """A frame's fields, and what of them no reader could get, which was replaced.

    RFC 8259 §8.2 lets JSON escape half a surrogate pair, but UTF-8 has no bytes for it, so neither
    a journal nor another client could get it: U+FFFD takes its place. Integers that 64 bits do
    not hold become 0. Raises `BadFrame`, fatal.
    """
    if not isinstance(message, str):
        raise BadFrame("a frame must be a text frame, not a binary one", fatal=True)
    value, flaw = _parsed(message)
    if type(value) is not dict:
        raise BadFrame(f"a frame must be a JSON object, not {described(value)}", fatal=True)
    if brackets(message) > MAX_DEPTH and not nests_at_most(MAX_DEPTH, value):
        raise BadFrame(f"a frame must nest at most {MAX_DEPTH} levels deep", fatal=True)
    return value, flaw


def _parsed(message: str) -> tuple[JSON, str | None]:
    flaw = None
    if _LONG.search(message) and (short := _TOKEN.sub(_shortened, message)) != message:
        message, flaw = short, "integers must be from -2^53 to 2^53"
    try:
        return orjson.loads(message), flaw
    except ValueError as error:
        mended = _ESCAPE.sub(_whole, message)
        if mended == message:
            raise BadFrame(f"a frame must be JSON: {error}", fatal=True) from None
    try:
        return orjson.loads(mended), HALF_PAIR
    except ValueError as error:
        raise BadFrame(f"a frame must be JSON: {error}", fatal=True) from None


def _shortened(token: re.Match[str]) -> str:
    is_integer = token["rest"] is None and not token[0].startswith('"')
    return "0" if is_integer and not _is_exact(token[0]) else token[0]


def _is_exact(integer: str) -> bool:
    return len(integer) <= MOST_DIGITS and -(2**63) <= int(integer) < 2**64


def _whole(escape: re.Match[str]) -> str:
    return REPLACEMENT if escape["half"] else escape[0]
