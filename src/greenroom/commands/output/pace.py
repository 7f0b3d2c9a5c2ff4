"""Playing back what was recorded, at its own pace or a multiple of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from greenroom.delivery.history.timeline import Moment

TICK_SECONDS = 0.1


def paced(
    moments: Iterable[Moment],
    speed: float,
    *,
    tick: Callable[[float], object] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Moment]:
    """Each moment when its time has come, `speed` times as fast as it was.

    `tick` is called ten times a second with the position, in recorded milliseconds.
    """
    began = clock()
    for moment in moments:
        due = began + moment.since / 1000 / speed
        while (left := due - clock()) > 0:
            tick((clock() - began) * 1000 * speed)
            sleep(min(left, TICK_SECONDS))
        tick(moment.since)
        yield moment
