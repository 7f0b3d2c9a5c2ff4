"""A runner that writes down what it does, and catches handlers that change their arguments."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Generic, Self, TypeVar

from greenroom.actors.errors import GreenroomError
from greenroom.actors.machine.check import event_names
from greenroom.actors.machine.host import MachineHost
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.runner import MachineRunner, TimerFired, check_data
from greenroom.actors.machine.step import CancelTimer, StartTimer
from greenroom.testing.machines.trace import Cause, Taken, Trace, short

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")
E = TypeVar("E")

Invariant = Callable[[S, D], bool | None]
StepCheck = Callable[[Taken], bool | None]


class MachineFault(GreenroomError, AssertionError):
    """A machine did what no machine may do, or a test asks for something impossible."""


def machine_of(
    found: Machine[S, D, C] | type[MachineHost[E, S, D, C]],
) -> Machine[S, D, C]:
    """The machine itself, or that of an actor's class. Raises `MachineFault` for anything else."""
    machine: object = getattr(found, "machine", found)
    if not isinstance(machine, Machine):
        raise MachineFault(
            f"a test needs a machine, not {found!r}",
            advice="give `Machine(name=…, states=…, …)`, or a class of actors that has one",
        )
    return machine


def check_known(machine: Machine[S, D, C], events: Iterable[type[object]]) -> None:
    """Raise `MachineFault` naming the types that no row of the table has."""
    strays = [event.__name__ for event in events if event not in machine.events]
    if strays:
        raise MachineFault(
            f"machine {machine.name!r} takes no {', '.join(dict.fromkeys(strays))} in any state",
            advice=f"it takes {event_names(machine.events)}",
        )


class WatchedRunner(MachineRunner[S, D, C], Generic[S, D, C]):
    """`steps` holds what was done; a handler that changes its data or event in place is a fault."""

    max_steps = 1000

    def __init__(self, machine: Machine[S, D, C], data: D) -> None:
        self.steps: list[Taken] = []
        self._step = 0
        self._cause = Cause.GIVEN
        self._waited: list[object] = []
        super().__init__(machine, data)

    def start(self) -> list[C | StartTimer | CancelTimer]:
        before = (self.state, self.data)
        commands = super().start()
        if commands:
            entered = Taken(0, Cause.START, None, *before, *before, commands=tuple(commands))
            self.steps.insert(0, entered)
        return commands

    def handle(self, event: object) -> list[C | StartTimer | CancelTimer]:
        self._step += 1
        self._cause = Cause.TIMER if type(event) is TimerFired else Cause.GIVEN
        return super().handle(event)

    def fork(self) -> Self:
        twin = super().fork()
        twin.steps, twin._waited = [], self._waited.copy()
        return twin

    def refused(self, event: object, outcome: str) -> None:
        """Write down that the last event was refused and changed nothing."""
        self.steps = [each for each in self.steps if each.step != self._step]
        self.steps.append(self._taken(Cause.GIVEN, event, self.state, self.data, (), outcome))

    def crash(self, data: D) -> None:
        """Begin again from `data`, as a restarted actor does; the steps go on."""
        step = self._step + 1
        fell = Taken(
            step, Cause.CRASH, None, self.state, self.data, self.machine.initial, data, outcome=""
        )
        steps = [*self.steps, fell]
        self.__init__(self.machine, data)  # type: ignore[misc]  # that is what a restart is
        self.steps, self._step = steps, step
        self.start()

    def _take(self, event: object) -> None:
        state, data, known = self.state, self.data, len(self._due)
        cause, self._cause = self._cause_of(event), Cause.NEXT
        waiting = len(self._postponed)
        copies = Copies(data, event)
        try:
            with noting(f"{type(event).__name__} in {state.name}"):
                super()._take(event)
                if self.data is not data:
                    check_data(self.machine.name, self.data)
        except Exception as error:
            self.steps.append(self._taken(cause, event, state, data, (), type(error).__name__))
            raise
        outcome = "postponed" if len(self._postponed) > waiting else ""
        self.steps.append(self._taken(cause, event, state, data, tuple(self._due[known:]), outcome))
        copies.check(self.machine.name, state, event, data)

    def _postpone(self, event: object) -> None:
        super()._postpone(event)
        self._waited.append(event)

    def _cause_of(self, event: object) -> Cause:
        if self._cause is Cause.NEXT and any(event is each for each in self._waited):
            return Cause.AGAIN
        return self._cause

    def _taken(
        self,
        cause: Cause,
        event: object,
        state: S,
        data: D,
        commands: Sequence[object],
        outcome: str,
    ) -> Taken:
        commands = tuple(commands)
        return Taken(
            self._step, cause, event, state, data, self.state, self.data, commands, outcome
        )

    def trace(self) -> Trace:
        return Trace(self.machine.name, tuple(self.steps))


class Copies:
    """Deep copies of a handler's arguments, to check afterwards that it did not change them."""

    def __init__(self, data: object, event: object) -> None:
        self._data, self._event = _copy_of(data), _copy_of(event)

    def check(self, machine: str, state: enum.Enum, event: object, data: object) -> None:
        for what, value, copy in (("data", data, self._data), ("event", event, self._event)):
            if copy is not None and not _same(value, copy[0]):
                raise MachineFault(
                    f"machine {machine!r}: the handler of {type(event).__name__} in {state.name} "
                    f"changed its {what} in place, from {copy[0]!r} to {value!r}",
                    advice="return new data: attrs.evolve, (*old, new), {**old, key: value}",
                )


def _copy_of(value: object) -> tuple[object] | None:
    """None for a value that cannot be copied, or whose copies are not equal to it."""
    try:
        copy: object = deepcopy(value)
    except (TypeError, ValueError, AttributeError, RecursionError):
        return None
    return (copy,) if _same(copy, value) else None


def _same(one: object, other: object) -> bool:
    return bool(one == other)


def check_step(
    runner: WatchedRunner[S, D, C],
    since: int,
    invariants: Sequence[Invariant[S, D]],
    checks: Sequence[StepCheck],
) -> None:
    """Call every check with each step from number `since` of the list on, and every invariant.

    Each holds if it returns True or nothing. Raises what they raise, or `MachineFault`.
    """
    __tracebackhide__ = True
    for check in checks:
        with noting(f"check {_name(check)}"):
            for taken in runner.steps[since:]:
                _check_held(check(taken))
    for invariant in invariants:
        with noting(f"invariant {_name(invariant)}"):
            _check_held(invariant(runner.state, runner.data))


def _check_held(answer: object) -> None:
    __tracebackhide__ = True
    if answer is False:
        raise MachineFault("it does not hold: it returned False")
    if answer is not None and answer is not True:
        raise MachineFault(
            f"it returned {short(answer)}, which says neither that it holds nor that it does not",
            advice="return True or False, or nothing and raise if it does not hold",
        )


@contextmanager
def noting(where: str) -> Iterator[None]:
    """Note on an error in the block where it came from."""
    try:
        yield
    except Exception as error:
        error.add_note(where)
        raise


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__name__", repr(function))
