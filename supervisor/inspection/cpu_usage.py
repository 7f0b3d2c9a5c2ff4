"""The processor time of a child, recently and in all (pure)."""

from __future__ import annotations

WINDOW = 5.0


class CpuUsage:
    """Seconds of processor time, added up step by step.

    `share(now)` is the share of the last `WINDOW` seconds; the window before the present one counts
    in proportion to its part in them.
    """

    __slots__ = ("_before", "_current", "_window", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._before = self._current = 0.0
        self._window = 0

    def note(self, seconds: float, now: float) -> None:
        """Add `seconds`; `now` is the time of any monotonic clock, in seconds."""
        self._turn(now)
        self.seconds += seconds
        self._current += seconds

    def share(self, now: float) -> float:
        """From 0 to about 1, since one task never runs on two processors."""
        self._turn(now)
        remaining = 1.0 - now % WINDOW / WINDOW
        return (self._before * remaining + self._current) / WINDOW

    def _turn(self, now: float) -> None:
        window = int(now // WINDOW)
        if window != self._window:
            self._before = self._current if window == self._window + 1 else 0.0
            self._current, self._window = 0.0, window
