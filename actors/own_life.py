"""The address of one life of an actor whose mailbox is kept over restarts (`OnRestart`).

Messages that one life asked for, from its timers, pipes and monitors, must not reach the next life.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from greenroom.actors.exit import Callbacks, ExitReason, call_each, enrol
from greenroom.actors.mailbox import Mailbox

M = TypeVar("M")


class OwnLife(Generic[M]):
    """Delivers to the actor `name` until this life ends, and then removes what still waits.

    `tell_owed` is the method of its ref, which puts a message into `mailbox`.

    Invariant: `_sent` holds, by number, every message it delivered that waits or is in hand.
    """

    __slots__ = ("_mailbox", "_sent", "_tell_owed", "_when_stopped", "exit_reason", "name")

    def __init__(
        self,
        name: str,
        mailbox: Mailbox[Any],  # Any: it also holds asks; only places of messages are looked up
        tell_owed: Callable[[M], None],
    ) -> None:
        self.name: str = name
        self.exit_reason: ExitReason | None = None
        self._mailbox = mailbox
        self._tell_owed = tell_owed
        self._sent: list[tuple[int, M]] = []
        self._when_stopped: Callbacks = {}

    def tell_owed(self, message: M) -> None:
        """As `Ref.tell_owed`; silently dropped once the life has ended."""
        if self.exit_reason is not None:
            return
        handled = self._mailbox.handled
        while self._sent and self._sent[0][0] < handled:
            del self._sent[0]
        number = self._mailbox.added
        self._tell_owed(message)
        self._sent.append((number, message))

    def when_stopped(self, callback: Callable[[ExitReason], None]) -> Callable[[], None]:
        """As `Ref.when_stopped`, for this life."""
        call_off = enrol(self._when_stopped, callback)
        if self.exit_reason is not None:
            call_each(self._when_stopped, self.exit_reason)
        return call_off

    def end(self, reason: ExitReason) -> None:
        """The life is over: drop what still waits for it, and count that as dropped."""
        self.exit_reason = reason
        sent, self._sent = self._sent, []
        if sent:
            self._mailbox.remove(sent)
        call_each(self._when_stopped, reason)
