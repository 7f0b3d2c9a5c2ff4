"""Percentiles of durations, without keeping each of them (pure)."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

WIDTH: Final = 1.02
_LOG_WIDTH: Final = math.log(WIDTH)
_NONE: Final = -1  # the bucket of durations below a millisecond


class Durations:
    """A histogram of durations in milliseconds."""

    def __init__(self) -> None:
        self.count = 0
        self._buckets: Counter[int] = Counter()

    def add(self, ms: float) -> None:
        """Count a duration. A negative one, from a clock that was set back, counts as 0."""
        self.count += 1
        self._buckets[math.ceil(math.log(ms) / _LOG_WIDTH) if ms >= 1 else _NONE] += 1

    def percentile(self, share: float) -> int | None:
        """The least duration that at least `share` of them do not exceed, within 1 %, in whole ms.

        `share` from 0 to 1; None if no duration was counted.
        """
        left = max(1, math.ceil(share * self.count))
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return 0 if bucket == _NONE else round(2 * WIDTH**bucket / (WIDTH + 1))
        return None
