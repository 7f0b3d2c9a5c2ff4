"""What alert rules are made of: a part of PromQL as data, with its text and its meaning (pure).

A value is a number for each group of label values; a comparison keeps the groups that pass it.
Unlike Prometheus, which extrapolates between scrapes, an increase is exactly what was counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import eq, gt, lt
from typing import Final, Protocol, TypeAlias

import attrs

from greenroom.metrics.last_hour import EVERY, quantile
from greenroom.metrics.table import METRICS, Labels

Vector: TypeAlias = Mapping[Labels, float]
Matching: TypeAlias = tuple[str, str, tuple[str, ...]]
"""A label; `=`, `!=` or `=~`; and the values."""

_METRICS: Final = {metric.name: metric for metric in METRICS}
_OPERATORS: Final = {">": gt, "<": lt, "==": eq}
PER_MINUTE: Final = 60 // EVERY


@attrs.frozen
class Series:
    """The series of a metric that `where` selects, added up for each value of the labels `by`."""

    metric: str
    where: tuple[Matching, ...] = ()
    by: Labels = ()

    def group_of(self, labels: Labels) -> Labels | None:
        """The values of `by` among a series' labels; None if it is not selected."""
        named = dict(zip(_METRICS[self.metric].labels, labels, strict=True))
        if all((named[label] in values) is (sign != "!=") for label, sign, values in self.where):
            return tuple(named[label] for label in self.by)
        return None

    def total(self, values: Vector) -> Vector:
        """Of the series there are."""
        added: dict[Labels, float] = {} if self.by else {(): 0.0}
        for labels, value in values.items():
            if (group := self.group_of(labels)) is not None:
                added[group] = added.get(group, 0.0) + value
        return added

    def text(self, ending: str = "") -> str:
        """As PromQL selects them."""
        metric = _METRICS[self.metric]
        chosen = ",".join(f'{label}{sign}"{"|".join(of)}"' for label, sign, of in self.where)
        return f"{metric.exported}{ending}{f'{{{chosen}}}' if chosen else ''}"

    def added(self, inner: str, more: Labels = ()) -> str:
        return f"sum by ({', '.join(('job', 'instance', *self.by, *more))}) ({inner})"


class Kept(Protocol):
    """What a server keeps of its last hour, `back` points ago; beyond the hour, the oldest."""

    @property
    def points(self) -> int: ...

    def value(self, series: Series, back: int) -> Vector: ...

    def buckets(self, series: Series, back: int) -> Sequence[int]: ...


class Expression(Protocol):
    """`series`: those that must be kept to tell its value in the past."""

    @property
    def series(self) -> tuple[Series, ...]: ...

    @property
    def text(self) -> str: ...

    def at(self, kept: Kept, back: int) -> Vector: ...


@attrs.frozen
class Now:
    """A gauge. Without `added` each series by itself, which is then the only one of its group."""

    of: Series
    added: bool = False

    @property
    def series(self) -> tuple[Series, ...]:
        return (self.of,)

    @property
    def text(self) -> str:
        return self.of.added(self.of.text()) if self.added else self.of.text()

    def at(self, kept: Kept, back: int) -> Vector:
        return kept.value(self.of, back)


@attrs.frozen
class Increase:
    """By how much a counter rose in the last `minutes`."""

    of: Series
    minutes: int

    @property
    def series(self) -> tuple[Series, ...]:
        return (self.of,)

    @property
    def text(self) -> str:
        return self.of.added(f"increase({self.of.text()}[{span(self.minutes * 60)}])")

    def at(self, kept: Kept, back: int) -> Vector:
        before = kept.value(self.of, back + self.minutes * PER_MINUTE)
        after = kept.value(self.of, back)
        return {group: value - before.get(group, 0.0) for group, value in after.items()}


@attrs.frozen
class Appears:
    """A counter rose in the last `minutes`, or began to count in them. It is kept from 0."""

    of: Series
    minutes: int

    @property
    def series(self) -> tuple[Series, ...]:
        return (self.of,)

    @property
    def text(self) -> str:
        name, rise = self.of.text(), Above(Increase(self.of, self.minutes), 0)
        new = self.of.added(f"{name} unless {name} offset {self.minutes}m")
        return f"{rise.text} or {new} > 0"

    def at(self, kept: Kept, back: int) -> Vector:
        return Above(Increase(self.of, self.minutes), 0).at(kept, back)


@attrs.frozen
class Quantile:
    """Of a histogram, in the last `minutes`."""

    share: float
    of: Series
    minutes: int

    @property
    def series(self) -> tuple[Series, ...]:
        return (self.of,)

    @property
    def text(self) -> str:
        rate = f"rate({self.of.text('_bucket')}[{self.minutes}m])"
        return f"histogram_quantile({self.share}, {self.of.added(rate, ('le',))})"

    def at(self, kept: Kept, back: int) -> Vector:
        before = kept.buckets(self.of, back + self.minutes * PER_MINUTE)
        after = kept.buckets(self.of, back)
        counts = [late - early for late, early in zip(after, before, strict=True)]
        edges = _METRICS[self.of.metric].buckets
        return {(): quantile(counts, edges, self.share)} if any(counts) else {}


@attrs.frozen
class Over:
    """`part` divided by `whole`."""

    part: Expression
    whole: Expression

    @property
    def series(self) -> tuple[Series, ...]:
        return (*self.part.series, *self.whole.series)

    @property
    def text(self) -> str:
        return f"{self.part.text} / {self.whole.text}"

    def at(self, kept: Kept, back: int) -> Vector:
        whole = self.whole.at(kept, back)
        parts = self.part.at(kept, back)
        return {at: _divided(part, whole[at]) for at, part in parts.items() if at in whole}


@attrs.frozen
class Plus:
    one: Expression
    other: Expression

    @property
    def series(self) -> tuple[Series, ...]:
        return (*self.one.series, *self.other.series)

    @property
    def text(self) -> str:
        return f"({self.one.text} + {self.other.text})"

    def at(self, kept: Kept, back: int) -> Vector:
        other = self.other.at(kept, back)
        return {at: n + other[at] for at, n in self.one.at(kept, back).items() if at in other}


@attrs.frozen
class Compared:
    """The groups whose value passes. `written`: the number as the rule writes it."""

    of: Expression
    sign: str
    number: float
    written: str = ""

    @property
    def series(self) -> tuple[Series, ...]:
        return self.of.series

    @property
    def text(self) -> str:
        return f"{self.of.text} {self.sign} {self.written or f'{self.number:g}'}"

    def at(self, kept: Kept, back: int) -> Vector:
        passes = _OPERATORS[self.sign]
        found = self.of.at(kept, back)
        return {at: value for at, value in found.items() if passes(value, self.number)}


def Above(of: Expression, number: float, written: str = "") -> Compared:  # noqa: N802  # as a class
    return Compared(of, ">", number, written)


@attrs.frozen
class Both:
    """The groups that all have, with the first one's value."""

    of: tuple[Expression, ...]

    @property
    def series(self) -> tuple[Series, ...]:
        return tuple(series for each in self.of for series in each.series)

    @property
    def text(self) -> str:
        return " and ".join(each.text for each in self.of)

    def at(self, kept: Kept, back: int) -> Vector:
        found = self.of[0].at(kept, back)
        for each in self.of[1:]:
            if not found:
                return found
            others = each.at(kept, back)
            found = {at: value for at, value in found.items() if at in others}
        return found


@attrs.frozen
class Either:
    """The groups that one of them has."""

    of: tuple[Expression, ...]

    @property
    def series(self) -> tuple[Series, ...]:
        return tuple(series for each in self.of for series in each.series)

    @property
    def text(self) -> str:
        return " or ".join(each.text for each in self.of)

    def at(self, kept: Kept, back: int) -> Vector:
        found: dict[Labels, float] = {}
        for each in reversed(self.of):
            found.update(each.at(kept, back))
        return found


def span(seconds: int) -> str:
    """A time as Prometheus writes it."""
    if seconds % 3600:
        return f"{seconds // 60}m"
    return "1d" if seconds == 86400 else f"{seconds // 3600}h"


def _divided(part: float, whole: float) -> float:
    """Nothing of nothing is no number, and passes no comparison (IEEE 754)."""
    if whole == 0:
        return math.nan if part == 0 else math.inf
    return part / whole
