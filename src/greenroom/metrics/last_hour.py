"""The last hour in numbers, for whoever looks in: a point each ten seconds (pure).

Points are made of totals, so that one costs a few sums however much happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from operator import sub
from typing import Final, TypeAlias

import attrs

EVERY: Final = 10
"""Seconds between two points."""

POINTS: Final = 360

RATES: Final = ("accepted", "sent", "received", "displayed", "retried", "given_up", "runs_ended")
LEVELS: Final = ("ready", "breakers_open", "runs")
TIMES: Final = ("received_seconds", "displayed_seconds")

Watched: TypeAlias = Sequence["float | Mapping[tuple[str, ...], float] | Sequence[int]"]
"""The amounts of `alerting.judging.SERIES`."""


@attrs.frozen
class Totals:
    """What was counted since the start (`RATES`), what is (`LEVELS`), and how many events took as
    long as each bucket of a histogram says (`TIMES`). `watched`: what alert rules look at."""

    counted: Mapping[str, float]
    levels: Mapping[str, float]
    buckets: Mapping[str, Sequence[int]]
    watched: Watched = ()


@attrs.frozen
class Point:
    """What happened in `EVERY` seconds: `rates` per second; `times`: of each histogram the median
    and the 99th percentile in seconds, None if nothing took any; `lag`: the latest timer, in
    seconds."""

    rates: Mapping[str, float]
    levels: Mapping[str, float]
    times: Mapping[str, tuple[float, float] | None]
    lag: float


class LastHour:
    """The newest `POINTS`. `take` is asked for totals; `edges`: the buckets of each histogram."""

    def __init__(self, take: Callable[[], Totals], edges: Mapping[str, Sequence[float]]) -> None:
        self._take = take
        self._edges = edges
        self._points: deque[Point] = deque(maxlen=POINTS)
        self._watched: deque[Watched] = deque(maxlen=POINTS + 1)
        self._before: Totals | None = None
        self._seconds, self._lag = 0, 0.0

    def second(self, lag: float) -> None:
        """A second has passed, and its timer was `lag` seconds late."""
        self._lag = max(self._lag, lag)
        if self._seconds % EVERY == 0:
            self._add(self._take())
            self._lag = 0.0
        self._seconds += 1

    @property
    def taken(self) -> int:
        """How often it has looked since the start."""
        return -(-self._seconds // EVERY)

    def points(self) -> Sequence[Point]:
        """The points there are, oldest first."""
        return tuple(self._points)

    def watched(self) -> Sequence[Watched]:
        """What alert rules look at, oldest first: before the first point, and at each."""
        return tuple(self._watched)

    def _add(self, totals: Totals) -> None:
        if self._before is not None:
            self._points.append(self._point(self._before, totals, self._lag))
        self._watched.append(totals.watched)
        self._before = totals

    def _point(self, before: Totals, after: Totals, lag: float) -> Point:
        rates = {
            name: (after.counted[name] - before.counted[name]) / EVERY for name in after.counted
        }
        times = {
            name: _percentiles(
                list(map(sub, after.buckets[name], before.buckets[name])), self._edges[name]
            )
            for name in after.buckets
        }
        return Point(rates, after.levels, times, lag)


def _percentiles(counts: Sequence[int], edges: Sequence[float]) -> tuple[float, float] | None:
    if not any(counts):
        return None
    return quantile(counts, edges, 0.5), quantile(counts, edges, 0.99)


def quantile(counts: Sequence[int], edges: Sequence[float], share: float) -> float:
    """Within which value that share of what was counted lies, as Prometheus' `histogram_quantile`
    has it: values are taken to be spread evenly within their bucket. What is past the last edge
    counts as on it."""
    wanted, below = share * sum(counts), 0.0
    for count, low, high in zip(counts, (0.0, *edges), edges, strict=False):
        if count and below + count >= wanted:
            return low + (high - low) * (wanted - below) / count
        below += count
    return edges[-1]
