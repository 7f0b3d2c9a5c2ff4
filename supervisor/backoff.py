"""Restart back-off: how long to leave a child down before its next try (pure)."""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs

from greenroom.supervisor.errors import InvalidChildSpec


@attrs.frozen
class Backoff:
    """`first` seconds, `factor` times longer with every failure in a row, at most `limit`.

    `jitter` is the share of the delay that is drawn by `draw` (0 up to 1) instead of fixed. A
    life of `reset_after` seconds ends the row. It goes with the restart intensity, which counts
    tries: allow for enough of them, or the supervisor gives up before the back-off gets long.
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
                f"a back-off needs 0 < first <= limit, factor >= 1, 0 <= jitter <= 1: {self}"
            )

    def delay(self, failures: int) -> float:
        """Seconds to wait after the `failures`-th failure in a row (1 or more)."""
        longest = self.first
        for _ in range(failures - 1):
            longest = min(longest * self.factor, self.limit)
            if longest == self.limit:
                break
        return longest * (1 - self.jitter * self.draw())
