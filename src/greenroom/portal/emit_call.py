"""An emit across the border, which most often needs no task.

It has one draft put into a mailbox, and waits for the reply. So the trio thread drives its
coroutine by hand up to that wait, and again when the reply comes: two turns of a task less.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TypeVar, cast

import attrs
import outcome

from greenroom.actors.errors import MailboxFull
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.run.emitter import Emitter
from greenroom.portal.call import Call, interrupted

T = TypeVar("T")


@attrs.define(eq=False)
class EmitCall(Call[T]):
    """A call of a method that emits one event by `emitter`, and waits for nothing else.

    It takes a task if it has to wait before that: for text, or for room in the mailbox.
    """

    emitter: Emitter = attrs.field(kw_only=True)
    _coroutine: Coroutine[Reply[object], object, T] | None = attrs.field(default=None, init=False)
    _reply: Reply[object] | None = attrs.field(default=None, init=False)

    def ran_by_hand(self) -> bool:
        """In the trio thread: run it up to its reply. False if it needs a task."""
        if self._interrupted:
            self.refuse(interrupted())
            return True
        if not self.lane.is_settled or not self.emitter.may_go_by_hand:
            return False
        try:
            self._drive(self._begin)
        except MailboxFull:
            return False
        return True

    def interrupt(self) -> None:
        """In the trio thread: the reply is waited for no more. The event may be kept."""
        super().interrupt()
        if self._coroutine is not None and self._reply is not None:
            self._reply.abandon()
            self._coroutine.close()
            self.refuse(interrupted())

    def settle(self, result: outcome.Outcome[T]) -> None:
        """Answer, unless that was done."""
        self._coroutine = self._reply = None
        super().settle(result)

    def _begin(self) -> Reply[object]:
        self.emitter.by_hand = True
        try:
            coroutine = cast("Coroutine[Reply[object], object, T]", self.function())
            reply = coroutine.send(None)
        finally:
            self.emitter.by_hand = False
        self._coroutine = coroutine
        return reply

    def _drive(self, step: Callable[..., Reply[object]], *args: object) -> None:
        """Take a step in the caller's context. Raises `MailboxFull`: then nothing was emitted."""
        try:
            self._reply = reply = self.context.run(step, *args)
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
