"""What reads a client's frames, and refuses those that break the protocol or a limit."""

from __future__ import annotations

import attrs

from greenroom.delivery.observer import Observer
from greenroom.transport.connection.machine.events import FrameRefused, Overstepped
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode
from greenroom.transport.protocol.frame_codec import FrameDecoder
from greenroom.transport.protocol.frame_limits import FrameLimits
from greenroom.transport.protocol.frame_object import BadFrame
from greenroom.transport.wrong_id import wrong_id_behind


@attrs.frozen
class FrameReader:
    """Turns a client's message into an event for the machine; `observer` counts wrong ids."""

    decoder: FrameDecoder
    limits: FrameLimits
    observer: Observer

    def event_of(self, message: str | bytes) -> wire.ClientFrame | Overstepped | FrameRefused:
        """Return the frame in a message, or why there is none: `Overstepped` for one that is too
        big, `FrameRefused` for what is not a frame of the protocol."""
        if _size_of(message) > self.limits.max_frame_bytes:
            return Overstepped(CloseCode.FRAME_TOO_BIG)
        try:
            return self.decoder.decode(message)
        except BadFrame as bad:
            if (wrong := wrong_id_behind(bad)) is not None:
                self.observer.id_mismatch(wrong.expected, wrong.given)
            return FrameRefused(bad.code, bad.message, bad.id, bad.fatal)


def _size_of(message: str | bytes) -> int:
    if isinstance(message, bytes) or message.isascii():
        return len(message)
    return len(message.encode())
