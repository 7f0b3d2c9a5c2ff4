"""What a stream for a front end has its socket do, as data (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeAlias

import attrs

from greenroom.delivery.events.kinds import JSON
from greenroom.transport.http.responses import Response, text
from greenroom.transport.protocol.close_codes import CloseCode

Frame: TypeAlias = Mapping[str, JSON]


@attrs.frozen
class Hear:
    """The client says this frame."""

    frame: Frame = attrs.field(repr=False)


@attrs.frozen
class LookUp:
    """Find out where what was said with this key stands, and call `looked_up`."""

    say: str


@attrs.frozen
class Begin:
    """Begin the answer."""

    headers: Mapping[str, str]


@attrs.frozen
class Write:
    """Go on with the answer."""

    data: bytes = attrs.field(repr=False)


@attrs.frozen
class WholeAnswer:
    """Answer as a whole, and end. `has_events`: all that were taken stand in it."""

    response: Response
    has_events: bool = False


@attrs.frozen
class Pass:
    """The event at `offset` is not for this client."""

    offset: int


@attrs.frozen
class End:
    """The answer is over."""


Command: TypeAlias = Hear | LookUp | Begin | Write | WholeAnswer | Pass | End


class Stream(Protocol):
    """One answer to a front end."""

    @property
    def hello(self) -> Frame:
        """Where it begins."""

    @property
    def patience(self) -> float:
        """Seconds after which `timed_out` is called."""

    def take(self, kind: str, frame: Frame) -> Iterable[Command]:
        """Take a frame of the server."""

    def looked_up(self, offset: int | None) -> Iterable[Command]:
        """Take the answer to `LookUp`."""

    def timed_out(self) -> Iterable[Command]: ...


STATUSES: Final[Mapping[int, int]] = {
    CloseCode.FRAME_TOO_BIG: 413,
    CloseCode.BAD_TOKEN: 401,
    CloseCode.PROTOCOL_ERROR: 400,
    CloseCode.IDENTITY_CHANGED: 401,
    CloseCode.TOO_MANY_CONNECTIONS: 429,
    CloseCode.RATE_LIMIT: 429,
    CloseCode.DISCONNECTED: 403,
}
"""The HTTP status for a code of greenroom.v1 before a stream has begun; 503 for any other."""


def refusal(code: int, message: str) -> WholeAnswer:
    """Why there is no stream."""
    status = STATUSES.get(code, 503)
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    return WholeAnswer(text(status, f"{message[:1].upper()}{message[1:].rstrip('.')}.", headers))
