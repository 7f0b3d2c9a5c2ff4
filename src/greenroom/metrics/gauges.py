"""Gauges: what metrics read from the tree, the users and the journal at the moment of a scrape."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs
import trio

from greenroom.actors.timers import Alarm, alarm_clock
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.users import Users
from greenroom.metrics.table import Labels, Values
from greenroom.supervisor.inspection.census import Census, Fullness, counting, take_census
from greenroom.supervisor.inspection.slices import Slices
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.transport.door.half_open import HalfOpen

LAG_EVERY = 1.0


@attrs.frozen
class GaugesSeen:
    """Every gauge by its name in the table of metrics, and the fullest mailboxes."""

    values: Values
    fullest: Sequence[Fullness]


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
        census, behind = take_census(self.root), _Behind()
        for _ in behind.adding(self.users.active()):
            pass
        return self._all(census, behind)

    async def read_in_slices(self) -> GaugesSeen:
        """The same, with other tasks running in between."""
        census, behind, slices = Census(), _Behind(), Slices()
        await slices.go_through(counting(census, self.root))
        await slices.go_through(behind.adding(self.users.active()))
        return GaugesSeen(self._all(census, behind), tuple(census.fullest))

    def at_hand(self) -> Values:
        """Those that cost next to nothing to read."""
        return {
            **self._of_half_open(),
            "restarts": _alone(self.restarts()),
            "draining": _alone(self.draining()),
            "journal_unwritable": _alone(bool(self.journal.trouble)),
        }

    def _all(self, census: Census, behind: _Behind) -> Values:
        return {
            **_of_tree(census),
            "users_active": _alone(behind.users),
            "backlog_events": _alone(behind.events),
            "backlog_bytes": _alone(behind.bytes),
            **self._of_journal(),
            **self.at_hand(),
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


@attrs.define
class _Behind:
    """What live connections still have to get, and the users there are."""

    users: int = 0
    events: int = 0
    bytes: int = 0

    def adding(self, users: Iterable[UserHandle]) -> Iterator[None]:
        for user in users:
            self.users += 1
            self.events += user.gauge.behind
            self.bytes += user.gauge.bytes_behind
            yield


def _of_tree(census: Census) -> Values:
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
