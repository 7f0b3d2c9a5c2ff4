"""Gauges: what metrics read from the tree, the users and the journal at the moment of a scrape."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import attrs
import trio

from greenroom.actors.timers import Alarm, alarm_clock
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.user.users import Users
from greenroom.metrics.table import Labels, Values
from greenroom.supervisor.inspection.census import take_census
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.transport.door.half_open import HalfOpen

LAG_EVERY = 1.0


@attrs.frozen(kw_only=True)
class Gauges:
    """The parts of an open runtime that are counted. Reading them sends and awaits nothing."""

    root: StaticSupervisorRef
    users: Users
    journal: Journal
    half_open: HalfOpen
    restarts: Callable[[], int]
    draining: Callable[[], bool]
    wall_clock: Callable[[], float] = time.time

    def read(self) -> Values:
        """Every gauge by its name in the table of metrics."""
        return {
            **self._of_tree(),
            **self._of_users(),
            **self._of_journal(),
            **self._of_half_open(),
            "restarts": _alone(self.restarts()),
            "draining": _alone(self.draining()),
        }

    def _of_tree(self) -> Values:
        census = take_census(self.root)
        return {
            "connections": {
                (phase,): count
                for (machine, phase), count in census.phases.items()
                if machine == "connection"
            },
            "actors": {(name,): count for name, count in census.actors.items()},
            "mailbox_messages": {(name,): count for name, count in census.waiting.items()},
            "mailbox_deepest_messages": {(name,): count for name, count in census.deepest.items()},
        }

    def _of_users(self) -> Values:
        active = self.users.active()
        return {
            "users_active": _alone(len(active)),
            "backlog_events": _alone(sum(user.gauge.behind for user in active)),
            "backlog_bytes": _alone(sum(user.gauge.bytes_behind for user in active)),
        }

    def _of_journal(self) -> Values:
        statistics = self.journal.statistics()
        return {
            "journal_bytes": _alone(statistics.bytes),
            "journal_waiting": _alone(statistics.waiting),
            "journal_free_bytes": _alone(statistics.free_bytes),
            "journal_oldest_event_seconds": _alone(self._age_of(statistics.oldest_at)),
        }

    def _age_of(self, at: int | None) -> float:
        return 0.0 if at is None else max(0.0, self.wall_clock() - at / 1000)

    def _of_half_open(self) -> Values:
        statistics = self.half_open.statistics()
        return {
            "half_open": _alone(statistics.waiting),
            "half_open_limit": _alone(statistics.limit),
        }


def _alone(value: float) -> Mapping[Labels, float]:
    return {(): value}


@contextmanager
def watching_lag(tell: Callable[[float], None], every: float = LAG_EVERY) -> Iterator[None]:
    """Call `tell` every `every` seconds with the seconds by which its timer fired late.

    The lateness is what a blocked event loop costs every task.
    """
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
