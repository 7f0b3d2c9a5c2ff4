"""Which rules fire, by what a server keeps of its last hour (pure)."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from greenroom.metrics.alerting.expressions import PER_MINUTE, Expression, Series, Vector
from greenroom.metrics.alerting.rules import ALERT_RULES, WALKED, AlertRule
from greenroom.metrics.alerting.words import ALERT_WORDS
from greenroom.metrics.table import Labels, Values

Amount: TypeAlias = float | Vector | Sequence[int]
"""One number, one for each group of labels, or a histogram's buckets."""

SERIES: Final = tuple(
    dict.fromkeys(
        series
        for rule in ALERT_RULES
        if rule.when is not None
        for series in rule.when.series
        if series.metric not in WALKED
    )
)
"""What is kept of each point for the rules."""

_INDEX: Final = {series: index for index, series in enumerate(SERIES)}
_BLANK: Final = re.compile(r"\{\{ \$(?:labels\.(\w+)|value)(?: \| (\w+))? \}\}")


class AlertState(enum.StrEnum):
    """`TRUE`: at this moment; for how long is not kept. `UNKNOWN`: this server cannot tell."""

    FIRING = "firing"
    PENDING = "pending"
    TRUE = "true"
    QUIET = "quiet"
    UNKNOWN = "unknown"


@attrs.frozen
class Alert:
    """A rule, what has become of it, and what it says: of each group of labels a sentence."""

    rule: AlertRule
    state: AlertState
    says: tuple[str, ...]
    advice: str


@attrs.frozen
class KeptSeries:
    """Of each point, oldest first, the amounts of `SERIES`; and the gauges as they are now."""

    past: Sequence[Sequence[Amount]]
    now: Values

    @property
    def points(self) -> int:
        return len(self.past)

    def value(self, series: Series, back: int) -> Vector:
        if series.metric in WALKED:
            return series.total(self.now.get(series.metric, {}))
        amount = self._amount(series, back)
        return amount if isinstance(amount, Mapping) else {(): float(amount)}  # type: ignore[arg-type]  # no histogram

    def buckets(self, series: Series, back: int) -> Sequence[int]:
        amount = self._amount(series, back)
        assert isinstance(amount, Sequence), "expressions ask a histogram for buckets only"
        return amount

    def _amount(self, series: Series, back: int) -> Amount:
        return self.past[max(0, len(self.past) - 1 - back)][_INDEX[series]]


def judge(kept: KeptSeries) -> tuple[Alert, ...]:
    """Every rule, in the order of the file."""
    return tuple(_judged(rule, kept) for rule in ALERT_RULES)


def _judged(rule: AlertRule, kept: KeptSeries) -> Alert:
    summary, advice = ALERT_WORDS[rule.name]
    if rule.when is None:
        return Alert(rule, AlertState.UNKNOWN, (rule.elsewhere,), advice)
    found = rule.when.at(kept, 0) if kept.points else {}
    if not found:
        return Alert(rule, AlertState.QUIET, (), advice)
    names = rule.when.series[0].by
    says = tuple(_filled(summary, dict(zip(names, at, strict=True)), n) for at, n in found.items())
    return Alert(rule, _state(rule, rule.when, kept, set(found)), says, advice)


def _state(rule: AlertRule, when: Expression, kept: KeptSeries, groups: set[Labels]) -> AlertState:
    if rule.hold and any(series.metric in WALKED for series in when.series):
        return AlertState.TRUE
    for back in range(1, rule.hold * PER_MINUTE // 60 + 1):
        if back >= kept.points:
            return AlertState.PENDING
        groups &= set(when.at(kept, back))
        if not groups:
            return AlertState.PENDING
    return AlertState.FIRING


def _filled(summary: str, labels: Mapping[str, str], value: float) -> str:
    """The blanks of a template of Prometheus; the instance is this server."""

    def fill(blank: re.Match[str]) -> str:
        label, how = blank.groups()
        if label is not None:
            return labels.get(label, "this server")
        return _shown(value, how)

    text = _BLANK.sub(fill, summary)
    return text[:1].upper() + text[1:]


def _shown(value: float, how: str | None) -> str:
    if how == "humanizePercentage":
        return f"{value * 100:.3g} %"
    if how == "humanize1024":
        return f"{value / 1024**2:.4g} Mi"
    return f"{value:,.4g}" if value < 10_000 else f"{value:,.0f}"
