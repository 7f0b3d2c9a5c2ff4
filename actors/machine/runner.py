"""Runs a machine and interprets its actions, in the order of gen_statem(3) (pure).

The order of a step (OTP, gen_statem(3), type `transition_option()`): the step's own actions, the
enter action of a new state, the postponed events back into the queue if the state changed, then
`Next` events in front of all of them and timers of 0 seconds behind.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Mapping
from copy import copy
from types import MappingProxyType
from typing import ClassVar, Generic, Self, TypeVar

import attrs

from greenroom.actors.machine.effects import ACTION_TYPES, Effects, TimerEntry, TimerFired
from greenroom.actors.machine.immutability import mutable_part
from greenroom.actors.machine.machine import Machine, MachineError, NotAStep
from greenroom.actors.machine.step import (
    STATE_TIMEOUT,
    CancelTimer,
    Next,
    Postpone,
    StartTimer,
    Stop,
)

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")

__all__ = ["MachineRunner", "TimerEntry", "TimerFired", "Transition"]


class PostponedTooMany(MachineError):
    """More events were postponed than the runner may hold."""


class NeverSettles(MachineError):
    """One event led to `max_steps` steps, by `Next` or by postponing, and to still more."""


class MachineStopped(MachineError):
    """The machine has ended by `Stop` and takes no event; nothing changed."""


class MutableData(MachineError):
    """Part of the data can be changed in place, so that copies of it would share the change."""

    def __init__(self, machine: str, part: str) -> None:
        super().__init__(
            f"machine {machine!r} may not keep what can be changed in place: {part}",
            advice="use a frozen attrs class, a tuple, a frozenset, or types.MappingProxyType "
            "around a dict of its own",
        )
        self.machine = machine
        self.part = part


class EnterOverstepped(MachineError):
    """An enter action changed the state, postponed, or inserted an event."""


def check_data(machine: str, data: object) -> None:
    """Raise `MutableData` naming a part of the data that can be changed in place."""
    part = mutable_part(data)
    if part is not None:
        raise MutableData(machine, part)


@attrs.frozen
class Transition:
    """One line of the log: `event` is the name of the event's type."""

    old: enum.Enum
    event: str
    new: enum.Enum


class MachineRunner(Generic[S, D, C]):
    """The present state and data of one running machine.

    `handle(event)` returns what the shell must do, in order: the machine's own commands, and
    `StartTimer`/`CancelTimer` (the state time-out is the timer named `STATE_TIMEOUT`), whose
    `event` is the `TimerFired` to pass to `handle` when it is due. A final state, and `Stop`, drop
    waiting events and cancel every timer. `on_move` is called with each change of state, and `log`
    keeps the last ones. Raises `MutableData` if any part of the data can be changed in place.
    """

    __slots__ = (
        "_due",
        "_max_postponed",
        "_most_logged",
        "_on_move",
        "_postponed",
        "_queue",
        "_serial",
        "_stop",
        "_timers",
        "data",
        "done",
        "log",
        "machine",
        "state",
    )
    max_steps: ClassVar[int] = 10_000
    """The steps that one event may lead to; more of them would go on for ever."""

    def __init__(
        self,
        machine: Machine[S, D, C],
        data: D,
        *,
        max_postponed: int = 64,
        log: int = 32,
        on_move: Callable[[Transition], None] | None = None,
    ) -> None:
        check_data(machine.name, data)
        self.machine = machine
        self.state = machine.initial
        self.data: D = data
        self.log: list[Transition] = []
        self._most_logged = log
        self._max_postponed = max_postponed
        self._on_move = on_move
        self._queue: list[object] = []  # it is short, and an empty deque takes 760 bytes
        self._postponed: list[object] = []
        self._timers: dict[Hashable, TimerEntry] = {}
        self._serial = 0
        self._stop: Stop | None = None
        self.done: bool = self.state in machine.final
        """True in a final state, and after `Stop`."""
        self._due: list[C | StartTimer | CancelTimer] = []
        effects = self._effects(self.state)
        self._commit(effects, self._enter(effects, data), None)

    @property
    def error(self) -> Exception | None:
        """The error that the machine failed with, if it ended by `Stop(error)`."""
        return None if self._stop is None else self._stop.error

    @property
    def postponed(self) -> int:
        """The number of events that wait for a change of state."""
        return len(self._postponed)

    @property
    def waiting(self) -> tuple[object, ...]:
        """The postponed events, oldest first."""
        return tuple(self._postponed)

    @property
    def timers(self) -> Mapping[Hashable, TimerEntry]:
        """The timers that run, by name."""
        return MappingProxyType(self._timers)

    def start(self) -> list[C | StartTimer | CancelTimer]:
        """The commands of entering the initial state; otherwise the first `handle` returns them."""
        self._settle(None)
        due, self._due = self._due, []
        return due

    def handle(self, event: object) -> list[C | StartTimer | CancelTimer]:
        """Handle an event, and all that follows from it.

        A `TimerFired` whose timer was cancelled or restarted is ignored. Raises a `MachineError`
        (`UnlistedPair`, `UndeclaredTarget`, `PostponedTooMany` …), `TimerError` for an unusable
        delay, or what a handler raises. The failed step has then changed nothing, neither the log
        nor the timers nor the commands that are due; but its event is gone, and earlier steps are
        not undone. Discard the machine then.
        """
        fired = type(event) is TimerFired
        if fired and not self._runs(event):  # type: ignore[arg-type]  # it is one
            return []
        if self._stop is not None:
            raise MachineStopped(f"machine {self.machine.name!r} takes nothing, it has stopped")
        if fired or self._queue:
            self._queue.append(event)
        else:
            self._take(event)
        if self._queue:
            self._settle(event)
        due, self._due = self._due, []
        return due

    def fork(self) -> Self:
        """A copy of this runner, to try out events on."""
        twin = copy(self)
        twin.log = self.log.copy()
        twin._queue, twin._postponed = self._queue.copy(), self._postponed.copy()
        twin._timers, twin._due = self._timers.copy(), self._due.copy()
        return twin

    def _settle(self, cause: object) -> None:
        steps = 0
        while self._queue:
            event = self._queue.pop(0)
            if type(event) is not TimerFired:
                self._take(event)
            elif self._runs(event):
                self._take(self._timers.pop(event.name).event)
            steps += 1
            if steps == self.max_steps and self._queue:
                raise NeverSettles(
                    f"machine {self.machine.name!r} took {steps} steps for one "
                    f"{type(cause).__name__} and has not settled"
                )

    def _runs(self, fired: TimerFired) -> bool:
        entry = self._timers.get(fired.name)
        return entry is not None and entry.serial == fired.serial

    def _take(self, event: object) -> None:
        """One step. All that can fail comes first, so that a failed step changes nothing."""
        target, data, commands = self.machine.step(self.state, self.data, event)
        if target is None and ACTION_TYPES.isdisjoint(map(type, commands)):  # most steps
            self.data = data
            self._due += commands  # type: ignore[arg-type]  # no action is among them
            return
        state = self.state if target is None else target
        effects = self._effects(state)
        if state is not self.state:
            effects.cancel(STATE_TIMEOUT)
        effects.add(commands)
        if effects.postpone:
            self._check_room(state, event)
        if state is not self.state:
            data = self._enter(effects, data)
        self._commit(effects, data, event)

    def _effects(self, state: S) -> Effects[S, D, C]:
        return Effects(self.machine, state, self._timers, self._serial)

    def _enter(self, effects: Effects[S, D, C], data: D) -> D:
        """Add the effects of the new state's enter action; returns the new data."""
        state = effects.state
        action = self.machine.on_enter.get(state)
        if action is None:
            return data
        entered = action(data)
        try:
            target, data, commands = entered
        except (TypeError, ValueError):
            whose = f"the enter action of {state.name}"
            raise NotAStep(self.machine.name, whose, entered) from None
        if target is not None or any(isinstance(c, Postpone | Next) for c in commands):
            raise EnterOverstepped(
                f"machine {self.machine.name!r}: entering {state.name} may give commands and "
                "set timers; it must not change the state, postpone or insert events"
            )
        effects.add(commands)
        return data

    def _check_room(self, state: S, event: object) -> None:
        if len(self._postponed) >= self._max_postponed:
            raise PostponedTooMany(
                f"machine {self.machine.name!r} has postponed {self._max_postponed} events in "
                f"{state.name} and may not postpone another {type(event).__name__}"
            )

    def _commit(self, effects: Effects[S, D, C], data: D, event: object) -> None:
        old, self.state, self.data = self.state, effects.state, data
        self.done = effects.stop is not None or self.state in self.machine.final
        self._due += effects.due
        if effects.timers:
            self._serial = effects.serial
            self._set_timers(effects.timers)
        if effects.postpone:
            self._postpone(event)
        if effects.inserted or effects.at_once or effects.state is not old:
            self._requeue(effects, moved=effects.state is not old)
        if effects.stop is not None or (effects.state is not old and self.done):
            self._finish(effects.stop)
        if effects.state is not old:
            self._note_move(Transition(old, type(event).__name__, effects.state))

    def _set_timers(self, changed: Mapping[Hashable, TimerEntry | None]) -> None:
        for name, entry in changed.items():
            self._timers.pop(name, None)
            if entry is not None:
                self._timers[name] = entry

    def _requeue(self, effects: Effects[S, D, C], *, moved: bool) -> None:
        if moved and self._postponed:
            self._queue[:0] = self._postponed
            self._postponed.clear()
        self._queue[:0] = effects.inserted or ()
        self._queue.extend(effects.at_once or ())

    def _note_move(self, transition: Transition) -> None:
        self.log.append(transition)
        del self.log[: max(0, len(self.log) - self._most_logged)]
        if self._on_move is not None:
            self._on_move(transition)

    def _postpone(self, event: object) -> None:
        self._postponed.append(event)

    def _finish(self, stop: Stop | None) -> None:
        """The machine has ended: drop waiting events, and cancel every timer."""
        self._stop = stop
        self._queue.clear()
        self._postponed.clear()
        self._due += map(CancelTimer, self._timers)
        self._timers.clear()
