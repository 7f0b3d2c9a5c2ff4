"""Every metric greenroom exports, as data (pure). docs/metrics.md is made of it.

Names follow Prometheus' practice: one prefix, base units in the name, `_total` on counters. No
label ever names a user, a run or anything else without a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

from greenroom.delivery.events.kinds import Kind, class_of
from greenroom.delivery.events.policy import LEVELS

PREFIX = "greenroom_"

Type: TypeAlias = Literal["counter", "gauge", "histogram"]
Labels: TypeAlias = tuple[str, ...]
Values: TypeAlias = Mapping[str, Mapping[Labels, float]]
"""Numbers by the metric's name and labels."""


@attrs.frozen
class Metric:
    """`known`: label values that start at 0, so that a first rise is seen."""

    name: str
    type: Type
    about: str
    labels: Labels = ()
    known: tuple[Labels, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exported(self) -> str:
        """The name as queries use it; a histogram's ends in `_bucket`, `_count` or `_sum`."""
        return f"{PREFIX}{self.name}{'_total' if self.type == 'counter' else ''}"


def counter(name: str, about: str, labels: Labels = (), known: tuple[Labels, ...] = ()) -> Metric:
    return Metric(name, "counter", about, labels, known or (() if labels else ((),)))


def gauge(name: str, about: str, labels: Labels = (), known: tuple[Labels, ...] = ()) -> Metric:
    return Metric(name, "gauge", about, labels, known)


def histogram(
    name: str,
    about: str,
    buckets: tuple[float, ...],
    labels: Labels = (),
    known: tuple[Labels, ...] = (),
) -> Metric:
    return Metric(name, "histogram", about, labels, known or (() if labels else ((),)), buckets)


def one(*values: str) -> tuple[Labels, ...]:
    """The known values of a single label."""
    return tuple((value,) for value in values)


EVENTS = tuple((kind.value, class_of(kind).value) for kind in Kind if kind is not Kind.SUPERSEDED)
LETTERS = tuple((*event, level) for event in EVENTS for level in LEVELS)
KIND = ("kind", "class")
CLASSES = one("critical", "progress")

DELIVERY = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
)
VERDICT = (1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 3600.0, 86400.0)
READY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
DISK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
RUN_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 900.0)
LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
BATCH = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0)

METRICS = (
    # Events
    counter("events_accepted", "Events that became durable.", KIND, EVENTS),
    counter(
        "emits_refused",
        "Emits that raised: `bad_event`, `out_of_order`, `journal`, `unavailable`.",
        ("reason",),
        one("bad_event", "out_of_order", "journal", "unavailable"),
    ),
    counter(
        "events_sent",
        "Events written to sockets, each as often as it was written; `replay` is what a resuming "
        "connection had missed.",
        ("replay",),
        one("false", "true"),
    ),
    counter(
        "sent_bytes",
        "Bytes of the events written to sockets.",
        ("replay",),
        one("false", "true"),
    ),
    counter("events_received", "Events that a first session acknowledged.", KIND, EVENTS),
    counter("events_displayed", "Events that a first session displayed.", KIND, EVENTS),
    counter("events_confirmed", "Events that a first session confirmed.", KIND, EVENTS),
    counter("events_expired", "Events that no session acknowledged in time.", KIND, EVENTS),
    counter(
        "events_dead_lettered",
        "Events given up. `level` is `critical` where a client was connected, otherwise what the "
        "policy says of users who are away.",
        (*KIND, "level"),
        LETTERS,
    ),
    counter("events_superseded", "Progress events folded for slow connections."),
    counter("event_retries", "Events sent again because no ack came.", KIND, EVENTS),
    histogram(
        "event_received_seconds", "From accepted to acknowledged.", DELIVERY, ("class",), CLASSES
    ),
    histogram(
        "event_displayed_seconds", "From accepted to displayed.", DELIVERY, ("class",), CLASSES
    ),
    histogram(
        "event_confirmed_seconds", "From accepted to confirmed.", VERDICT, ("class",), CLASSES
    ),
    counter(
        "reports_refused",
        "Acks, displayeds and confirms of events that were not sent there: forged, or a bug.",
        ("stage",),
        one("received", "displayed", "confirmed"),
    ),
    gauge("backlog_events", "Events the slowest connection of each user still has to get."),
    gauge("backlog_bytes", "Bytes that live connections still have to get."),
    gauge(
        "breakers",
        "Connections by the state of their circuit breaker.",
        ("state",),
        one("closed", "half_open", "open"),
    ),
    counter(
        "breaker_moves",
        "Circuit breakers that came into a state.",
        ("to",),
        one("closed", "half_open", "open"),
    ),
    # Users, runs, ids
    gauge("users_active", "Users with a subtree: connected, with a run, or recently idle."),
    gauge("runs_live", "Runs in progress in this process."),
    counter(
        "runs_ended",
        "Runs by outcome, without those of an earlier process.",
        ("outcome",),
        one("ok", "cancelled", "crash", "timeout", "lost"),
    ),
    histogram("run_seconds", "How long runs took.", RUN_SECONDS, ("outcome",)),
    counter(
        "id_mismatches",
        "Ids of another kind than expected.",
        ("expected", "given"),
        (("run", "user"), ("thread", "run"), ("user", "run"), ("user", "thread")),
    ),
    counter(
        "lookups_failed",
        "What was named and not found: a session to resume, a run to cancel, a thread to page "
        "through, an event; a user that could not be served; `journal`: a question it failed at.",
        ("wanted",),
        one("session", "run", "thread", "event", "user", "journal"),
    ),
    # Connections
    gauge(
        "connections",
        "Connections by phase.",
        ("phase",),
        one("accepting", "authenticated", "ready", "closed"),
    ),
    counter("connections_opened", "Sockets upgraded."),
    counter(
        "connections_closed",
        "Sockets closed, by close code and the side that sent it; 1006 when neither did.",
        ("code", "by"),
        (
            *(("1000", "client"), ("1001", "server"), ("4101", "server"), ("4103", "server")),
            *(("4105", "server"), ("4505", "server")),
        ),
    ),
    histogram("connection_ready_seconds", "From upgraded to ready.", READY),
    counter(
        "handshakes_refused",
        "Upgrades answered with an HTTP status instead of a socket.",
        ("status",),
        one("400", "401", "403", "426", "429", "503"),
    ),
    counter(
        "handshakes_dropped",
        "Peers dropped before an answer: `too_late`, or `crowded_out` by newer ones.",
        ("why",),
        one("too_late", "crowded_out"),
    ),
    gauge(
        "journal_unwritable",
        "1 while the journal cannot be written: `/readyz` says why, and emits raise.",
    ),
    gauge("half_open", "Sockets that wait for their upgrade."),
    gauge("half_open_limit", "The most sockets that may wait for their upgrade."),
    gauge(
        "keys_unreadable",
        "1 if the last attempt to read the JWKS file failed.",
        known=((),),
    ),
    counter(
        "frames_refused",
        "Frames that broke the protocol or a limit, by code.",
        ("code",),
        one("1009", "4502", "4507"),
    ),
    counter(
        "requests_refused",
        "Requests answered with an error or a close, by frame type and code.",
        ("request", "code"),
        (
            *((each, "4105") for each in ("say", "cancel", "history")),
            *(("refresh", "4500"), ("refresh", "4503"), ("cancel", "4502")),
        ),
    ),
    # The journal
    histogram("journal_append_seconds", "One commit of the journal.", DISK),
    histogram("journal_append_entries", "Entries of one commit.", BATCH),
    counter("journal_appended_bytes", "Bytes of event bodies appended."),
    counter(
        "journal_appends_failed",
        "Commits refused, by error.",
        ("error",),
        one("JournalFailed", "JournalFull"),
    ),
    histogram("journal_lookup_seconds", "One question to the journal.", DISK),
    gauge("journal_bytes", "Bytes that the journal takes, on disk or in memory."),
    gauge("journal_free_bytes", "Bytes in the journal's file that are free to be used again."),
    gauge(
        "journal_oldest_event_seconds", "The age of the oldest event that is kept; 0 if none is."
    ),
    histogram("journal_sweep_seconds", "How long a step of retention held the journal.", DISK),
    counter("journal_events_forgotten", "Events that retention has forgotten."),
    counter("journal_sessions_forgotten", "Sessions that retention has forgotten."),
    gauge("journal_waiting", "Calls that wait for the journal's storage."),
    # The process
    gauge("actors", "Actors alive, by class.", ("actor",)),
    gauge("mailbox_messages", "Messages waiting in all mailboxes of a class.", ("actor",)),
    gauge("mailbox_deepest_messages", "Messages waiting in its fullest mailbox.", ("actor",)),
    counter("restarts", "Children that supervisors restarted."),
    counter(
        "crashes",
        "Children that ended badly; `gave_up`: a supervisor whose restarts were used up.",
        ("kind",),
        one("crash", "gave_up"),
    ),
    histogram("event_loop_lag_seconds", "How late a timer rang, once a second.", LAG),
    gauge("draining", "1 while the server drains."),
    gauge("build_info", "Always 1; the version is a label.", ("version",)),
)


def metrics_table() -> str:
    """The metrics as a Markdown table."""
    head = "| metric | type | labels | what it is |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{metric.exported}` | {metric.type} "
        f"| {', '.join(f'`{label}`' for label in metric.labels) or '—'} | {metric.about} |\n"
        for metric in METRICS
    )
