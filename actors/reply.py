"""A one-shot answer: set once, by anyone, taken by one waiter or one callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import outcome
import trio

R = TypeVar("R")
Outcome = outcome.Value[R] | outcome.Error


class Reply(Generic[R]):
    """Where an answer will be. Setting it a second time is ignored and returns False."""

    __slots__ = ("_outcome", "_then", "abandoned")

    def __init__(self) -> None:
        self._outcome: Outcome[R] | None = None
        self._then: Callable[[Outcome[R]], object] | None = None
        self.abandoned = False  # the waiter was cancelled: nobody will look

    @property
    def is_set(self) -> bool:
        return self._outcome is not None

    def succeed(self, value: R) -> bool:
        return self.set(outcome.Value(value))

    def fail(self, error: BaseException) -> bool:
        """The waiter gets `error` raised; give each reply an exception of its own."""
        return self.set(outcome.Error(error))

    def then(self, callback: Callable[[Outcome[R]], object]) -> None:
        """Call `callback(outcome)` once, now if the answer is there. It must not raise."""
        if self._outcome is not None:
            callback(self._outcome)
        else:
            self._then = callback

    async def wait(self) -> R:
        """The answer; raises what `fail` was given."""
        if self._outcome is None:
            task = trio.lowlevel.current_task()
            self._then = lambda _: trio.lowlevel.reschedule(task)
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        else:
            await trio.lowlevel.checkpoint()
        assert self._outcome is not None
        return self._outcome.unwrap()

    def set(self, result: Outcome[R]) -> bool:
        """Set value or error alike; False if it was set before."""
        if self._outcome is not None:
            return False
        self._outcome = result
        if self._then is not None:
            self._then(result)
        return True

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._then = None
        self.abandoned = True
        return trio.lowlevel.Abort.SUCCEEDED
