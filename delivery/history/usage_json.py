"""Usage as JSON: `greenroom.usage/1`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import attrs
import orjson

from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.history.durations import Durations
from greenroom.delivery.history.usage import ENDINGS, By, Tally, Usage

SCHEMA: Final = "greenroom.usage/1"
MEDIAN, MOST = 0.5, 0.95
STAGES: Final = (ReceiptStage.RECEIVED, ReceiptStage.DISPLAYED, ReceiptStage.CONFIRMED)
T = TypeVar("T")


@attrs.frozen
class Period:
    """What was counted: from `since` (None: the journal's beginning) until now (ms)."""

    since: int | None
    until: int


def itself(name: str) -> str:
    return name


def as_json(usage: Usage, period: Period, called: Callable[[str], str] = itself) -> bytes:
    """All that was counted, in one line. Groups are called what `called` makes of their names."""
    fields = {
        "schema": SCHEMA,
        "since": period.since,
        "until": period.until,
        "by": None if usage.by is None else str(usage.by),
        "total": _tally(usage.total),
        "tools": [
            {
                "tool": name,
                "calls": tool.calls,
                "errors": tool.errors,
                "took": _percentiles(tool.took),
            }
            for name, tool in sorted(usage.tools.items())
        ],
        "groups": [
            {str(usage.by): called(name), **_tally(usage.groups[name])} for name in chosen(usage)
        ],
    }
    return orjson.dumps(fields)


def _tally(tally: Tally) -> dict[str, object]:
    return {
        "runs": tally.runs,
        "sub_runs": tally.sub_runs,
        "going_on": tally.going_on,
        "endings": {name: tally.endings[name] for name in ENDINGS},
        "took": _percentiles(tally.took),
        "active_users": len(tally.users),
        "events": tally.events,
        "kinds": kinds(tally),
        **{str(stage): tally.reached[stage] for stage in STAGES},
        "tool_calls": tally.tool_calls,
        "tool_errors": tally.tool_errors,
        "verdicts": dict(tally.verdicts),
    }


def _percentiles(took: Durations) -> dict[str, int | None]:
    return {"p50_ms": took.percentile(MEDIAN), "p95_ms": took.percentile(MOST)}


def chosen(usage: Usage, limit: int | None = None) -> list[str]:
    """The names of groups: the days in order, others with the most runs first."""
    if usage.by is By.DAY:
        return sorted(usage.groups)[-limit if limit else 0 :]
    return ranked(usage.groups, lambda group: (group.runs, group.events))[:limit]


def ranked(named: Mapping[str, T], weight: Callable[[T], tuple[int, ...]]) -> list[str]:
    """The names, the heaviest first."""
    return sorted(named, key=lambda name: (*(-each for each in weight(named[name])), name))


def kinds(tally: Tally) -> dict[str, int]:
    return {str(kind): tally.kinds[kind] for kind in Kind}
