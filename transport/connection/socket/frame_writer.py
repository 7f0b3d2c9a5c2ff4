"""What writes a connection's frames to its socket, and knows how far they have come."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from greenroom.actors.guard import call_guarded
from greenroom.delivery.outbox.feed import (
    FRAME_BYTES,
    FRAME_EVENTS,
    SocketGauge,
    nothing_on_its_way,
)
from greenroom.transport.connection.socket.connection_socket import ConnectionSocket
from greenroom.transport.connection.socket.pulse import Pulse
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode

REPORT_EVENTS, REPORT_BYTES = FRAME_EVENTS // 2, FRAME_BYTES // 2
"""What is written before the user actor hears of it."""


class FrameWriter:
    """Writes one frame after another, and waits for none.

    `on_written(through, size)` is called once a frame of events is with the system, `on_progress()`
    when what waited has moved, maybe in another task. `gauge`: what the user actor reads of the
    socket.
    """

    def __init__(
        self,
        socket: ConnectionSocket,
        on_written: Callable[[int, int], None],
        on_progress: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._on_written = on_written
        self._on_progress = on_progress
        self._bytes = socket.writer
        self._bytes.on_progress = self._progressed
        self._unwritten: list[_Unwritten] = []
        self.pulse = Pulse(socket.traffic, trio.current_time)
        self.gauge: SocketGauge = socket.gauge
        self.gauge.on_its_way = self._is_on_its_way
        self.announced = False

    @property
    def waiting(self) -> int:
        """The bytes that are written and not yet with the system."""
        return self._bytes.waiting

    @property
    def is_late(self) -> bool:
        """Whether what is written now would leave late."""
        return self._bytes.waiting > self._bytes.slack

    @property
    def stalled_since(self) -> float | None:
        """When what waits last moved, in seconds of trio's clock; None if nothing waits."""
        return self._bytes.stalled_since

    @property
    def position(self) -> int:
        """How many bytes were written; once `has_left(position)`, they are with the system."""
        return self._bytes.given

    def has_left(self, position: int) -> bool:
        return self._bytes.taken >= position

    def write(self, frame: bytes) -> bool:
        """Write a frame, after a `large` if it is long and such frames are `announced`.

        Returns False when the socket is gone.
        """
        if self.announced and len(frame) > wire.LARGE_BYTES:
            self._socket.send_text(wire.large(len(frame)))
        return self._socket.send_text(frame)

    def write_events(self, frame: bytes, through: int) -> bool:
        """Write a frame with events through this offset. Returns False when the socket is gone."""
        size = len(frame)
        if size > wire.LARGE_BYTES and self.announced:
            self._socket.send_text(wire.large(size))
        if not self._socket.send_text(frame):
            return False
        self.pulse.wrote(through, size)
        if self._bytes.waiting:
            self._unwritten.append(_Unwritten(self._bytes.given, through, size))
        else:
            self._on_written(through, size)
        return True

    async def close(self, code: CloseCode) -> None:
        """Close the socket with a handshake, which may take as long as the peer does.

        What waits is written first.
        """
        await self._socket.aclose(code, code.meaning.reason)

    def retire(self) -> None:
        """Nothing is written any more. Lets go of whatever holds this writer."""
        self.gauge.on_its_way = nothing_on_its_way
        self._bytes.on_progress = None
        self._on_written, self._on_progress = _ignore_frame, _ignore_progress

    def _progressed(self) -> None:
        """In the task that flushes, which may be the socket's own."""
        while self._unwritten and self._unwritten[0].end <= self._bytes.taken:
            frame = self._unwritten.pop(0)
            call_guarded("a frame was written", self._on_written, frame.through, frame.size)
        call_guarded("a socket moved", self._on_progress)

    def _is_on_its_way(self, after: int) -> bool:
        """The guard of writes ends one that takes too long."""
        return self._bytes.waiting > 0 or self.pulse.on_its_way(after)


def _ignore_frame(through: int, size: int) -> None: ...


def _ignore_progress() -> None: ...


@attrs.frozen
class _Unwritten:
    """A frame with events through an offset, all of which is with the system at `end`."""

    end: int
    through: int
    size: int


@attrs.define
class WrittenCount:
    """Counts what was written since the user actor last heard of it."""

    _reported: int = 0
    _unreported_bytes: int = 0

    def wrote(self, through: int, size: int) -> bool:
        """Count a frame of new events. True when it is time to report: every half frame, so that
        the window of two frames never runs dry."""
        self._unreported_bytes += size
        if through - self._reported < REPORT_EVENTS and self._unreported_bytes < REPORT_BYTES:
            return False
        self._reported, self._unreported_bytes = through, 0
        return True
