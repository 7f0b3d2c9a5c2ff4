"""What a connection may send (pure)."""

from __future__ import annotations

import attrs

MAX_FRAME_BYTES = 64 * 1024


@attrs.frozen
class FrameLimits:
    """How big a client's frames may be, and how many it may send a second, on average and at once.

    By the names that `ready` has for them.
    """

    max_frame_bytes: int = MAX_FRAME_BYTES
    frames_per_second: float = 50.0
    frames_burst: float = 100.0
