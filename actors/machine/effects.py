"""The effects of one step of a machine, collected before any of them is carried out (pure)."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar, cast, get_args

import attrs

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import (
    STATE_TIMEOUT,
    CancelTimer,
    MachineAction,
    Next,
    Postpone,
    StartTimer,
    StateTimeout,
    Stop,
)

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")

ACTION_TYPES = frozenset(get_args(MachineAction))


@attrs.frozen
class TimerFired:
    """The event of a timer that is due, for the runner. `serial` identifies its start."""

    name: Hashable
    serial: int


class TimerEntry(NamedTuple):
    """A running timer: the serial number of its start, and the event it will deliver."""

    serial: int
    event: object


class Effects(Generic[S, D, C]):
    """The effects of a step that leads to `state`: of its own commands, then of the enter action.

    `due` is for the shell; `inserted` goes to the front of the queue and `at_once` to its end;
    `timers` has the changes to the `running` timers, with None for a timer that was cancelled.
    """

    __slots__ = (
        "_machine",
        "_running",
        "at_once",
        "due",
        "inserted",
        "postpone",
        "serial",
        "state",
        "stop",
        "timers",
    )

    def __init__(
        self,
        machine: Machine[S, D, C],
        state: S,
        running: Mapping[Hashable, TimerEntry],
        serial: int,
    ) -> None:
        self._machine = machine
        self._running = running
        self.state = state
        self.serial = serial
        self.stop: Stop | None = None
        self.postpone = False
        self.due: list[C | StartTimer | CancelTimer] = []
        self.inserted: list[object] | None = None  # None for most steps: a list costs 0.1 µs
        self.at_once: list[TimerFired] | None = None
        self.timers: dict[Hashable, TimerEntry | None] | None = None

    def add(self, commands: Iterable[C | MachineAction]) -> None:
        """Queue commands for the shell, and interpret actions."""
        for command in commands:
            if type(command) not in ACTION_TYPES:
                self.due.append(cast(C, command))
                continue
            match command:
                case StateTimeout(after, later):
                    self._machine.check_timer(self.state, command)
                    self._start(STATE_TIMEOUT, after, later)
                case StartTimer(name, after, later):
                    self._machine.check_timer(self.state, command)
                    self._start(name, after, later)
                case CancelTimer(name):
                    self.cancel(name)
                case Stop():
                    self.stop = command
                case Next(following):
                    self.inserted = self.inserted or []
                    self.inserted.append(following)
                case Postpone():
                    self.postpone = True  # once, even if it is repeated: gen_statem(3), `action()`

    def cancel(self, name: Hashable) -> None:
        """Cancel a timer, if it runs."""
        if (self.timers or {}).get(name, self._running.get(name)) is not None:
            self._change(name, None)
            self.due.append(CancelTimer(name))

    def _start(self, name: Hashable, after: float, event: object) -> None:
        self.serial += 1
        self._change(name, TimerEntry(self.serial, event))
        fired = TimerFired(name, self.serial)
        if after == 0:  # handled before any event from outside, without a timer (gen_statem(3))
            self.at_once = self.at_once or []
            self.at_once.append(fired)
        else:
            self.due.append(StartTimer(name, after, fired))

    def _change(self, name: Hashable, entry: TimerEntry | None) -> None:
        self.timers = self.timers or {}
        self.timers[name] = entry
