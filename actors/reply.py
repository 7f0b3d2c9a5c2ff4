"""A one-shot answer: set once, by any task, and taken by one waiter or one callback."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from threading import get_ident
from typing import Any, Generic, Never, TypeVar

import outcome
import trio
from trio.lowlevel import current_task, reschedule, wait_task_rescheduled

from greenroom.actors.guard import call_guarded
from greenroom.actors.reactors.own_thread import WrongThread

R = TypeVar("R")
ReplyOutcome = outcome.Value[R] | outcome.Error


_NONE_YET: Any = object()
_NO_VALUE: Any = None
"""The value of a reply that has failed."""


class Reply(Generic[R]):
    """The place of an answer. Setting it a second time does nothing and returns False.

    It belongs to the thread that made it: to set it, or to wait for it, in another one raises
    `WrongThread`.

    `settled(reply)` is called once, when the answer is set. `abandoned` is True if the waiter was
    cancelled: the answer is not read, and work for it may be skipped.
    """

    __slots__ = (
        *("_driver", "_error", "_then", "_thread", "_value", "_waiter"),
        *("abandoned", "settled"),
    )

    def __init__(self, settled: Callable[[Reply[R]], None] | None = None) -> None:
        self._value: R = _NONE_YET
        self._error: BaseException | None = None
        self.settled: Callable[[Reply[R]], None] | None = settled
        self._then: Callable[[ReplyOutcome[R]], object] | None = None
        self._driver: Callable[[], object] | None = None
        self._waiter: trio.lowlevel.Task | None = None
        self._thread = get_ident()
        self.abandoned: bool = False

    @property
    def is_set(self) -> bool:
        return self._value is not _NONE_YET

    @property
    def has_value(self) -> bool:
        """Whether the answer is there, and is no error that is still to be raised."""
        return self._value is not _NONE_YET and self._error is None

    def succeed(self, value: R) -> bool:
        if self._value is not _NONE_YET:
            return False
        if get_ident() != self._thread:
            raise WrongThread("a reply")
        self._value = value
        self._settle()
        return True

    def fail(self, error: BaseException) -> bool:
        """Raise `error` in the waiter. Give each reply an exception object of its own."""
        if self._value is not _NONE_YET:
            return False
        if get_ident() != self._thread:
            raise WrongThread("a reply")
        self._value, self._error = _NO_VALUE, error
        self._settle()
        return True

    def then(self, callback: Callable[[ReplyOutcome[R]], object]) -> None:
        """Call `callback(outcome)` once the answer is set, or now if it is.

        Later, the callback runs in the task that sets the answer, and what it raises is logged.
        Raises `trio.BusyResourceError` if another waiter or callback is there already.
        """
        if self._value is not _NONE_YET:
            callback(self._outcome())
        else:
            self._check_free()
            self._then = callback

    async def wait(self) -> R:
        """Wait for the answer; raises the error given to `fail`. It may be repeated if cancelled.

        Raises `trio.BusyResourceError` if another waiter or callback is there already.
        """
        if self._value is _NONE_YET:
            self._enrol()
            await wait_task_rescheduled(self._abort)
        else:
            await trio.lowlevel.checkpoint()
        return self._value if self._error is None else self._raise()

    @types.coroutine
    def by_hand(self) -> Generator[Reply[R], None, R]:
        """The same in a coroutine that no task runs (`greenroom.portal.emit_call`): it yields this
        reply, whose `drive` calls what resumes it."""
        yield self
        return self._value if self._error is None else self._raise()

    def drive(self, resume: Callable[[], object]) -> None:
        """Call `resume()` once the answer is set, as `then` calls its callback."""
        if self._value is not _NONE_YET:
            resume()
        else:
            self._check_free()
            self._driver = resume

    async def wait_outcome(self) -> ReplyOutcome[R]:
        """Wait for the answer, as a value or an error; an error is not raised.

        Raises `trio.BusyResourceError` if another waiter or callback is there already.
        """
        if self._value is _NONE_YET:
            self._enrol()
            await wait_task_rescheduled(self._abort)
        else:
            await trio.lowlevel.checkpoint()
        return self._outcome()

    def _outcome(self) -> ReplyOutcome[R]:
        return outcome.Value(self._value) if self._error is None else outcome.Error(self._error)

    def _raise(self) -> Never:
        error, self._error = self._error, None
        assert error is not None, "it is the answer"
        try:
            raise error
        finally:
            del error  # its traceback holds this frame and its reply: a reference cycle

    def abandon(self) -> None:
        """The callback of `then` or `drive` is called no more: whoever waited has gone."""
        self._then = self._driver = None
        self.abandoned = True

    def _enrol(self) -> None:
        """The present task is the waiter."""
        self._check_free()
        self._waiter = current_task()
        self.abandoned = False

    def _check_free(self) -> None:
        if get_ident() != self._thread:
            raise WrongThread("a reply")
        if self._then is not None or self._waiter is not None or self._driver is not None:
            raise trio.BusyResourceError("a reply has one waiter or callback, and has it already")

    def _settle(self) -> None:
        """It has its answer."""
        if self.settled is not None:
            self.settled(self)
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            reschedule(waiter)
        elif self._then is not None:
            then, self._then = self._then, None
            call_guarded("a callback of then() failed", then, self._outcome())
        elif self._driver is not None:
            driver, self._driver = self._driver, None
            call_guarded("what waits for a reply failed", driver)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._waiter = None
        self.abandoned = True
        return trio.lowlevel.Abort.SUCCEEDED
