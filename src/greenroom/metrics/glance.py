"""The gauges for those who look in: read in slices, once for all who look at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from greenroom.metrics.gauges import Gauges, GaugesSeen

FRESH: Final = 2.0
"""Seconds that what was seen is shown at least."""

SHARE: Final = 0.25
"""The share of the time during which it is read, however many look. Most of that is rest."""


@attrs.define
class Glance:
    """Looks at `gauges` again when what was seen is no longer fresh."""

    gauges: Gauges
    clock: Callable[[], float] = trio.current_time
    _lock: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _seen: GaugesSeen | None = attrs.field(default=None, init=False)
    _fresh_until: float = attrs.field(default=0.0, init=False)

    async def look(self) -> GaugesSeen:
        """What is there now, or was a moment ago."""
        async with self._lock:
            if self._seen is None or self.clock() >= self._fresh_until:
                self._seen = await self._look()
            return self._seen

    async def _look(self) -> GaugesSeen:
        began = self.clock()
        seen = await self.gauges.read_in_slices()
        ended = self.clock()
        self._fresh_until = ended + max(FRESH, (ended - began) / SHARE)
        return seen
