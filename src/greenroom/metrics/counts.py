"""Numbers for operators in Prometheus format: an observer that counts, and gauges read at a scrape.

What happens is counted in plain dicts, in one thread; what *is* (backlog, mailboxes,
phases) is read only at a scrape. Each runtime has its own; nothing is global.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from operator import attrgetter
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from greenroom.delivery.events.kinds import EventClass, Kind, class_of
from greenroom.delivery.observer import (
    Breaker,
    Dropped,
    EmitRefusal,
    Observer,
    ReportedStage,
    RunOutcome,
    Sought,
)
from greenroom.metrics.alerting.expressions import Series
from greenroom.metrics.alerting.judging import SERIES, Amount
from greenroom.metrics.last_hour import TIMES, LastHour, Totals, Watched
from greenroom.metrics.table import METRICS, PREFIX, Labels, Metric, Values
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.transport.protocol.close_codes import MEANINGS

if TYPE_CHECKING:
    from greenroom.delivery.events.policy import LetterLevel
    from greenroom.delivery.events.record import Record

N = TypeVar("N")

MOST_SERIES = 200
"""Label sets of one metric. Further ones count under `other`."""

CLOSE_CODES = frozenset({*MEANINGS, 1000, 1003, 1005, 1006, 1011})


_COUNTED: Final = (
    ("accepted", "events_accepted"),
    ("sent", "events_sent"),
    ("received", "events_received"),
    ("displayed", "events_displayed"),
    ("retried", "event_retries"),
    ("given_up", "events_dead_lettered"),
    ("runs_ended", "runs_ended"),
)

_labels_of: Final = attrgetter("kind", "event_class")


NOTED: Final = 256
"""Appends, or accepted events, that are noted before they are counted."""

_LIVE: Final = ("false",)
_REPLAYED: Final = ("true",)


class Counts:
    """One counter or gauge, a number for each of its labels."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[Labels, float] = dict.fromkeys(metric.known, 0)

    def add(self, *labels: str, by: float = 1) -> None:
        if labels in self.values:
            self.values[labels] += by
        else:
            key = bounded(self.values, labels)
            self.values[key] = self.values.get(key, 0) + by


class Spread:
    """How many values fell in each bucket of a histogram, and their sum."""

    __slots__ = ("_edges", "counts", "sum")

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """`le` means less or equal, so a value on the edge falls in the bucket below."""
        self.counts[bisect_left(self._edges, value)] += times
        self.sum += value * times

    def observe_all(self, values: Sequence[float]) -> None:
        """Each of the values once."""
        for place, times in Counter(map(partial(bisect_left, self._edges), values)).items():
            self.counts[place] += times
        self.sum += sum(values)


class Buckets:
    """One histogram: the spread of its values, for each of its labels."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        edges = self._edges = metric.buckets
        self._none = (0,) * (len(edges) + 1)
        self.spreads: dict[Labels, Spread] = {each: Spread(edges) for each in metric.known}

    def observe(self, value: float, *labels: str, times: int = 1) -> None:
        self.of(*labels).observe(value, times)

    def of(self, *labels: str) -> Spread:
        """The numbers of these labels."""
        spread = self.spreads.get(labels)
        if spread is None:
            spread = self.spreads.setdefault(bounded(self.spreads, labels), Spread(self._edges))
        return spread

    def total(self, group_of: Callable[[Labels], Labels | None] = tuple) -> Sequence[int]:
        """How many fell in each bucket, of the labels that have a group."""
        spreads = self.spreads.items()
        chosen = [each.counts for labels, each in spreads if group_of(labels) is not None]
        return tuple(sum(bucket) for bucket in zip(*chosen, strict=True)) or self._none


class Metrics(Observer, Collector):
    """Counts what it observes and shows it to Prometheus, with the gauges that `look` reads then.

    It may be registered with a registry of an embedding service's own (`registry.register`).
    """

    def __init__(
        self, look: Callable[[], Values] = dict, at_hand: Callable[[], Values] = dict
    ) -> None:
        """`at_hand`: those gauges that cost next to nothing to read."""
        self._look, self._at_hand = look, at_hand
        self._counts = {m.name: Counts(m) for m in METRICS if m.type != "histogram"}
        self._buckets = {m.name: Buckets(m) for m in METRICS if m.type == "histogram"}
        self._counts["build_info"].add(_version())
        # Counted for each event or frame: all their labels are known, as `METRICS` lists them.
        self._counting = Lock()
        self._newly_accepted: list[tuple[Kind, EventClass]] = []
        self._new_appends: list[tuple[float, int, int]] = []
        self._accepted = self._counts["events_accepted"].values
        self._received = self._counts["events_received"]  # maybe a `superseded`, which is not known
        self._sent = self._counts["events_sent"].values
        self._sent_bytes = self._counts["sent_bytes"].values
        self._append_seconds = self._buckets["journal_append_seconds"].of()
        self._append_entries = self._buckets["journal_append_entries"].of()
        self._appended_bytes = self._counts["journal_appended_bytes"].values
        self._received_seconds = self._buckets["event_received_seconds"].spreads
        edges = {name: self._buckets[f"event_{name}"].metric.buckets for name in TIMES}
        self.hour: LastHour = LastHour(self.totals, edges)
        self.registry: CollectorRegistry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        """The text and its type: OpenMetrics if `accept` has it, otherwise Prometheus text."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def collect(self) -> Iterable[Family]:
        """Called at every scrape, by a registry."""
        self._count_noted()
        seen = self._look()
        return [*self._numbers(seen), *(_histogram(each) for each in self._buckets.values())]

    def describe(self) -> Iterable[Family]:
        """Called by a registry to learn the names; looks at nothing."""
        return [*self._numbers({}), *(_histogram(each) for each in self._buckets.values())]

    def totals(self) -> Totals:
        """The sums over all labels of what the last hour shows."""
        self._count_noted()
        counted = {name: sum(self._counts[metric].values.values()) for name, metric in _COUNTED}
        breakers = self._counts["breakers"].values
        levels = {
            "ready": sum(breakers.values()),
            "breakers_open": sum(breakers.values()) - breakers[("closed",)],
            "runs": sum(self._counts["runs_live"].values.values()),
        }
        buckets = {name: self._buckets[f"event_{name}"].total() for name in TIMES}
        return Totals(counted, levels, buckets, self._watched())

    def _watched(self) -> Watched:
        at_hand = self._at_hand()
        return tuple(self._amount(series, at_hand) for series in SERIES)

    def _amount(self, series: Series, at_hand: Values) -> Amount:
        if series.metric in self._buckets:
            return self._buckets[series.metric].total(series.group_of)
        if series.metric == "connections":  # of those that are ready: each has a breaker
            return sum(self._counts["breakers"].values.values())
        values = at_hand.get(series.metric) or self._counts[series.metric].values
        total = series.total(values)
        return total if series.by else total[()]

    def so_far(self) -> Values:
        """The counters since the start, and the gauges that are kept as counts."""
        self._count_noted()
        return {name: counts.values for name, counts in self._counts.items()}

    def _numbers(self, seen: Values) -> Iterator[Family]:
        for name, counts in self._counts.items():
            yield _number(counts.metric, {**counts.values, **seen.get(name, {})})

    # Events

    def accepted(self, records: Sequence[Record]) -> None:
        self._newly_accepted.extend(map(_labels_of, records))
        if len(self._newly_accepted) >= NOTED:
            self._count_noted()

    def emit_refused(self, reason: EmitRefusal, events: int = 1) -> None:
        self._counts["emits_refused"].add(reason, by=events)

    def sent(self, events: int, size: int, *, replay: bool) -> None:
        labels = _REPLAYED if replay else _LIVE
        self._sent[labels] += events
        self._sent_bytes[labels] += size

    def received(self, kind: Kind, seconds: float, events: int = 1) -> None:
        labels = kind, event_class = kind, class_of(kind)
        if labels in self._received.values:
            self._received.values[labels] += events
        else:
            self._received.add(*labels, by=events)
        self._received_seconds[event_class,].observe(seconds, events)

    def displayed(self, kind: Kind, seconds: float) -> None:
        self._marked("displayed", kind, seconds)

    def confirmed(self, kind: Kind, seconds: float) -> None:
        self._marked("confirmed", kind, seconds)

    def _marked(self, stage: ReportedStage, kind: Kind, seconds: float) -> None:
        self._counts[f"events_{stage}"].add(kind, class_of(kind))
        self._buckets[f"event_{stage}_seconds"].observe(seconds, class_of(kind))

    def superseded(self, events: int) -> None:
        self._counts["events_superseded"].add(by=events)

    def retried(self, kind: Kind, events: int = 1) -> None:
        self._counts["event_retries"].add(kind, class_of(kind), by=events)

    def expired(self, kind: Kind, events: int = 1) -> None:
        self._counts["events_expired"].add(kind, class_of(kind), by=events)

    def dead_lettered(self, kind: Kind, level: LetterLevel, events: int = 1) -> None:
        self._counts["events_dead_lettered"].add(kind, class_of(kind), level, by=events)

    def report_refused(self, stage: ReportedStage) -> None:
        self._counts["reports_refused"].add(stage)

    def breaker_moved(self, old: Breaker | None, new: Breaker | None) -> None:
        if old is not None:
            self._counts["breakers"].add(old, by=-1)
        if new is not None:
            self._counts["breakers"].add(new)
            self._counts["breaker_moves"].add(new)

    # Runs and ids

    def run_started(self) -> None:
        self._counts["runs_live"].add()

    def run_ended(self, outcome: RunOutcome, seconds: float) -> None:
        self._counts["runs_live"].add(by=-1)
        self._counts["runs_ended"].add(outcome)
        self._buckets["run_seconds"].observe(seconds, outcome)

    def id_mismatch(self, expected: str, given: str) -> None:
        is_long = given.startswith("a string of ")  # one series, whatever lengths clients send
        self._counts["id_mismatches"].add(expected, "a long string" if is_long else given)

    def lookup_failed(self, wanted: Sought) -> None:
        self._counts["lookups_failed"].add(wanted)

    # The journal

    def appended(self, seconds: float, entries: int, size: int) -> None:
        self._new_appends.append((seconds, entries, size))
        if len(self._new_appends) >= NOTED:
            self._count_noted()

    def _count_noted(self) -> None:
        """Count what was only noted when it happened: many at once take a tenth of the steps. A
        registry of an embedding service may ask in another thread while more is noted."""
        with self._counting:
            for labels, events in Counter(_taken(self._newly_accepted)).items():
                self._accepted[labels] += events
            if appends := _taken(self._new_appends):
                seconds, entries, sizes = zip(*appends, strict=True)
                self._append_seconds.observe_all(seconds)
                self._append_entries.observe_all(entries)
                self._appended_bytes[()] += sum(sizes)

    def append_failed(self, error: str) -> None:
        self._counts["journal_appends_failed"].add(error)

    def looked_up(self, seconds: float) -> None:
        self._buckets["journal_lookup_seconds"].observe(seconds)

    def swept(self, seconds: float, events: int, sessions: int) -> None:
        self._buckets["journal_sweep_seconds"].observe(seconds)
        self._counts["journal_events_forgotten"].add(by=events)
        self._counts["journal_sessions_forgotten"].add(by=sessions)

    # Connections

    def connection_opened(self) -> None:
        self._counts["connections_opened"].add()

    def connection_ready(self, seconds: float) -> None:
        self._buckets["connection_ready_seconds"].observe(seconds)

    def connection_closed(self, code: int, *, by_server: bool) -> None:
        word = str(int(code)) if code in CLOSE_CODES else "other"
        self._counts["connections_closed"].add(word, "server" if by_server else "client")

    def frame_refused(self, code: int) -> None:
        self._counts["frames_refused"].add(str(int(code)))

    def request_refused(self, request: str, code: int) -> None:
        self._counts["requests_refused"].add(request, str(int(code)))

    def handshake_refused(self, status: int) -> None:
        self._counts["handshakes_refused"].add(str(status))

    def handshake_dropped(self, why: Dropped) -> None:
        self._counts["handshakes_dropped"].add(why)

    def keys_looked_at(self, *, readable: bool) -> None:
        self._counts["keys_unreadable"].values[()] = 0 if readable else 1

    # The process

    def crashed(self, report: CrashReport) -> None:
        """For a `CrashLog`: a child ended badly."""
        self._counts["crashes"].add("gave_up" if report.gave_up else "crash")

    def lagged(self, seconds: float) -> None:
        """The event loop ran a timer `seconds` late."""
        self._buckets["event_loop_lag_seconds"].observe(seconds)
        self.hour.second(seconds)


def bounded(known: Mapping[Labels, object], labels: Labels) -> Labels:
    """The labels, or `other` if they would exceed `MOST_SERIES`."""
    if labels in known or len(known) < MOST_SERIES:
        return labels
    return ("other",) * len(labels)


def _taken(noted: list[N]) -> list[N]:
    """What was noted up to now; what is noted meanwhile stays."""
    taken = noted[:]
    del noted[: len(taken)]
    return taken


def _number(metric: Metric, values: Mapping[Labels, float]) -> Family:
    cls = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    family = cls(PREFIX + metric.name, metric.about, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _histogram(buckets: Buckets) -> Family:
    metric = buckets.metric
    family = HistogramMetricFamily(PREFIX + metric.name, metric.about, labels=metric.labels)
    edges = [*(str(edge) for edge in metric.buckets), "+Inf"]
    for labels, spread in buckets.spreads.items():
        cumulative = zip(edges, accumulate(spread.counts), strict=True)
        family.add_metric(labels, list(cumulative), sum_value=spread.sum)
    return family


def _version() -> str:
    try:
        return version("greenroom")
    except PackageNotFoundError:
        return "unknown"
