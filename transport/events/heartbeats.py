"""The sign of life of an event stream, whose client answers nothing."""

from __future__ import annotations

from collections.abc import Callable

from greenroom.transport.connection.socket.traffic import Traffic


class Heartbeats:
    """A heartbeat is a comment, which no client answers: the sign of life is that all of the stream
    has left. `traffic`: of the carrier."""

    def __init__(self, traffic: Callable[[], Traffic]) -> None:
        self._traffic = traffic
        self._signs = self._count = 0

    def sent(self) -> None:
        """A heartbeat was due."""
        self._count += 1

    def traffic(self) -> Traffic:
        now = self._traffic()
        if not now.waiting:
            self._signs = self._count
        return Traffic(self._signs, now.left, now.waiting)
