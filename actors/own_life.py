"""The address of one life of an actor: what a life asked for is not for the one that comes next.

Only for a mailbox that outlives its actor (`OnRestart`). There the messages of the old life's
timers, its answers and the news of ends it asked for would otherwise reach the next life.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from greenroom.actors.exit import Callbacks, ExitReason, call_each, enrol
from greenroom.actors.mailbox import Mailbox

M = TypeVar("M")


class OwnLife(Generic[M]):
    """Tells the actor `name` until this life of it ends, and then takes back what still waits.

    `tell_owed` is its ref's and puts a message into `mailbox`.

    Invariant: `_sent` holds, by number, every message it delivered that waits or is in hand.
    """

    __slots__ = ("_mailbox", "_sent", "_tell_owed", "_when_stopped", "exit_reason", "name")

    def __init__(
        self,
        name: str,
        mailbox: Mailbox[Any],  # Any: it also holds asks, and is asked only who is where
        tell_owed: Callable[[M], None],
    ) -> None:
        self.name: str = name
        self.exit_reason: ExitReason | None = None
        self._mailbox = mailbox
        self._tell_owed = tell_owed
        self._sent: list[tuple[int, M]] = []
        self._when_stopped: Callbacks = {}

    def tell_owed(self, message: M) -> None:
        """As `Ref.tell_owed`: dropped without a word once the life has ended."""
        if self.exit_reason is not None:
            return
        handled = self._mailbox.handled
        while self._sent and self._sent[0][0] < handled:
            del self._sent[0]
        self._sent.append((self._mailbox.added, message))
        self._tell_owed(message)

    def when_stopped(self, callback: Callable[[ExitReason], None]) -> Callable[[], None]:
        """As `Ref.when_stopped`, of this life."""
        call_off = enrol(self._when_stopped, callback)
        if self.exit_reason is not None:
            call_each(self._when_stopped, self.exit_reason)
        return call_off

    def end(self, reason: ExitReason) -> None:
        """The life is over: what it is still owed is dropped, and counted so."""
        self.exit_reason = reason
        sent, self._sent = self._sent, []
        if sent:
            self._mailbox.remove(sent)
        call_each(self._when_stopped, reason)
