"""An emit across the border, which most often needs no task.

It has one draft put into a mailbox, and waits for the reply. So the trio thread drives its
coroutine by hand up to that wait, and again when the reply comes: two turns of a task less.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import outcome

from greenroom.actors.errors import MailboxFull
from greenroom.actors.reply import Reply
from greenroom.delivery.run.emitter import Emitter
from greenroom.portal.call import Call, Lane, ignore, interrupted

T = TypeVar("T")


class EmitCall(Call[T]):
    """A call of a method that emits one event by `emitter`, and waits for nothing else.

    It takes a task if it has to wait before that: for text, or for room in the mailbox.
    """

    _coroutine: Coroutine[Reply[object], None, T] | None = None
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
            self._coroutine = self.function()  # type: ignore[assignment]  # a coroutine
            self._drive()
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

    def _drive(self) -> None:
        """Run it up to its reply, or from there to its end, in the caller's context. Raises
        `MailboxFull`: then nothing was emitted."""
        assert self._coroutine is not None, "it was called"
        try:
            self._reply = reply = self.context.run(self._coroutine.send, None)
        except StopIteration as returned:
            self._reply = None
            self.settle(outcome.Value(returned.value))
        except MailboxFull:
            raise
        except BaseException as error:  # noqa: BLE001  # it is the caller's
            self._reply = None
            self.settle(outcome.Error(error))
        else:
            reply.drive(self._drive)
