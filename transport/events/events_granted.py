"""An event stream that was granted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import attrs

from greenroom.transport.auth.tokens import Identity
from greenroom.transport.connection.socket.connection_socket import ConnectionSocket
from greenroom.transport.events.event_socket import Carrier, EventSocket, OpenStreams

EVENT_HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep the events back
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Granted(Protocol):
    """Becomes a stream, whatever carries it."""

    @property
    def identity(self) -> Identity: ...

    def socket(self, carrier: Carrier, allow: Callable[[], bool]) -> ConnectionSocket: ...


@attrs.frozen
class EventsGranted:
    """To a proven user. `hello`: the frame that the request is; `headers`: those of the answer."""

    identity: Identity
    hello: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    streams: OpenStreams = attrs.field(repr=False)

    def socket(self, carrier: Carrier, allow: Callable[[], bool]) -> EventSocket:
        return EventSocket(carrier, self.hello, self.headers, self.streams, allow)
