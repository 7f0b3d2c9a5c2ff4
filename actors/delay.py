"""How long a timer may run (pure)."""

from __future__ import annotations

import math


def is_delay(after: float) -> bool:
    """Whether a clock can add `after` to its time: a finite number of seconds, 0 or more."""
    try:
        return 0 <= after + 0.0 < math.inf
    except TypeError:
        return False
