"""Whether this machine's clock agrees with that of the engine that has the journal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

import attrs

MOST_SECONDS_APART: Final = 10.0

logger = logging.getLogger("greenroom.delivery")


@attrs.define
class Clocks:
    """Warns once if they differ, and again only if they agreed in between."""

    now: Callable[[], float] = time.time
    differ: bool = False

    def compare(self, asked: float, theirs: float, where: str) -> None:
        """`theirs`: the engine's answer to a question that was `asked` at that time, here. However
        long it took, only a difference that no wait explains counts."""
        ahead, behind = asked - theirs, theirs - self.now()
        seconds = max(ahead, behind)
        if seconds > MOST_SECONDS_APART and not self.differ:
            logger.warning(
                "the clock of this machine is %d s %s that of %s: leases do not depend on it, "
                "times of events do. Have both set by NTP",
                *(seconds, "ahead of" if ahead > behind else "behind", where),
            )
        self.differ = seconds > MOST_SECONDS_APART
