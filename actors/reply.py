"""A one-shot answer: set once, by anyone, taken by one waiter or one callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import outcome
import trio

from greenroom.actors.guard import call_guarded

R = TypeVar("R")
ReplyOutcome = outcome.Value[R] | outcome.Error


_TAKEN: outcome.Value[Any] = outcome.Value(None)
"""In the place of an error that was raised: as any outcome, it can be unwrapped only once."""
_TAKEN.unwrap()


class Reply(Generic[R]):
    """Where an answer will be. Setting it a second time is ignored and returns False.

    `settled(reply)` is called once, when the answer is set. `abandoned` is True when the waiter
    was cancelled, so nobody will look: work for the answer may be skipped.
    """

    __slots__ = ("_outcome", "_then", "abandoned", "settled")

    def __init__(self, settled: Callable[[Reply[R]], None] | None = None) -> None:
        self._outcome: ReplyOutcome[R] | None = None
        self.settled: Callable[[Reply[R]], None] | None = settled
        self._then: Callable[[ReplyOutcome[R]], object] | None = None
        self.abandoned: bool = False

    @property
    def is_set(self) -> bool:
        return self._outcome is not None

    def succeed(self, value: R) -> bool:
        return self._set(outcome.Value(value))

    def fail(self, error: BaseException) -> bool:
        """The waiter gets `error` raised; give each reply an exception of its own."""
        return self._set(outcome.Error(error))

    def then(self, callback: Callable[[ReplyOutcome[R]], object]) -> None:
        """Call `callback(outcome)` once, now if the answer is there.

        Later it runs in the task of whoever answers: what it raises is logged there.
        Raises `trio.BusyResourceError` when somebody waits already.
        """
        if self._outcome is not None:
            callback(self._outcome)
        else:
            self._claim(callback)

    async def wait(self) -> R:
        """The answer, to one waiter; raises what `fail` was given. Cancelled, it may be repeated.

        Raises `trio.BusyResourceError` when somebody waits already.
        """
        result = await self.wait_outcome()
        if isinstance(result, outcome.Error):
            self._outcome = _TAKEN
        try:
            return result.unwrap()
        finally:
            del result  # the error's traceback holds this frame and its reply: a circle otherwise

    async def wait_outcome(self) -> ReplyOutcome[R]:
        """The answer as a value or an error, with nothing raised but this task's cancellation.

        Raises `trio.BusyResourceError` when somebody waits already.
        """
        if self._outcome is None:
            task = trio.lowlevel.current_task()
            self._claim(lambda _: trio.lowlevel.reschedule(task))
            self.abandoned = False
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        else:
            await trio.lowlevel.checkpoint()
        assert self._outcome is not None, "it is rescheduled by _set alone"
        return self._outcome

    def _claim(self, callback: Callable[[ReplyOutcome[R]], object]) -> None:
        if self._then is not None:
            raise trio.BusyResourceError("a reply has one waiter")
        self._then = callback

    def _set(self, result: ReplyOutcome[R]) -> bool:
        if self._outcome is not None:
            return False
        self._outcome = result
        then, self._then = self._then, None
        if self.settled is not None:
            self.settled(self)
        if then is not None:
            call_guarded("a callback of then() failed", then, result)
        return True

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._then = None
        self.abandoned = True
        return trio.lowlevel.Abort.SUCCEEDED
