"""The rules that a server judges itself are those of alerts.yml, and mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from greenroom.metrics.alerting.expressions import Series, span
from greenroom.metrics.alerting.judging import SERIES, Alert, AlertState, Amount, KeptSeries, judge
from greenroom.metrics.alerting.rules import ALERT_RULES
from greenroom.metrics.alerting.words import ALERT_WORDS
from greenroom.metrics.last_hour import EVERY, POINTS
from greenroom.metrics.table import METRICS, PREFIX, Metric

pytestmark = [pytest.mark.requirement("R38"), pytest.mark.requirement("R42")]

DOCS = Path(__file__).parents[3] / "docs"
RULES = yaml.safe_load((DOCS / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
TRIED = yaml.safe_load((DOCS / "alerts.test.yml").read_text(encoding="utf-8"))["tests"]
UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


def in_one_line(expression: str) -> str:
    return " ".join(expression.split()).replace("( ", "(").replace(" )", ")")


def test_the_rules_are_those_of_the_file_word_by_word() -> None:
    assert [each.name for each in ALERT_RULES] == [each["alert"] for each in RULES]
    for rule, written in zip(ALERT_RULES, RULES, strict=True):
        notes = written["annotations"]
        assert ALERT_WORDS[rule.name] == (notes["summary"], notes["description"])
        assert rule.severity == written["labels"]["severity"]
        assert (span(rule.hold) if rule.hold else None) == written.get("for")
        assert rule.when is None or rule.when.text == in_one_line(written["expr"])


class Played:
    """The series of one of promtool's tests, at any time."""

    def __init__(self, tried: Mapping[str, Any]) -> None:
        self._every = seconds(tried["interval"])
        self._series: dict[str, list[tuple[dict[str, str], list[float | None]]]] = {}
        for each in tried["input_series"]:
            name, _, inside = each["series"].removeprefix(PREFIX).partition("{")
            labels = dict(re.findall(r'(\w+)="([^"]*)"', inside))
            played = list(values_of(each["values"]))
            for ending in ("_total", "_bucket"):
                name = name.removesuffix(ending)
            self._series.setdefault(name, []).append((labels, played))

    def at(self, second: int, name: str) -> Iterator[tuple[dict[str, str], float]]:
        for labels, values in self._series.get(name, []):
            value = values[min(second // self._every, len(values) - 1)]
            if value is not None:
                yield labels, value

    def amount(self, second: int, series: Series) -> Amount:
        metric = next(metric for metric in METRICS if metric.name == series.metric)
        if metric.type == "histogram":
            return self._buckets(second, metric)
        return self.numbers(second, metric, series)

    def numbers(self, second: int, metric: Metric, series: Series) -> Mapping[Any, float]:
        found = self.at(second, metric.name)
        return series.total(
            {tuple(labels.get(name, "") for name in metric.labels): n for labels, n in found}
        )

    def _buckets(self, second: int, metric: Metric) -> tuple[int, ...]:
        known = {labels["le"]: value for labels, value in self.at(second, metric.name)}
        below, reached = [0.0], 0.0
        for edge in [*map(str, metric.buckets), "+Inf"]:
            reached = known.get(edge, known.get(edge.removesuffix(".0"), reached))
            below.append(reached)
        return tuple(int(after - before) for before, after in pairwise(below))

    def kept(self, second: int) -> KeptSeries:
        """What a server keeps of the hour before that second."""
        times = range(second % EVERY, second + 1, EVERY)[-POINTS - 1 :]
        past = [[self.amount(time, series) for series in SERIES] for time in times]
        now = {
            metric.name: {
                tuple(labels.get(name, "") for name in metric.labels): value
                for labels, value in self.at(second, metric.name)
            }
            for metric in METRICS
        }
        return KeptSeries(past, now)


def values_of(text: str) -> Iterator[float | None]:
    """promtool's notation: `0+5x3` is 0, 5, 10, 15."""
    for piece in text.split():
        start, _, times = piece.partition("x")
        first, _, step = start.partition("+")
        for number in range(int(times or 0) + 1):
            yield None if piece == "_" else float(first) + float(step or 0) * number


def state_of(name: str, alerts: tuple[Alert, ...]) -> AlertState:
    return next(each.state for each in alerts if each.rule.name == name)


@pytest.mark.parametrize("tried", TRIED, ids=lambda tried: tried["name"])
def test_what_fires_in_promtools_tests_fires_here(tried: Mapping[str, Any]) -> None:
    played = Played(tried)
    judged = cache(lambda time: judge(played.kept(seconds(time))))
    for case in tried["alert_rule_test"]:
        state = state_of(case["alertname"], judged(case["eval_time"]))
        fires = state in (AlertState.FIRING, AlertState.TRUE)
        assert state is AlertState.UNKNOWN or fires is bool(case["exp_alerts"]), case["alertname"]


def test_a_rule_waits_as_long_as_it_says_before_it_fires() -> None:
    forged = next(each for each in TRIED if each["name"] == "GreenroomForgedReports")
    played = Played(forged)
    states = [state_of(forged["name"], judge(played.kept(60 * minute))) for minute in range(12)]
    begun = states.index(AlertState.PENDING)
    assert states[begun : begun + 6] == [AlertState.PENDING] * 5 + [AlertState.FIRING]


def test_what_an_alert_says_has_its_number_and_its_labels() -> None:
    lost = next(each for each in TRIED if each["name"] == "GreenroomMailboxDeep")
    alerts = judge(Played(lost).kept(360))
    (deep,) = (each for each in alerts if each.rule.name == "GreenroomMailboxDeep")
    assert deep.state is AlertState.TRUE
    assert deep.says == ("A mailbox of JournalWriter on this server holds 900 messages.",)


def test_a_server_that_has_just_begun_has_no_alert() -> None:
    states = {each.state for each in judge(KeptSeries([], {}))}
    assert states == {AlertState.QUIET, AlertState.UNKNOWN}
