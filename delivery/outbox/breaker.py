"""A circuit breaker for one connection: what to do when its client does not acknowledge (pure).

closed → open → half-open → closed (or open again). Closed: everything is handed over, and what is
not acknowledged in time is sent once more. Open: nothing new. Half-open: one event, as a probe.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

import attrs

from greenroom.actors.machine.machine import Machine, On, Step, go, stay


class Circuit(enum.Enum):
    """The states of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Retry(enum.Enum):
    """What to do with what was not acknowledged."""

    ALL = "all"
    PROBE = "probe"
    GIVE_UP = "give up"


@attrs.frozen
class TimedOut:
    """Nothing was acknowledged in time, or the circuit was open for long enough."""


@attrs.frozen
class Progressed:
    """The client acknowledged something new."""


@attrs.frozen
class Failures:
    """How many attempts in a row failed; after `opens_at` it opens, after `most` it gives up."""

    opens_at: int
    most: int
    count: int = 0

    def one_more(self) -> Failures:
        return attrs.evolve(self, count=self.count + 1)


BreakerStep: TypeAlias = Step[Circuit, Failures, Retry]


def _unacknowledged(failures: Failures, _: TimedOut) -> BreakerStep:
    failures = failures.one_more()
    if failures.count >= failures.most:
        return stay(failures, Retry.GIVE_UP)
    if failures.count >= failures.opens_at:
        return go(Circuit.OPEN, failures)
    return stay(failures, Retry.ALL)


def _cooled_down(failures: Failures, _: TimedOut) -> BreakerStep:
    return go(Circuit.HALF_OPEN, failures, Retry.PROBE)


def _probe_failed(failures: Failures, _: TimedOut) -> BreakerStep:
    failures = failures.one_more()
    if failures.count >= failures.most:
        return stay(failures, Retry.GIVE_UP)
    return go(Circuit.OPEN, failures)


def _progressed(failures: Failures, _: Progressed) -> BreakerStep:
    return go(Circuit.CLOSED, attrs.evolve(failures, count=0))


CLOSED, OPEN, HALF_OPEN = Circuit

BREAKER: Machine[Circuit, Failures, Retry] = Machine(
    name="breaker",
    states=Circuit,
    initial=CLOSED,
    transitions=[
        On(CLOSED, TimedOut, _unacknowledged, to={OPEN}),
        On(OPEN, TimedOut, _cooled_down, to={HALF_OPEN}),
        On(HALF_OPEN, TimedOut, _probe_failed, to={OPEN}),
        On({CLOSED, OPEN, HALF_OPEN}, Progressed, _progressed, to={CLOSED}),
    ],
)
