"""What metrics see when they are asked: the tree, the users, the journal, as they are just now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from greenroom.actors.timers import Alarm, alarm_clock
from greenroom.metrics.table import Labels
from greenroom.supervisor.inspection.census import take_census

if TYPE_CHECKING:
    from greenroom.metrics.counts import Values
    from greenroom.runtime import Runtime
    from greenroom.transport.door.half_open import HalfOpen

LAG_EVERY = 1.0


def look_at(runtime: Runtime, half_open: HalfOpen | None) -> Values:
    """The gauges of a running runtime. Sends no message and waits for nobody."""
    return {
        **_of_tree(runtime),
        **_of_users(runtime),
        **_of_journal(runtime),
        **_of_half_open(half_open),
        "draining": _alone(runtime.draining),
    }


def _of_tree(runtime: Runtime) -> dict[str, Mapping[Labels, float]]:
    census = take_census(runtime.root)
    return {
        "connections": {
            (phase,): count
            for (machine, phase), count in census.phases.items()
            if machine == "connection"
        },
        "actors": {(name,): count for name, count in census.actors.items()},
        "mailbox_messages": {(name,): count for name, count in census.waiting.items()},
        "mailbox_deepest_messages": {(name,): count for name, count in census.deepest.items()},
        "restarts": _alone(runtime.restarts),
    }


def _of_users(runtime: Runtime) -> dict[str, Mapping[Labels, float]]:
    active = runtime.users.active()
    return {
        "users_active": _alone(len(active)),
        "backlog_events": _alone(sum(user.gauge.behind for user in active)),
        "backlog_bytes": _alone(sum(user.gauge.bytes_behind for user in active)),
    }


def _of_journal(runtime: Runtime) -> dict[str, Mapping[Labels, float]]:
    statistics = runtime.journal.statistics()
    return {
        "journal_bytes": _alone(statistics.bytes),
        "journal_waiting": _alone(statistics.waiting),
    }


def _of_half_open(half_open: HalfOpen | None) -> dict[str, Mapping[Labels, float]]:
    if half_open is None:
        return {}
    statistics = half_open.statistics()
    return {
        "half_open": _alone(statistics.waiting),
        "half_open_limit": _alone(statistics.limit),
    }


def _alone(value: float) -> Mapping[Labels, float]:
    return {(): value}


@contextmanager
def watching_lag(tell: Callable[[float], None], every: float = LAG_EVERY) -> Iterator[None]:
    """Tell how late a timer rings, every so many seconds: what a blocked event loop costs all."""
    alarm: Alarm

    def ring() -> None:
        nonlocal alarm
        late = trio.current_time() - alarm.deadline
        alarm = alarm_clock().set(every, ring)  # before anything that could fail
        tell(late)

    alarm = alarm_clock().set(every, ring)
    try:
        yield
    finally:
        alarm.cancel()
