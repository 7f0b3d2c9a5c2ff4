"""Points in time as people read them everywhere: in UTC, and saying so (pure)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

WIDTH: Final = len("2026-09-23T12:00:01Z")
CLOCK_WIDTH: Final = len("12:00:01Z")


def moment(at: float) -> str:
    """Seconds since the Unix epoch as `2026-09-23T12:00:01Z`."""
    return _formatted(at, "%Y-%m-%dT%H:%M:%SZ")


def clock_time(at: float) -> str:
    """The same without the day, where there is little room: `12:00:01Z`."""
    return _formatted(at, "%H:%M:%SZ")


def _formatted(at: float, form: str) -> str:
    try:
        return format(datetime.fromtimestamp(at, UTC), form)
    except (OverflowError, ValueError, OSError):  # past the year 9999: a forged or broken time
        return f"{at:.0f} s"
