"""One life of a machine under test: what was done to it, and how that is done again."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

import attrs
from hypothesis.strategies import SearchStrategy

from greenroom.actors.machine.machine import Machine, UnlistedPair
from greenroom.actors.machine.runner import MachineStopped, TimerFired
from greenroom.testing.machines.watched_runner import (
    Invariant,
    MachineFault,
    StepCheck,
    WatchedRunner,
    check_step,
)

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")

EventsToDraw = SearchStrategy[object] | Callable[[enum.Enum, object], SearchStrategy[object]]


@attrs.frozen
class Plan(Generic[S, D, C]):
    """The arguments of `machine_test`."""

    machine: Machine[S, D, C]
    first: SearchStrategy[D]
    strategies: Mapping[type[object], EventsToDraw]
    invariants: Sequence[Invariant[S, D]]
    checks: Sequence[StepCheck]
    crash: bool | Callable[[D], D]
    refusals: tuple[type[Exception], ...]

    def strategy(self, event: type[object], state: S, data: D) -> SearchStrategy[object]:
        """What events of the type are drawn from, where a machine stands."""
        strategy = self.strategies[event]
        return strategy if isinstance(strategy, SearchStrategy) else strategy(state, data)


@attrs.frozen
class Given:
    """An event from outside, which the table takes or refuses."""

    event: object


@attrs.frozen
class Fires:
    """A running timer is due."""

    name: Hashable


@attrs.frozen
class Falls:
    """The machine is lost and starts again."""


Input = Given | Fires | Falls


class MachineLife(Generic[S, D, C]):
    """A machine from its start on; `inputs` is what was done to it."""

    def __init__(self, plan: Plan[S, D, C], data: D) -> None:
        self.plan = plan
        self.first = data
        self.inputs: list[Input] = []
        self.runner = WatchedRunner(plan.machine, data)

    def begin(self) -> None:
        self.runner.start()
        self._check(0)

    def undergo(self, given: Input) -> None:
        """Do it, and check all that must hold. Raises what the machine or a check raises."""
        __tracebackhide__ = True
        self.inputs.append(given)
        since = len(self.runner.steps)
        match given:
            case Given(event) if self.takes(type(event)):
                self._take(event)
            case Given(event):
                self._refuse(event)
            case Fires(name):
                self._take(TimerFired(name, self.runner.timers[name].serial))
            case Falls():
                keep = self.plan.crash
                self.runner.crash(keep(self.runner.data) if callable(keep) else self.first)
        self._check(since)

    def takes(self, event: type[object]) -> bool:
        return not self.runner.done and event in self.plan.machine.takes(self.runner.state)

    def can(self, given: Input) -> bool:
        """A timer must run to fire; anything else can be done at any time."""
        return not isinstance(given, Fires) or given.name in self.runner.timers

    def _take(self, event: object) -> None:
        __tracebackhide__ = True
        before = self._standing()
        try:
            self.runner.handle(event)
        except self.plan.refusals as refusal:
            self.runner.refused(event, type(refusal).__name__)
            self._check_unchanged(event, before)

    def _refuse(self, event: object) -> None:
        before = self._standing()
        try:
            self.runner.handle(event)
        except (UnlistedPair, MachineStopped):
            self.runner.refused(event, "refused")
            self._check_unchanged(event, before)
        else:
            raise MachineFault(f"{type(event).__name__} was taken, though no row lists it")

    def _standing(self) -> tuple[object, ...]:
        runner = self.runner
        return runner.state, runner.data, runner.waiting, dict(runner.timers)

    def _check_unchanged(self, event: object, before: tuple[object, ...]) -> None:
        if self._standing() != before:
            raise MachineFault(
                f"{type(event).__name__} was refused, yet it changed {before[:2]!r} "
                f"to {self._standing()[:2]!r}"
            )

    def _check(self, since: int) -> None:
        __tracebackhide__ = True
        check_step(self.runner, since, self.plan.invariants, self.plan.checks)
