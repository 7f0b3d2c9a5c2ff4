"""What writes a connection's frames to its socket, and knows how far they have come."""

from __future__ import annotations

import attrs
import trio
from trio_websocket import ConnectionClosed
from wsproto.utilities import LocalProtocolError

from greenroom.delivery.outbox.feed import (
    FRAME_BYTES,
    FRAME_EVENTS,
    SocketGauge,
    nothing_on_its_way,
)
from greenroom.transport.connection.socket.counted_socket import CountedSocket
from greenroom.transport.connection.socket.pulse import Pulse
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode


class FrameWriter:
    """Writes one frame after another.

    `writing_since`: when the write that goes on began, None while none does. `is_torn`: a write was
    cancelled in the middle of a frame, so nothing more can be written. `gauge`: what the user actor
    reads of the socket.
    """

    def __init__(self, socket: CountedSocket) -> None:
        self._socket = socket
        self.pulse = Pulse(socket.traffic, trio.current_time)
        self.gauge = SocketGauge(on_its_way=self._is_on_its_way)
        self.writing_since: float | None = None
        self.is_torn = False

    async def write(self, frame: bytes, *, announced: bool) -> bool:
        """Write a frame, after a `large` if it is long and to be `announced`.

        Returns False when the socket is gone.
        """
        self.writing_since, self.is_torn = trio.current_time(), True
        try:
            if announced and len(frame) > wire.LARGE_BYTES:
                await self._socket.send_message(wire.large(len(frame)).decode())
            await self._socket.send_message(frame.decode())
            written = True
        except (ConnectionClosed, LocalProtocolError):
            written = False
        self.writing_since, self.is_torn = None, False
        return written

    async def close(self, code: CloseCode) -> None:
        """Close the socket with a handshake, which may take as long as the peer does."""
        await self._socket.aclose(code, code.meaning.reason)

    def retire(self) -> None:
        """Nothing is written any more. The gauge lets go of this writer, which holds the gauge."""
        self.gauge.on_its_way = nothing_on_its_way

    def _is_on_its_way(self, after: int) -> bool:
        """An ack is not heard during a write; `_write_guard` ends a write that takes too long."""
        return self.writing_since is not None or self.pulse.on_its_way(after)


@attrs.define
class WrittenCount:
    """Counts what was written since the user actor last heard of it."""

    _reported: int = 0
    _unreported_bytes: int = 0

    def wrote(self, through: int, size: int) -> bool:
        """Count a frame of new events. True when it is time to report: every half frame, so that
        the window of two frames never runs dry."""
        self._unreported_bytes += size
        events = through - self._reported
        if events < FRAME_EVENTS // 2 and self._unreported_bytes < FRAME_BYTES // 2:
            return False
        self._reported, self._unreported_bytes = through, 0
        return True
