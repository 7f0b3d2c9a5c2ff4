"""An event stream that was granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from greenroom.transport.auth.tokens import Identity
from greenroom.transport.events.event_socket import OpenStreams

EVENT_HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep the events back
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@attrs.frozen
class EventsGranted:
    """To a proven user. `hello`: the frame that the request is; `headers`: those of the answer."""

    identity: Identity
    hello: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    streams: OpenStreams = attrs.field(repr=False)
