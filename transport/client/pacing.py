"""Keeps a client below the server's limit of frames."""

from __future__ import annotations

import trio

from greenroom.transport.connection.socket.rate_limit import TokenBucket
from greenroom.transport.protocol.frame_limits import FrameLimits

SHARE = 0.8
"""The share of the limits to use: the user has other clients, and frames arrive in bunches."""


class Pacer:
    """Keeps a client below the server's rate of frames: senders wait for their turn, in order.

    One serves all sockets of a client.
    """

    def __init__(self) -> None:
        self._queue = trio.StrictFIFOLock()
        self.begin(FrameLimits())

    def begin(self, limits: FrameLimits) -> None:
        """Pace by the limits of a new connection, with a full burst."""
        self._rate = SHARE * limits.frames_per_second
        burst = max(1.0, SHARE * limits.frames_burst)
        self._bucket = TokenBucket(self._rate, burst, now=trio.current_time())

    async def turn(self) -> None:
        """Wait until one more frame may be sent."""
        async with self._queue:
            while not self._bucket.take(now := trio.current_time()):  # noqa: ASYNC110  # time fills it
                await trio.sleep((1 - self._bucket.level(now)) / self._rate)

    def spend(self) -> bool:
        """Count a frame that cannot wait; return whether the rate allows it now."""
        return self._bucket.take(trio.current_time())
