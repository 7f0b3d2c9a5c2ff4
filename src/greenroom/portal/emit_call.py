"""An emit across the border, which most often needs no task.

It has one draft put into a mailbox, and waits for the reply. So the trio thread drives its
coroutine by hand up to that wait, and again when the reply comes: two turns of a task less.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import outcome

from greenroom.actors.errors import MailboxFull
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.run.emitter import Emitter
from greenroom.portal.call import Call, Lane, ignore, interrupted

T = TypeVar("T")
V = TypeVar("V")


class EmitCall(Call[T]):
    """A call of a method that emits one event by `emitter`, and waits for nothing else.

    It takes a task if it has to wait before that: for text, or for room in the mailbox.
    """

    _coroutine: Coroutine[Reply[object], object, T] | None = None
    _reply: Reply[object] | None = None

    def __init__(
        self,
        function: Callable[[], Awaitable[T]],
        lane: Lane,
        answer: Callable[[outcome.Outcome[T]], object] = ignore,
        *,
        emitter: Emitter,
    ) -> None:
        super().__init__(function, lane, answer)
        self.emitter = emitter

    def ran_by_hand(self) -> bool:
        """In the trio thread: run it up to its reply. False if it needs a task."""
        emitter = self.emitter
        if self._interrupted or not self.lane.is_settled or not emitter.may_go_by_hand:
            return False
        emitter.by_hand = True
        try:
            self._coroutine = coroutine = self.function()  # type: ignore[assignment]  # a coroutine
            self._drive(coroutine.send, None)  # type: ignore[attr-defined]
        except (MailboxFull, TypeError):  # nothing was emitted; a task raises it
            return False
        finally:
            emitter.by_hand = False
        return True

    def interrupt(self) -> None:
        """In the trio thread: the reply is waited for no more. The event may be kept."""
        super().interrupt()
        reply, self._reply = self._reply, None
        if reply is not None and self._coroutine is not None:
            reply.abandon()
            self._coroutine.close()
            self.refuse(interrupted())

    def _drive(self, step: Callable[[V], Reply[object]], value: V) -> None:
        """Take a step in the caller's context. Raises `MailboxFull`: then nothing was emitted."""
        try:
            self._reply = reply = self.context.run(step, value)
        except StopIteration as returned:
            self.settle(outcome.Value(returned.value))
        except MailboxFull:
            raise
        except BaseException as error:  # noqa: BLE001  # it is the caller's
            self.settle(outcome.Error(error))
        else:
            reply.then(self._replied)

    def _replied(self, result: ReplyOutcome[object]) -> None:
        self._reply = None
        assert self._coroutine is not None, "it waits for the reply"
        if isinstance(result, outcome.Error):
            self._drive(self._coroutine.throw, result.error)
        else:
            self._drive(self._coroutine.send, result.value)
