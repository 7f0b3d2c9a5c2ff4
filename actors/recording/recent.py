"""The last messages of an actor, for whoever wants to know what it was doing."""

from __future__ import annotations

import weakref
from collections import deque

import attrs
import trio

from greenroom.actors.recording.weight import PART, is_small, weight_of
from greenroom.actors.ref import Ask
from greenroom.actors.timers import alarm_clock

RECENT_BYTES = 64 * 1024
"""What the last messages of an actor may keep in memory."""

WEIGHED_AFTER = 1.0
"""Seconds after which messages are weighed. Weighing all at once would cost a lone event a fifth
more; so a busy actor's are weighed once a second, and most of them are forgotten before."""

AT_ONCE, PAUSE = 32, 0.02
"""How many actors' messages are weighed without a pause, and its seconds: others get their turn."""


@attrs.frozen
class TooLarge:
    """Stands for a message that alone is over the limit, in bytes."""

    type: type[object]
    limit: int


class Recent(deque[object]):
    """At most `maxlen` messages and, a second after they were handled, about `limit` bytes.

    Over the limit the oldest go; a message that alone is over it leaves a `TooLarge` in its place.
    """

    __slots__ = ("_added", "_new", "limit")

    def __init__(self, maxlen: int, limit: int = RECENT_BYTES) -> None:
        super().__init__(maxlen=maxlen)
        self.limit: int = limit
        self._new = 0
        self._added = 0  # bytes, of those that went as well: an upper bound

    def handled(self, count: int) -> None:
        """So many messages are new. They are weighed soon."""
        if not self._new:
            _scales().add(self)
        self._new += count

    def weigh(self) -> None:
        """Let go of what is too much."""
        place, self._new = min(self._new, len(self)), 0
        while place:
            told = _told(self[-place])
            weight = PART if is_small(type(told)) else weight_of(told, self.limit)
            if weight > self.limit:
                self[-place] = TooLarge(type(told), self.limit)
            else:
                self._added += weight
            place -= 1
        if self._added > self.limit:
            self._let_go()

    def _let_go(self) -> None:
        weights = deque(weight_of(_told(message), self.limit) for message in self)
        self._added = sum(weights)
        while self._added > self.limit:
            self._added -= weights.popleft()
            self.popleft()


class Scales:
    """Weighs what is put on it, a little later and a little at a time. It keeps nothing alive."""

    def __init__(self) -> None:
        self._waiting: deque[weakref.ref[Recent]] = deque()

    def add(self, recent: Recent) -> None:
        if not self._waiting:
            alarm_clock().set(WEIGHED_AFTER, self._weigh)
        self._waiting.append(weakref.ref(recent))

    def _weigh(self) -> None:
        for _ in range(min(AT_ONCE, len(self._waiting))):
            recent = self._waiting.popleft()()
            if recent is not None:
                recent.weigh()
        if self._waiting:
            alarm_clock().set(PAUSE, self._weigh)


_run_scales: trio.lowlevel.RunVar[Scales] = trio.lowlevel.RunVar("greenroom scales")


def _scales() -> Scales:
    """Those of this trio run."""
    try:
        return _run_scales.get()
    except LookupError:
        scales = Scales()
        _run_scales.set(scales)
        return scales


def _told(message: object) -> object:
    return message.request if type(message) is Ask else message
