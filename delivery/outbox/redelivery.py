"""When what a connection was sent is sent once more, and when that is given up (pure)."""

from __future__ import annotations

import attrs

from greenroom.delivery.outbox.breaker import (
    BREAKER,
    Circuit,
    Failures,
    Progressed,
    Retry,
    TimedOut,
)
from greenroom.supervisor.backoff import Backoff


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
