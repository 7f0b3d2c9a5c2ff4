"""Close codes of greenroom.v1, as data (pure).

`error` frames and closes share these numbers. RFC 6455 §7.4.2 leaves 4000–4999 to applications:
4000–4499 mean "come back", 4500–4999 "not as you are".
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs


class CloseCode(enum.IntEnum):
    """Every code greenroom closes a socket or answers an error with."""

    GOING_AWAY = 1001
    BROKEN_WEBSOCKET = 1002
    BAD_DATA = 1007
    FRAME_TOO_BIG = 1009
    HEARTBEAT_MISSED = 4101
    HELLO_TOO_LATE = 4102
    TOO_SLOW = 4103
    TOKEN_EXPIRING = 4104
    SERVER_ERROR = 4105
    POSITION_LOST = 4106
    BAD_TOKEN = 4500
    PROTOCOL_ERROR = 4502
    IDENTITY_CHANGED = 4503
    SESSION_SUPERSEDED = 4504
    ISOLATION_VIOLATION = 4505
    TOO_MANY_CONNECTIONS = 4506
    RATE_LIMIT = 4507
    ALREADY_ANSWERED = 4508
    DISCONNECTED = 4509

    @property
    def meaning(self) -> Meaning:
        return MEANINGS[self]


@attrs.frozen
class Meaning:
    """What a code means to the client.

    `reason` is the close frame's text (RFC 6455 §5.5 allows 123 bytes), `reconnect` whether to
    come back by itself, `temporary` whether the same attempt may succeed later.
    """

    name: str
    reason: str
    reconnect: bool
    temporary: bool


MEANINGS: Mapping[CloseCode, Meaning] = MappingProxyType(
    {
        CloseCode.GOING_AWAY: Meaning("going away", "the server is draining", True, True),
        CloseCode.BROKEN_WEBSOCKET: Meaning(
            "WebSocket protocol error", "a frame broke RFC 6455", True, True
        ),
        CloseCode.BAD_DATA: Meaning("bad data", "a text frame was not UTF-8", False, False),
        CloseCode.FRAME_TOO_BIG: Meaning(
            "frame too big", "a frame was over the size limit", False, False
        ),
        CloseCode.HEARTBEAT_MISSED: Meaning(
            "heartbeat missed", "no frame came in answer to a ping", True, True
        ),
        CloseCode.HELLO_TOO_LATE: Meaning(
            "hello too late", "no hello came within its deadline", True, True
        ),
        CloseCode.TOO_SLOW: Meaning(
            "too slow", "events were taken more slowly than they came", True, True
        ),
        CloseCode.TOKEN_EXPIRING: Meaning(
            "token about to expire", "the token was not refreshed in time", True, True
        ),
        CloseCode.SERVER_ERROR: Meaning("server error", "the server failed", True, True),
        CloseCode.POSITION_LOST: Meaning(
            "position lost", "a gap was seen: resume from the last offset", True, True
        ),
        CloseCode.BAD_TOKEN: Meaning("bad token", "the token is bad or expired", False, False),
        CloseCode.PROTOCOL_ERROR: Meaning(
            "protocol error", "a frame broke the greenroom.v1 protocol", False, False
        ),
        CloseCode.IDENTITY_CHANGED: Meaning(
            "identity changed", "the new token is another user's", False, False
        ),
        CloseCode.SESSION_SUPERSEDED: Meaning(
            "session superseded", "the session was taken up by another connection", False, False
        ),
        CloseCode.ISOLATION_VIOLATION: Meaning(
            "isolation violation", "an event of another user was stopped", False, False
        ),
        CloseCode.TOO_MANY_CONNECTIONS: Meaning(
            "too many connections", "this user has too many connections", False, True
        ),
        CloseCode.RATE_LIMIT: Meaning("rate limit", "frames came too fast", False, True),
        CloseCode.ALREADY_ANSWERED: Meaning(
            "already answered", "the question has another answer", False, False
        ),
        CloseCode.DISCONNECTED: Meaning(
            "disconnected by the service", "disconnected by the service", False, False
        ),
    }
)


BY_WEBSOCKET = frozenset({CloseCode.BROKEN_WEBSOCKET, CloseCode.BAD_DATA, CloseCode.FRAME_TOO_BIG})
"""The codes that the WebSocket layer closes with by itself, for a frame that we never see."""


def reconnects(code: int) -> bool:
    """Whether a client reconnects by itself after a close with `code`, listed here or not.

    Other codes (1006, a proxy's 1012) mean a broken path, so the client reconnects.
    """
    if code in MEANINGS:
        return MEANINGS[CloseCode(code)].reconnect
    return not 4500 <= code <= 4999


_BY_THE_PEER: Final[Mapping[int, str]] = MappingProxyType(
    {
        1000: "closed normally",
        1005: "closed without a code",
        1006: "broken off without a closing handshake",
    }
)


def words_of(code: int) -> str:
    """What a close code means, listed here or not; empty for an unknown one."""
    if code in MEANINGS:
        return MEANINGS[CloseCode(code)].name
    return _BY_THE_PEER.get(code, "")
