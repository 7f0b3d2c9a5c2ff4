"""Restarts: how many are allowed in a period, and how long to wait before each (pure)."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable

import attrs

from greenroom.supervisor.errors import InvalidChildSpec


@attrs.frozen
class Intensity:
    """At most `restarts` restarts in any `period` seconds (supervisor(3), "intensity", "period").

    With 0 restarts, the first end that asks for a restart is already too many.
    """

    restarts: int = 3
    period: float = 5.0

    def __attrs_post_init__(self) -> None:
        if type(self.restarts) is not int or self.restarts < 0:
            raise InvalidChildSpec(
                f"the intensity's restarts must be a whole number, 0 or more, not {self.restarts!r}"
            )
        if not (isinstance(self.period, int | float) and 0 < self.period < math.inf):
            raise InvalidChildSpec(
                f"the intensity's period must be a finite time above 0 s, not {self.period!r}"
            )

    def __str__(self) -> str:
        return f"{self.restarts} restarts in {self.period:g} s"


USUAL = Intensity()
"""The default intensity of supervisors."""


class RestartWindow:
    """The restarts of the last `period` seconds, on a monotonic clock that the caller reads."""

    __slots__ = ("_intensity", "_times")

    def __init__(self, intensity: Intensity) -> None:
        self._intensity = intensity
        self._times: list[float] | tuple[()] = ()

    def change(self, intensity: Intensity) -> None:
        """Use another intensity from now on; earlier restarts still count."""
        self._intensity = intensity

    def record(self, now: float) -> bool:
        """Count one restart. False if it is one too many: the supervisor must give up."""
        self._forget(now)
        times = self._times = self._times or []
        times.append(now)
        return len(times) <= self._intensity.restarts

    @property
    def counted(self) -> int:
        """The number of restarts in the window when it was last used."""
        return len(self._times)

    def budget(self, now: float) -> int:
        """The number of restarts that are still allowed now."""
        self._forget(now)
        return max(0, self._intensity.restarts - len(self._times))

    def _forget(self, now: float) -> None:
        if self._times and now - self._times[0] > self._intensity.period:
            period = self._intensity.period
            del self._times[: bisect_left(self._times, True, key=lambda at: now - at <= period)]


@attrs.frozen
class Backoff:
    """Wait `first` seconds, `factor` times longer after every failure in a row, at most `limit`.

    `draw` (from 0 up to 1) makes the `jitter` share of the delay random. A child that lived for
    `reset_after` seconds ends the row. The restart intensity counts every try: allow enough of
    them, or the supervisor gives up before the back-off gets long.
    """

    first: float = 0.1
    limit: float = 30.0
    factor: float = 2.0
    jitter: float = 0.5
    reset_after: float = 60.0
    draw: Callable[[], float] = random.random

    def __attrs_post_init__(self) -> None:
        if not (0 < self.first <= self.limit and self.factor >= 1 and 0 <= self.jitter <= 1):
            raise InvalidChildSpec(
                f"a back-off needs 0 < first <= limit, factor >= 1, 0 <= jitter <= 1, not {self}"
            )

    def delay(self, failures: int) -> float:
        """Seconds to wait after the `failures`-th failure in a row (1 or more)."""
        longest = self.first
        for _ in range(failures - 1):
            longest = min(longest * self.factor, self.limit)
            if longest == self.limit:
                break
        return longest * (1 - self.jitter * self.draw())
