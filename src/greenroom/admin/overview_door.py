"""`GET /admin/overview`: what a server is doing, and the last hour, as numbers.

| field | is |
|---|---|
| `at` | when it was asked, in ms since the Unix epoch; also the time of the newest point, within `every` |
| `every` | seconds between two points of `hour` |
| `now` | gauges by name, each a list of `labels` and `value` |
| `hour` | a list for each series, the newest point last: `rates` per second, `levels`, `p50` and `p99` in seconds (null where nothing was timed), and `lag` |
"""  # noqa: E501  # a table

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import attrs
import orjson

from greenroom.delivery.events.kinds import JSON
from greenroom.metrics.counts import Metrics
from greenroom.metrics.last_hour import EVERY, LEVELS, RATES, TIMES, Point
from greenroom.transport.door.front_door import Handler
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, json_answer

OVERVIEW = "/admin/overview"
SCHEMA: Final = "greenroom.overview/1"


@attrs.frozen
class OverviewDoor:
    """Answers visitors that were checked."""

    metrics: Metrics
    wall_clock: Callable[[], float]

    def routes(self) -> Mapping[str, Handler]:
        """The route to add to an admin door."""
        return {OVERVIEW: self._overview}

    async def _overview(self, _: RequestHead) -> Response:
        points = list(self.metrics.hour.points())
        answer: dict[str, JSON] = {
            "schema": SCHEMA,
            "at": round(self.wall_clock() * 1000),
            "every": EVERY,
            "now": self._now(),
            "hour": _series(points),
        }
        return json_answer(orjson.dumps(answer))

    def _now(self) -> dict[str, JSON]:
        return {
            name: [{"labels": list(labels), "value": value} for labels, value in values.items()]
            for name, values in self.metrics.now().items()
        }


def _series(points: list[Point]) -> dict[str, JSON]:
    return {
        "rates": {name: [each.rates[name] for each in points] for name in RATES},
        "levels": {name: [each.levels[name] for each in points] for name in LEVELS},
        "p50": {name: [_of(each, name, 0) for each in points] for name in TIMES},
        "p99": {name: [_of(each, name, 1) for each in points] for name in TIMES},
        "lag": [each.lag for each in points],
    }


def _of(point: Point, name: str, which: int) -> float | None:
    times = point.times[name]
    return None if times is None else times[which]
