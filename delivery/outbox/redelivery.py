"""When unacknowledged events are sent again, and when their connection is given up (pure).

`Redelivery` is the clock of one connection. The breaker below it is a state machine: it counts
failed attempts, opens, lets one probe through after a delay, and closes with an acknowledgement.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

import attrs

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step, go, stay
from greenroom.actors.machine.table import On
from greenroom.supervisor.restarts import Backoff


@attrs.frozen
class Patience:
    """How long to wait for acknowledgements: `attempts` in all, including the first sending, each
    followed by a wait from `delays`. The circuit opens after `opens_at` failed attempts."""

    delays: Backoff = attrs.field(factory=lambda: Backoff(2.0, 10.0, jitter=0.2))
    attempts: int = 3
    opens_at: int = 2

    def __attrs_post_init__(self) -> None:
        if not 1 <= self.opens_at <= self.attempts:
            raise ValueError(
                f"`opens_at` must be from 1 to {self.attempts} (`attempts`), not {self.opens_at}"
            )

    @property
    def shortest(self) -> float:
        """Seconds of the shortest wait; half of the longest first one if chance may make it 0."""
        return self.delays.first * max(0.5, 1 - self.delays.jitter)


class Redelivery:
    """The clock of one connection. It runs while a sent event is not acknowledged.

    There is one deadline for all events; each new acknowledgement restarts it. Times are seconds
    of one monotonic clock.
    """

    __slots__ = ("_failures", "_patience", "circuit", "due", "since")

    def __init__(self, patience: Patience) -> None:
        self.circuit = Circuit.CLOSED
        self.due: float | None = None
        self.since = 0.0
        self._patience = patience
        self._failures = Failures(patience.opens_at, patience.attempts)

    @property
    def failures(self) -> int:
        """The number of attempts that failed in a row."""
        return self._failures.count

    def sent(self, now: float) -> None:
        """Events were sent: start the clock, unless it is running."""
        if self.due is None:
            self.since = now
            self._wind(now)

    def progressed(self, now: float, *, waiting: bool) -> None:
        """A new event was acknowledged; `waiting`: other events are not acknowledged yet."""
        if self.failures:
            self._step(Progressed())
        self.due = None
        if waiting:
            self.sent(now)

    def postpone(self, now: float) -> None:
        """The delay is not the client's fault: wait again, as long as before."""
        self._wind(now)

    def time_out(self, now: float) -> Retry | None:
        """The deadline has passed. Return what to send; None while the circuit is open."""
        retry = self._step(TimedOut())
        self._wind(now)
        return retry

    def _wind(self, now: float) -> None:
        self.due = now + self._patience.delays.delay(self.failures + 1)

    def _step(self, event: TimedOut | Progressed) -> Retry | None:
        step = BREAKER.step(self.circuit, self._failures, event)
        self.circuit, self._failures = step.state or self.circuit, step.data
        return next((each for each in step.commands if isinstance(each, Retry)), None)


class Circuit(enum.Enum):
    """The states of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Retry(enum.Enum):
    """What to do about the unacknowledged events."""

    ALL = "all"
    PROBE = "probe"
    GIVE_UP = "give up"


@attrs.frozen
class TimedOut:
    """Nothing was acknowledged in time, or the circuit has been open for long enough."""


@attrs.frozen
class Progressed:
    """The client acknowledged something new."""


@attrs.frozen
class Failures:
    """Failed attempts in a row: the circuit opens after `opens_at`, and gives up after `most`."""

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
