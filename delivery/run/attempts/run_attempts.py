"""The part of `Run` that knows of earlier attempts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.run.attempts.steps import Steps
from greenroom.delivery.run.emitter import Emitter

T = TypeVar("T", bound=JSON)


class RunAttempts:
    """The part of `Run` that goes on after earlier attempts."""

    def __init__(self, emitter: Emitter, attempt: RunAttempt) -> None:
        self._attempt = attempt
        self._steps: Steps = Steps(emitter)

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1: more if the server was lost during earlier ones."""
        return self._attempt.number

    @property
    def goes_on(self) -> bool:
        """Whether another attempt may follow if the server is lost."""
        return self._attempt.goes_on

    async def step(self, key: str, function: Callable[[], Awaitable[T]]) -> T:
        """What `function()` returned for this key, in this attempt of the run or an earlier one;
        otherwise call it and record what it returns: JSON of at most 64 KiB.

        A run has at most one result for a key, and 1,000 keys with those of its sub-runs. A server
        that dies after the function has acted and before its result is recorded has the next
        attempt call it again. Raises what it raises, and then nothing is recorded; `BadStep`,
        `OutOfOrder`; `StepNotKept` if the journal refuses the result, or another `JournalError`.
        """
        return await self._steps.take(key, function)
