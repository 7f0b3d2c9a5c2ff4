"""How long things took, counted in bounded memory (pure).

Each duration falls into a bucket 2 % wide, so any percentile is right within 1 %. It is the sketch
of Masson, Rim and Lee, "DDSketch" (VLDB 2019, https://arxiv.org/abs/1908.10693), without its limit
on buckets: 1,600 of them reach from a millisecond to a million years.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

WIDTH: Final = 1.02
_LOG_WIDTH: Final = math.log(WIDTH)
_NONE: Final = -1  # the bucket of durations below a millisecond


class Durations:
    """Durations in milliseconds, and how many of them there are."""

    def __init__(self) -> None:
        self.count = 0
        self._buckets: Counter[int] = Counter()

    def add(self, ms: float) -> None:
        """Count one; what is negative, as after a clock was set back, is none."""
        self.count += 1
        self._buckets[math.ceil(math.log(ms) / _LOG_WIDTH) if ms >= 1 else _NONE] += 1

    def percentile(self, share: float) -> int | None:
        """The least duration that is not exceeded by `share` of them, within 1 %, in whole ms.

        `share` from 0 to 1; None when there are none.
        """
        left = max(1, math.ceil(share * self.count))
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return 0 if bucket == _NONE else round(2 * WIDTH**bucket / (WIDTH + 1))
        return None
