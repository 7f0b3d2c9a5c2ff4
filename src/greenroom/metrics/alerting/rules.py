"""The rules of docs/alerts.yml as data (pure). A test holds them to that file, word by word."""

from __future__ import annotations

from typing import Final

import attrs

from greenroom.metrics.alerting.expressions import (
    Above,
    Appears,
    Both,
    Compared,
    Either,
    Expression,
    Increase,
    Now,
    Over,
    Plus,
    Quantile,
    Series,
)

MINUTE: Final = 60
MIB: Final = 1024 * 1024


@attrs.frozen
class AlertRule:
    """`hold`: the seconds for which `when` must be true before it fires. Without `when` this server
    cannot tell, and `elsewhere` says why."""

    name: str
    severity: str
    when: Expression | None
    hold: int = 0
    elsewhere: str = ""


def _rise(minutes: int, metric: str, *where: tuple[str, str, tuple[str, ...]]) -> Increase:
    return Increase(Series(metric, where), minutes)


def _rise_by(label: str, minutes: int, metric: str, *values: str) -> Increase:
    return Increase(Series(metric, ((label, "=~", values),), (label,)), minutes)


def _one(label: str, value: str) -> tuple[str, str, tuple[str, ...]]:
    return (label, "=", (value,))


def _any(label: str, *values: str) -> tuple[str, str, tuple[str, ...]]:
    return (label, "=~", values)


_ACCEPTED_10: Final = _rise(10, "events_accepted")
_ACCEPTED_15: Final = _rise(15, "events_accepted")
_CLOSED: Final = _rise(10, "connections_closed")
_SILENT: Final = _rise(10, "connections_closed", _one("code", "4101"))
_RETRIES: Final = _rise(10, "event_retries")
_REFUSED: Final = _rise(10, "handshakes_refused")
_FAILED: Final = _rise(15, "runs_ended", _any("outcome", "crash", "timeout", "lost"))
_ENDED: Final = _rise(15, "runs_ended")
_SOMEONE_READY: Final = Above(Now(Series("connections", (_one("phase", "ready"),)), added=True), 0)

DELIVERY: Final = (
    AlertRule(
        "GreenroomDown", "critical", None, 2 * MINUTE, "another server has to notice its absence"
    ),
    AlertRule(
        "GreenroomEventsUnreceived",
        "critical",
        Both(
            (
                Above(_ACCEPTED_10, 20),
                Compared(_rise(10, "events_received"), "==", 0),
                _SOMEONE_READY,
            )
        ),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomEventsNotSent",
        "critical",
        Both(
            (Above(_ACCEPTED_10, 20), Compared(_rise(10, "events_sent"), "==", 0), _SOMEONE_READY)
        ),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomDeliveryRateLow",
        "warning",
        Both(
            (
                Compared(Over(_rise(15, "events_received"), _ACCEPTED_15), "<", 0.9),
                Above(_ACCEPTED_15, 100),
                _SOMEONE_READY,
            )
        ),
        15 * MINUTE,
    ),
    AlertRule(
        "GreenroomEventsLate",
        "warning",
        Both(
            (
                Above(
                    Quantile(
                        0.95, Series("event_received_seconds", (_one("class", "critical"),)), 10
                    ),
                    30,
                ),
                Above(_rise(10, "events_received"), 100),
            )
        ),
        15 * MINUTE,
    ),
    AlertRule(
        "GreenroomDeadLetters",
        "critical",
        Above(_rise(15, "events_dead_lettered", _one("level", "critical")), 0),
    ),
    AlertRule(
        "GreenroomUsersDoNotReturn",
        "warning",
        None,
        elsewhere="it compares a day, and an hour is kept",
    ),
    AlertRule(
        "GreenroomCriticalEventsExpired",
        "warning",
        Above(_rise(15, "events_expired", _one("class", "critical")), 0),
    ),
    AlertRule(
        "GreenroomRetriesHigh",
        "warning",
        Both((Above(Over(_RETRIES, _ACCEPTED_10), 0.1), Above(_RETRIES, 20))),
        10 * MINUTE,
    ),
    AlertRule(
        "GreenroomBreakersOpen",
        "warning",
        Above(_rise(10, "breaker_moves", _one("to", "open")), 10),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomIsolationViolation",
        "critical",
        Above(_rise(60, "connections_closed", _one("code", "4505")), 0),
    ),
)

JOURNAL_AND_AGENTS: Final = (
    AlertRule(
        "GreenroomIdMismatches",
        "warning",
        Appears(Series("id_mismatches", (), ("expected", "given")), 10),
    ),
    AlertRule(
        "GreenroomLookupsFailing",
        "warning",
        Above(_rise_by("wanted", 10, "lookups_failed", "session", "run", "thread", "event"), 50),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomUsersUnavailable",
        "critical",
        Above(_rise_by("wanted", 10, "lookups_failed", "user", "journal"), 0),
    ),
    AlertRule("GreenroomJournalFailing", "critical", Appears(Series("journal_appends_failed"), 5)),
    AlertRule(
        "GreenroomJournalUnwritable",
        "critical",
        Compared(Now(Series("journal_unwritable")), "==", 1),
    ),
    AlertRule(
        "GreenroomJournalSlow",
        "warning",
        Above(Quantile(0.99, Series("journal_append_seconds"), 5), 0.25),
        10 * MINUTE,
    ),
    AlertRule(
        "GreenroomEmitsRefused",
        "critical",
        Above(_rise(10, "emits_refused", _any("reason", "journal", "unavailable")), 0),
    ),
    AlertRule(
        "GreenroomAgentsBreakGrammar",
        "warning",
        Above(_rise(10, "emits_refused", _any("reason", "bad_event", "out_of_order")), 0),
    ),
    AlertRule(
        "GreenroomRunsFailing",
        "warning",
        Both((Above(Over(_FAILED, _ENDED), 0.1), Above(_ENDED, 20))),
        10 * MINUTE,
    ),
    AlertRule("GreenroomRestartStorm", "critical", Above(_rise(5, "restarts"), 10)),
    AlertRule("GreenroomCrashLoop", "warning", Above(_rise(10, "restarts"), 1)),
    AlertRule(
        "GreenroomSupervisorGaveUp",
        "critical",
        Above(_rise(15, "crashes", _one("kind", "gave_up")), 0),
    ),
)

CONNECTIONS_AND_PROCESS: Final = (
    AlertRule(
        "GreenroomHeartbeatCloses",
        "warning",
        Both((Above(Over(_SILENT, _CLOSED), 0.2), Above(_SILENT, 10))),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomSlowClients",
        "warning",
        Above(_rise(10, "connections_closed", _one("code", "4103")), 10),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomForgedReports", "warning", Above(_rise(10, "reports_refused"), 20), 5 * MINUTE
    ),
    AlertRule(
        "GreenroomHandshakesRefused",
        "warning",
        Both(
            (
                Above(Over(_REFUSED, Plus(_REFUSED, _rise(10, "connections_opened"))), 0.2),
                Above(_REFUSED, 20),
            )
        ),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomHalfOpenFull",
        "warning",
        Either(
            (
                Above(_rise(5, "handshakes_dropped", _one("why", "crowded_out")), 0),
                Above(Over(Now(Series("half_open")), Now(Series("half_open_limit"))), 0.8),
            )
        ),
    ),
    AlertRule(
        "GreenroomKeysUnreadable",
        "warning",
        Compared(Now(Series("keys_unreadable")), "==", 1),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomEventLoopBlocked",
        "critical",
        Above(Quantile(0.95, Series("event_loop_lag_seconds"), 5), 0.25),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomMailboxDeep",
        "warning",
        Above(Now(Series("mailbox_deepest_messages", (), ("actor",))), 500),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomBacklogHigh",
        "warning",
        Above(Now(Series("backlog_bytes")), 256 * MIB, "256 * 1024 * 1024"),
        5 * MINUTE,
    ),
    AlertRule(
        "GreenroomDrainStuck", "warning", Compared(Now(Series("draining")), "==", 1), 5 * MINUTE
    ),
)

ALERT_RULES: Final = (*DELIVERY, *JOURNAL_AND_AGENTS, *CONNECTIONS_AND_PROCESS)

WALKED: Final = frozenset({"mailbox_deepest_messages", "backlog_bytes"})
"""Gauges that cost a walk over all users: they are read when someone looks, and not kept."""
