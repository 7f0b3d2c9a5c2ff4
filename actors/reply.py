"""A one-shot answer: set once, by any task, and taken by one waiter or one callback."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from threading import get_ident
from typing import Any, Generic, TypeVar

import outcome
import trio

from greenroom.actors.guard import call_guarded
from greenroom.actors.reactors.own_thread import WrongThread

R = TypeVar("R")
ReplyOutcome = outcome.Value[R] | outcome.Error


_TAKEN: outcome.Value[Any] = outcome.Value(None)
"""Replaces an error that was raised: as any outcome, that can be unwrapped only once."""
_TAKEN.unwrap()


class Reply(Generic[R]):
    """The place of an answer. Setting it a second time does nothing and returns False.

    It belongs to the thread that made it: to set it, or to wait for it, in another one raises
    `WrongThread`.

    `settled(reply)` is called once, when the answer is set. `abandoned` is True if the waiter was
    cancelled: the answer is not read, and work for it may be skipped.
    """

    __slots__ = ("_outcome", "_then", "_thread", "_waiter", "abandoned", "settled")

    def __init__(self, settled: Callable[[Reply[R]], None] | None = None) -> None:
        self._outcome: ReplyOutcome[R] | None = None
        self.settled: Callable[[Reply[R]], None] | None = settled
        self._then: Callable[[ReplyOutcome[R]], object] | None = None
        self._waiter: trio.lowlevel.Task | None = None
        self._thread = get_ident()
        self.abandoned: bool = False

    @property
    def is_set(self) -> bool:
        return self._outcome is not None

    def succeed(self, value: R) -> bool:
        return self._set(outcome.Value(value))

    def fail(self, error: BaseException) -> bool:
        """Raise `error` in the waiter. Give each reply an exception object of its own."""
        return self._set(outcome.Error(error))

    def then(self, callback: Callable[[ReplyOutcome[R]], object]) -> None:
        """Call `callback(outcome)` once the answer is set, or now if it is.

        Later, the callback runs in the task that sets the answer, and what it raises is logged.
        Raises `trio.BusyResourceError` if another waiter or callback is there already.
        """
        if self._outcome is not None:
            callback(self._outcome)
        else:
            self._check_free()
            self._then = callback

    async def wait(self) -> R:
        """Wait for the answer; raises the error given to `fail`. It may be repeated if cancelled.

        Raises `trio.BusyResourceError` if another waiter or callback is there already.
        """
        if self._outcome is None:
            self._enrol()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        else:
            await trio.lowlevel.checkpoint()
        result = self._outcome
        assert result is not None, "it is rescheduled by _set alone"
        if type(result) is outcome.Value:
            return result.value
        self._outcome = _TAKEN
        try:
            return result.unwrap()
        finally:
            del result  # the error's traceback holds this frame and its reply: a reference cycle

    @types.coroutine
    def by_hand(self) -> Generator[Reply[R], R, R]:
        """Wait for the answer in a coroutine that no task runs: it yields this reply, and goes on
        when the answer is sent into it (`greenroom.portal.emit_call`)."""
        return (yield self)

    async def wait_outcome(self) -> ReplyOutcome[R]:
        """Wait for the answer, as a value or an error; an error is not raised.

        Raises `trio.BusyResourceError` if another waiter or callback is there already.
        """
        if self._outcome is None:
            self._enrol()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        else:
            await trio.lowlevel.checkpoint()
        assert self._outcome is not None, "it is rescheduled by _set alone"
        return self._outcome

    def abandon(self) -> None:
        """The callback of `then` is called no more: whoever waited has gone."""
        self._then = None
        self.abandoned = True

    def _enrol(self) -> None:
        """The present task is the waiter."""
        self._check_free()
        self._waiter = trio.lowlevel.current_task()
        self.abandoned = False

    def _check_free(self) -> None:
        if get_ident() != self._thread:
            raise WrongThread("a reply")
        if self._then is not None or self._waiter is not None:
            raise trio.BusyResourceError("a reply has one waiter or callback, and has it already")

    def _set(self, result: ReplyOutcome[R]) -> bool:
        if self._outcome is not None:
            return False
        if get_ident() != self._thread:
            raise WrongThread("a reply")
        self._outcome = result
        if self.settled is not None:
            self.settled(self)
        waiter, then = self._waiter, self._then
        if waiter is not None:
            self._waiter = None
            trio.lowlevel.reschedule(waiter)
        elif then is not None:
            self._then = None
            call_guarded("a callback of then() failed", then, result)
        return True

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._waiter = None
        self.abandoned = True
        return trio.lowlevel.Abort.SUCCEEDED
