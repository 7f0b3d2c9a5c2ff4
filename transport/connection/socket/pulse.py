"""Whether a connection lives, judged by its bytes: a slow link is not a dead link."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from greenroom.transport.connection.socket.traffic import HIDDEN_BYTES, SLOWEST, Traffic
from greenroom.transport.protocol.wire import LARGE_BYTES

MOST_FRAMES = 64


@attrs.define
class _WrittenFrame:
    """A frame with events through an offset (0: a reply), and the bytes written by its end."""

    through: int
    end: int
    size: int


class Pulse:
    """Watches one socket. `clock`: monotonic, in seconds.

    Looks only when asked, and compares with its last look.
    """

    __slots__ = (
        "_arriving",
        "_at_most",
        "_came",
        "_clock",
        "_drained_at",
        "_frames",
        "_left",
        "_seen",
        "_traffic",
        "_was_waiting",
    )

    def __init__(self, traffic: Callable[[], Traffic], clock: Callable[[], float]) -> None:
        self._traffic = traffic
        self._clock = clock
        self._seen = Traffic()
        self._came = 0
        self._at_most = SLOWEST  # bytes that may wait, by the last look and what was written since
        self._drained_at = float("-inf")
        self._frames: list[_WrittenFrame] = []
        self._left = 0  # frames with events through here have left
        self._was_waiting = 0  # those through here had not when it was asked before
        self._arriving: tuple[int, float] = (0, float("-inf"))  # a big one that left: until when

    def beats(self, within: float) -> bool:
        """Whether bytes came since the last call, or a backlog moved `within` seconds, or
        what left may still be on its way through a slow link."""
        self._look()
        came, self._came = self._seen.came > self._came, self._seen.came
        now = self._clock()
        has_left = self._seen.waiting < SLOWEST and now < self._arriving[1]
        return came or now - self._drained_at < within or has_left

    def drained_at(self) -> float:
        """The time of the last look that saw a backlog move."""
        self._look()
        return self._drained_at

    def wrote(self, through: int, size: int) -> None:
        """A frame with events through this offset was written."""
        self._at_most += size
        is_short = self._at_most < SLOWEST or self._is_short()
        if size > LARGE_BYTES or self._frames or not is_short:
            self._keep(through, size)
        elif through > self._left:
            self._left = through  # it is as good as gone

    def replied(self, size: int) -> None:
        """Another frame was written."""
        self._at_most += size
        if size > LARGE_BYTES:
            self._keep(0, size)

    def arrived(self, offset: int) -> None:
        """The client has what was sent through this offset."""
        while self._frames and 0 < self._frames[0].through <= offset:
            self._left = self._frames.pop(0).through
        if 0 < self._arriving[0] <= offset:
            self._arriving = (0, float("-inf"))

    def on_its_way(self, after: int) -> bool:
        """Whether the first frame with events after this offset may not have arrived yet: it waits
        to leave, or has left since this was asked before, or is big and left a moment ago."""
        self._look()
        if self._left <= after:
            self._was_waiting = max((frame.through for frame in self._frames), default=0)
            return self._was_waiting > after
        just_left, self._was_waiting = after < self._was_waiting, 0
        through, until = self._arriving
        return just_left or (through > after and self._clock() < until)

    def _is_short(self) -> bool:
        """Whether less than a second's worth waits: to look is a system call, so look when it may
        have become more."""
        if self._at_most >= SLOWEST:
            self._at_most = self._traffic().waiting
        return self._at_most < SLOWEST

    def _keep(self, through: int, size: int) -> None:
        frame = _WrittenFrame(through, self._written(), size)
        if len(self._frames) < MOST_FRAMES:
            self._frames.append(frame)
        else:  # the two leave as one
            last = self._frames[-1]
            frame.through, frame.size = max(through, last.through), max(size, last.size)
            self._frames[-1] = frame

    def _written(self) -> int:
        now = self._traffic()
        return now.left + now.waiting

    def _look(self) -> None:
        before, self._seen = self._seen, self._traffic()
        if self._seen.drained_since(before):
            self._drained_at = self._clock()
        while self._frames and self._frames[0].end <= self._seen.left:
            frame = self._frames.pop(0)
            self._left = max(self._left, frame.through)
            if frame.size > LARGE_BYTES:
                hidden = min(frame.size, HIDDEN_BYTES)
                self._arriving = (frame.through, self._clock() + hidden / SLOWEST)
