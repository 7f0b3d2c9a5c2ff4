"""`GET /admin/overview`: what a server is doing, and the last hour, as numbers.

| field | is |
|---|---|
| `at` | when it was asked, in ms since the Unix epoch; also the time of the newest point, within `every` |
| `every` | seconds between two points of `hour` |
| `now` | gauges by name, each a list of `labels` and `value`; as of a moment ago |
| `so_far` | what was counted since the start: the keys of `SO_FAR` |
| `fullest` | the fullest mailboxes that are not empty: `path` and `waiting`, at most five |
| `alerts` | the rules of docs/alerts.yml: `name`, `severity`, `state`, `says`, `advice`, `hold` in seconds |
| `hour` | a list for each series, the newest point last: `rates` per second, `levels`, `p50` and `p99` in seconds (null where nothing was timed), and `lag` |
"""  # noqa: E501  # a table

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import orjson

from greenroom.delivery.events.kinds import JSON
from greenroom.metrics.alerting.judging import Alert, KeptSeries, judge
from greenroom.metrics.counts import Metrics
from greenroom.metrics.glance import Glance
from greenroom.metrics.last_hour import EVERY, LEVELS, RATES, TIMES, LastHour, Point
from greenroom.metrics.table import Values
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, json_answer

OVERVIEW = "/admin/overview"
SCHEMA: Final = "greenroom.overview/1"

COUNTED_GAUGES: Final = ("breakers", "runs_live", "keys_unreadable")
"""Gauges that are counted as they change, not looked at."""

SO_FAR: Final[Mapping[str, str]] = {
    "accepted": "events_accepted",
    "crashes": "crashes",
    "dead_letters": "events_dead_lettered",
    "redeliveries": "event_retries",
    "runs_ended": "runs_ended",
    "connections_opened": "connections_opened",
}


@attrs.define
class OverviewDoor:
    """Answers visitors that were checked."""

    metrics: Metrics
    glance: Glance
    wall_clock: Callable[[], float]
    _shown: tuple[int, orjson.Fragment] | None = attrs.field(default=None, init=False)

    def routes(self) -> Mapping[str, Handler]:
        """The route to add to an admin door."""
        return {OVERVIEW: self._overview}

    async def _overview(self, _: RequestHead) -> Response:
        seen = await self.glance.look()
        counted = self.metrics.so_far()
        hour = self.metrics.hour
        alerts = judge(KeptSeries(hour.watched(), seen.values))
        answer: dict[str, object] = {
            "schema": SCHEMA,
            "at": round(self.wall_clock() * 1000),
            "every": EVERY,
            "now": _listed({name: counted[name] for name in COUNTED_GAUGES} | dict(seen.values)),
            "so_far": {name: sum(counted[metric].values()) for name, metric in SO_FAR.items()},
            "fullest": [{"path": path, "waiting": count} for count, path in seen.fullest],
            "alerts": [_alert(each) for each in alerts],
            "hour": self._series_of(hour),
        }
        return json_answer(orjson.dumps(answer))

    def _series_of(self, hour: LastHour) -> orjson.Fragment:
        """In JSON, made once for each point."""
        if self._shown is None or self._shown[0] != hour.taken:
            self._shown = hour.taken, orjson.Fragment(orjson.dumps(_series(hour.points())))
        return self._shown[1]


def _listed(values: Values) -> dict[str, JSON]:
    return {
        name: [{"labels": list(labels), "value": float(value)} for labels, value in each.items()]
        for name, each in values.items()
    }


def _alert(alert: Alert) -> dict[str, JSON]:
    return {
        "name": alert.rule.name,
        "severity": alert.rule.severity,
        "state": alert.state,
        "hold": alert.rule.hold,
        "says": list(alert.says),
        "advice": alert.advice,
    }


def _series(points: Sequence[Point]) -> dict[str, JSON]:
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
