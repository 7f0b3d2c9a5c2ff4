"""The attempts of a run: whose lost runs are taken up again, how often and when (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from greenroom.delivery.events.going_on import GoesOn, GoingOn
from greenroom.delivery.events.record import Record

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds from the beginning of the first attempt to that of the second, doubled after each."""


@attrs.frozen
class RunAttempt:
    """An attempt of a run that is about to begin, and where the run's texts go on.

    `goes_on`: if the attempt is lost, another one follows. `agent`: None for the one that answers
    users. `after`: seconds to wait first.
    """

    number: int = 1
    goes_on: bool = False
    agent: str | None = None
    pieces: int = 0
    thoughts: int = 0
    after: float = 0.0


FIRST: Final = RunAttempt()


@attrs.frozen
class WhenLost:
    """The agents whose lost runs are taken up again, each with the number of its attempts.

    `answering`: the agent that answers users. `queued`: workers begin its runs.
    """

    answering: str | None = None
    attempts: Mapping[str, int] = MappingProxyType({})
    queued: bool = False

    def first(self) -> RunAttempt:
        """The first attempt of a run for a user's message."""
        return RunAttempt(goes_on=self.answering in self.attempts)

    def goes_on(self, said: Record) -> GoesOn | None:
        """What is kept with a user's message, so that its run goes on."""
        if said.say is None or self.answering is None:
            return None
        if not self.queued and self.answering not in self.attempts:
            return None
        return GoesOn(said.user, said.run, self.answering, self.queued)

    def allows(self, run: GoingOn, tries: int) -> bool:
        """Whether one more attempt may follow after these `tries`."""
        return max(run.attempt, tries) < self.attempts.get(run.agent, 0)


def back_off(attempt: int) -> float:
    """Seconds from the beginning of the attempt before to that of this one."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 2)) if attempt > 1 else 0.0


def wait_before(run: GoingOn, now: int) -> float:
    """Seconds until the next attempt of the run may begin. `now`: ms; a clock that was set back
    makes no wait longer than the usual one."""
    whole = back_off(run.attempt + 1)
    return min(whole, max(0.0, run.at / 1000 + whole - now / 1000))
