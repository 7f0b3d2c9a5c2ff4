"""The check of a timer's delay (pure)."""

from __future__ import annotations

import math


def is_delay(after: float) -> bool:
    """Whether `after` is a finite number of seconds, 0 or more."""
    try:
        return 0 <= after + 0.0 < math.inf
    except TypeError:
        return False
