"""When what a connection was sent is sent once more, and when that is given up (pure)."""

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
    """`attempts` in all, the first sending among them, each waited for as long as `delays` says;
    after `opens_at` of them the circuit opens."""

    delays: Backoff = attrs.field(factory=lambda: Backoff(2.0, 10.0, jitter=0.2))
    attempts: int = 3
    opens_at: int = 2

    def __attrs_post_init__(self) -> None:
        if not 1 <= self.opens_at <= self.attempts:
            raise ValueError(f"patience needs 1 <= opens_at <= attempts: {self}")


class Redelivery:
    """The clock of one connection. It runs while something sent is not acknowledged.

    One deadline for all of it: each acknowledgement of something new starts it anew. Times are
    seconds of one monotonic clock.
    """

    def __init__(self, patience: Patience) -> None:
        self.circuit = Circuit.CLOSED
        self.due: float | None = None
        self.since = 0.0
        self._patience = patience
        self._failures = Failures(patience.opens_at, patience.attempts)

    @property
    def failures(self) -> int:
        """Attempts in a row that failed."""
        return self._failures.count

    def sent(self, now: float) -> None:
        """Something is on its way."""
        if self.due is None:
            self.since = now
            self._wind(now)

    def progressed(self, now: float, *, waiting: bool) -> None:
        """Something new was acknowledged; `waiting`: not yet everything that was sent."""
        if self.failures:
            self._step(Progressed())
        self.due = None
        if waiting:
            self.sent(now)

    def postpone(self, now: float) -> None:
        """It is not the client's turn: wait once more, as long as before."""
        self._wind(now)

    def time_out(self, now: float) -> Retry | None:
        """The time is over. What to do; None while the circuit is open."""
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
