"""Timers that put messages in mailboxes, all kept by one task per trio run.

A timer costs a heap entry and no cancel scope: ten thousand heartbeats need one parked task.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Hashable, Set
from threading import get_ident
from typing import Generic, TypeAlias, TypeVar

import attrs
import trio

from greenroom.actors.delay import is_delay
from greenroom.actors.errors import TimerError
from greenroom.actors.guard import call_guarded
from greenroom.actors.reactors.once_per_run import once_per_run
from greenroom.actors.reactors.own_thread import WrongThread

M = TypeVar("M")


LONG, SLACK = 0.5, 1 / 64
"""Alarms that are set for `LONG` seconds or more are due together with others, at multiples of
`SLACK`: to wake up for one takes 75 µs, and another one of the same moment 7."""


@attrs.define(eq=False)
class Alarm:
    """A call due at `deadline` on trio's clock (seconds)."""

    deadline: float
    _callback: Callable[[], None] | None
    _clock: AlarmClock

    @property
    def pending(self) -> bool:
        """False once it has fired or was cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Do not fire. Does nothing after the alarm has fired or was cancelled."""
        if self._callback is not None:
            self._callback = None
            self._clock._one_cancelled()

    def _fire(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            call_guarded("an alarm's callback failed", callback)


_HeapEntry: TypeAlias = tuple[float, int, Alarm]
"""Of two alarms that are due at once, the one that was set first, with the lower number, fires
first. A heap compares often: tuples are compared in C."""


class AlarmClock:
    """One task sleeping until the earliest alarm. Callbacks must not block.

    What a callback raises is logged: an error that left this system task would end the trio run.

    Cancelled alarms stay in the heap until they would be due, or until they are more than half of
    it and are removed: so a timer that is restarted with every message does not grow the heap.
    """

    SWEEP_ABOVE = 256

    def __init__(self) -> None:
        self._alarms: list[_HeapEntry] = []
        self._cancelled = 0
        self._numbers = itertools.count()
        self._sleep = trio.CancelScope()

    def __len__(self) -> int:
        """The number of alarms in the heap, cancelled ones included."""
        return len(self._alarms)

    def set(self, after: float, callback: Callable[[], None]) -> Alarm:
        """Call `callback` in `after` seconds, or up to `SLACK` later if that is `LONG` or more.
        Raises `TimerError` unless it is 0 or more."""
        if not is_delay(after):
            raise TimerError("a timer", after)
        deadline = trio.current_time() + after
        return self.set_at(deadline if after < LONG else _shared(deadline), callback)

    def put_off(self, after: float, callback: Callable[[], None]) -> Alarm:
        """Call `callback` in `after` seconds, or up to `SLACK` later, however short that is."""
        return self.set_at(_shared(trio.current_time() + after), callback)

    def set_at(self, deadline: float, callback: Callable[[], None]) -> Alarm:
        """Call `callback` at `deadline`. Alarms of the same deadline cost one wake-up."""
        alarm = Alarm(deadline, callback, self)
        heapq.heappush(self._alarms, (deadline, next(self._numbers), alarm))
        if alarm.deadline < self._sleep.deadline:
            self._sleep.deadline = alarm.deadline
        return alarm

    async def run(self) -> None:
        while True:
            with trio.CancelScope(deadline=self._next_deadline()) as self._sleep:
                await trio.sleep_forever()
            self._fire_due(trio.current_time())

    def _next_deadline(self) -> float:
        while self._alarms and not self._alarms[0][2].pending:
            self._pop()
        return self._alarms[0][0] if self._alarms else math.inf

    def _fire_due(self, now: float) -> None:
        while self._alarms and self._alarms[0][0] <= now:
            self._pop()._fire()

    def _pop(self) -> Alarm:
        _, _, alarm = heapq.heappop(self._alarms)
        self._cancelled -= not alarm.pending
        return alarm

    def _one_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled > self.SWEEP_ABOVE and self._cancelled * 2 > len(self._alarms):
            self._alarms = [each for each in self._alarms if each[2].pending]
            heapq.heapify(self._alarms)
            self._cancelled = 0


_clock: trio.lowlevel.RunVar[AlarmClock] = trio.lowlevel.RunVar("greenroom alarm clock")


@once_per_run(_clock)
def alarm_clock() -> AlarmClock:
    """The alarm clock of this trio run; the first call starts it."""
    clock = AlarmClock()
    trio.lowlevel.spawn_system_task(clock.run, name="greenroom alarm clock")
    return clock


def hold_alarms() -> None:
    """Stop every alarm of this trio run from firing; call it before the first one is set.

    For replays: the messages that timers sent are among the recorded ones.
    """
    _clock.set(AlarmClock())


def _shared(deadline: float) -> float:
    """The first multiple of `SLACK` from a deadline on; it is exact, `SLACK` being a power of 2."""
    return math.ceil(deadline / SLACK) * SLACK


@attrs.frozen
class RunningTimer:
    """A timer that delivers `message` at `deadline`, on trio's clock."""

    name: Hashable
    message: object
    deadline: float


class Timers(Generic[M]):
    """The named timers of one actor. Starting a name that already runs replaces its timer.

    A message that was delivered before its timer was cancelled still arrives (OTP's
    `erlang:cancel_timer/1` warns of the same); a machine ignores it. No message arrives at a later
    life of the actor, even if its mailbox is kept (`OnRestart`).
    """

    __slots__ = ("_alarms", "_deliver", "_thread")

    def __init__(self, deliver: Callable[[M], None]) -> None:
        self._deliver = deliver
        self._thread = get_ident()
        self._alarms: dict[Hashable, Alarm] = {}

    def start(
        self,
        name: Hashable,
        after: float,
        message: M,
        *,
        left: Callable[[], float | None] | None = None,
    ) -> None:
        """Deliver `message` in `after` seconds, unless cancelled or replaced before. A timer of
        half a second or more may be up to 16 ms late, so that many of them share a wake-up.

        `left` is for a deadline that work moves again and again: a timer that is due asks it for
        the seconds that are left, outside of the actor's turn. The timer runs on if there are some,
        delivers the message if there are none (below 0: it is late), and None ends it without one.
        It must be quick; if it raises, the timer has ended.

        Raises `TimerError` when `after` is negative or not finite, and `WrongThread` in another
        thread than that of the actor.
        """
        self._check_thread()
        self.cancel(name)
        self._alarms[name] = alarm_clock().set(after, _Due(self, name, message, left))

    def _fire(self, due: _Due[M]) -> None:
        del self._alarms[due.name]
        left = 0.0 if due.left is None else due.left()
        if left is not None and left > 0:
            self._alarms[due.name] = alarm_clock().put_off(left, due)
            return
        if not self._alarms:
            self._alarms = {}  # one that was used keeps 224 bytes
        if left is not None:
            self._deliver(due.message)

    def cancel(self, name: Hashable) -> None:
        """Cancel the timer. Does nothing if the name is not running. Raises `WrongThread`."""
        self._check_thread()
        alarm = self._alarms.pop(name, None)
        if alarm is not None:
            alarm.cancel()

    def cancel_all(self) -> None:
        for name in list(self._alarms):
            self.cancel(name)

    def running(self) -> list[RunningTimer]:
        """The timers that run, in the order of their starts."""
        return [
            RunningTimer(name, _message_of(alarm), alarm.deadline)
            for name, alarm in self._alarms.items()
        ]

    def _check_thread(self) -> None:
        if get_ident() != self._thread:
            raise WrongThread("an actor's timers")

    def all_run(self, names: Set[Hashable]) -> bool:
        """Whether the timers of these names run."""
        return self._alarms.keys() >= names

    def __contains__(self, name: Hashable) -> bool:
        return name in self._alarms


class _Due(Generic[M]):
    """What a timer's alarm calls: a closure would take five times the memory."""

    __slots__ = ("_timers", "left", "message", "name")

    def __init__(
        self,
        timers: Timers[M],
        name: Hashable,
        message: M,
        left: Callable[[], float | None] | None,
    ) -> None:
        self._timers = timers
        self.name = name
        self.message = message
        self.left = left

    def __call__(self) -> None:
        self._timers._fire(self)


def _message_of(alarm: Alarm) -> object:
    due = alarm._callback
    return due.message if isinstance(due, _Due) else None
