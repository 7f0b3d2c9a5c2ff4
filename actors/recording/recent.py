"""The last messages of an actor, for crash reports and snapshots."""

from __future__ import annotations

import weakref
from collections import deque

import attrs
import trio

from greenroom.actors.reactors.once_per_run import once_per_run
from greenroom.actors.recording.weight import weight_of
from greenroom.actors.ref import Ask
from greenroom.actors.timers import alarm_clock

RECENT_BYTES = 64 * 1024
"""The bytes that the last messages of an actor may keep in memory."""

WEIGHED_AFTER = 1.0
"""Seconds after which messages are weighed. Weighing each at once would cost a lone event a fifth
more; a busy actor's messages are weighed once a second, when most of them are already forgotten."""

AT_ONCE, PAUSE = 32, 0.02
"""The number of actors whose messages are weighed without a pause, and the pause in seconds."""


@attrs.frozen
class TooLarge:
    """Replaces a message that alone is over the limit, in bytes."""

    type: type[object]
    limit: int


class Recent(list[object]):
    """At most `maxlen` messages and, a second after they were handled, about `limit` bytes.

    Past the limit the oldest are dropped; a message that alone is over it becomes a `TooLarge`.
    While a batch is handled, all of its messages are here: to append one costs 20 ns, and a list
    takes a third of a deque's 760 bytes. Until they are weighed there may be twice as many: `kept`
    has those that count.
    """

    __slots__ = ("__weakref__", "_added", "_most", "_new", "limit", "maxlen")

    def __init__(self, maxlen: int, limit: int = RECENT_BYTES) -> None:
        super().__init__()
        self.maxlen: int = maxlen
        self._most = 2 * maxlen
        self.limit: int = limit
        self._new = 0
        self._added = 0  # bytes, including those of dropped messages: an upper bound

    @property
    def weight(self) -> int:
        """The bytes of what is kept, as far as it was weighed: an upper bound."""
        return self._added if self else 0

    def handled(self, count: int) -> None:
        """Note that the last `count` messages are new; they are weighed soon."""
        if len(self) > self._most:
            self.trim()
        if not self._new:
            _scales().add(self)
        self._new += count

    def kept(self) -> list[object]:
        """The last `maxlen` messages: a crash in the middle of a batch leaves more of them here."""
        return self[max(0, len(self) - self.maxlen) :]

    def trim(self) -> None:
        """Drop the oldest messages past `maxlen`."""
        del self[: max(0, len(self) - self.maxlen)]

    def weigh(self) -> None:
        """Weigh the new messages, and drop the oldest past the limit."""
        self.trim()
        new, self._new = min(self._new, len(self)), 0
        for place in range(len(self) - new, len(self)):
            message = self[place]
            told = message.request if type(message) is Ask else message
            weight = weight_of(told, self.limit)
            if weight > self.limit:
                cut = self[place] = TooLarge(type(told), self.limit)
                weight = weight_of(cut, self.limit)
            self._added += weight
        if self._added > self.limit:
            self._let_go()

    def _let_go(self) -> None:
        weights = [weight_of(_told(message), self.limit) for message in self]
        self._added, dropped = sum(weights), 0
        while self._added > self.limit:
            self._added -= weights[dropped]
            dropped += 1
        del self[:dropped]


class Scales:
    """Weighs the messages of actors later, a few actors at a time. It keeps no actor alive."""

    def __init__(self) -> None:
        self._waiting: deque[weakref.ref[Recent]] = deque()
        self._due: deque[weakref.ref[Recent]] = deque()

    def add(self, recent: Recent) -> None:
        if not self._waiting and not self._due:
            alarm_clock().set(WEIGHED_AFTER, self._begin)
        self._waiting.append(weakref.ref(recent))

    def _begin(self) -> None:
        """Those who come from now on wait for the next time, however long this one takes."""
        self._due, self._waiting = self._waiting, self._due
        self._weigh()

    def _weigh(self) -> None:
        for _ in range(min(AT_ONCE, len(self._due))):
            recent = self._due.popleft()()
            if recent is not None:
                recent.weigh()
        if self._due:
            alarm_clock().set(PAUSE, self._weigh)
        elif self._waiting:
            alarm_clock().set(WEIGHED_AFTER, self._begin)


_run_scales: trio.lowlevel.RunVar[Scales] = trio.lowlevel.RunVar("greenroom scales")


@once_per_run(_run_scales)
def _scales() -> Scales:
    """The scales of this trio run."""
    return Scales()


def _told(message: object) -> object:
    return message.request if type(message) is Ask else message
