"""`machine_test`: Hypothesis tests out of a machine's table."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, Generic, TypeVar, cast

import attrs
import hypothesis
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import DataObject, SearchStrategy

from greenroom.actors.machine import Machine, UnlistedPair
from greenroom.actors.machine_runner import MachineStopped, TimerFired
from greenroom.testing.watched_runner import (
    Check,
    Invariant,
    MachineFault,
    WatchedRunner,
    check_step,
)

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")

PHASES = tuple(phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain)
"""Explaining would name the lines of this file: the table says more."""

Events = SearchStrategy[object] | Callable[[enum.Enum, object], SearchStrategy[object]]


@attrs.frozen
class Plan(Generic[S, D, C]):
    """What `machine_test` was given."""

    machine: Machine[S, D, C]
    strategies: Mapping[type[object], Events]
    timers: frozenset[type[object]]
    invariants: Sequence[Invariant[S, D]]
    checks: Sequence[Check]
    crash: bool | Callable[[D], D]
    refusals: tuple[type[Exception], ...]

    def sendable(self, state: S) -> list[type[object]]:
        """The event types that may come from outside and that this state refuses."""
        return [event for event in self.strategies if event not in self.machine.takes(state)]


def machine_test(
    machine: Machine[S, D, C],
    *,
    data: D | SearchStrategy[D],
    events: Mapping[type[object], Events] | None = None,
    invariants: Sequence[Invariant[S, D]] = (),
    checks: Sequence[Check] = (),
    crash: bool | Callable[[D], D] = False,
    refusals: Sequence[type[Exception]] = (),
) -> type[RuleBasedStateMachine]:
    """A Hypothesis test class for any machine: `TestGate = machine_test(gate, data=0).TestCase`.

    It sends events the state takes, and events it refuses, which must raise `UnlistedPair` and
    change nothing; lets any running timer fire at any time, in any order; and finds handlers that
    raise, go where their row does not say, change their data in place, or never settle.

    `data` is what the machine starts with, or a strategy for it. `events` gives a strategy for an
    event type, or a function of (state, data) that does; types left out are built from their type
    hints, unless only timers deliver them (`Machine.timers`). Each of `invariants` is called with
    (state, data) whenever the machine rests, each of `checks` with every step (`Taken`); they
    raise if they do not hold. `crash` throws the machine away at any time and starts anew with its
    first data, or with what the given function keeps of the last. `refusals` are errors by which a
    handler may refuse an event: then nothing may have changed.

    A failure tells the shortest sequence found, as a table and as a Mermaid diagram, and the seed.
    """
    timers = frozenset(machine.timers or ()) - frozenset(events or ())
    plan = Plan(
        machine,
        _strategies(machine, events or {}, timers),
        timers,
        tuple(invariants),
        tuple(checks),
        crash,
        tuple(refusals),
    )
    name = "".join(part.capitalize() for part in machine.name.split())
    first = data if isinstance(data, SearchStrategy) else st.just(data)
    rules = {f"take_{event.__name__}": _taking(event, plan) for event in plan.strategies}
    members = {"plan": plan, "begin": initialize(data=first)(begin), **rules}
    test = cast(type[MachineRules[S, D, C]], type(f"{name}Test", (MachineRules,), members))
    _seed_runs(test)
    return test


class MachineRules(RuleBasedStateMachine, Generic[S, D, C]):
    """The rules every machine is tested by; `machine_test` adds those of its events."""

    plan: ClassVar[Plan[S, D, C]]
    seed: ClassVar[int | None] = None
    runner: WatchedRunner[S, D, C]

    def take(self, event: object) -> None:
        """An event that the state takes."""
        with self._telling():
            self._handle(event)

    @precondition(lambda self: self.plan.sendable(self.runner.state))
    @rule(draw=st.data())
    def refuse(self, draw: DataObject) -> None:
        """An event that the state does not take."""
        types = self.plan.sendable(self.runner.state)
        event = self._draw(draw, draw.draw(st.sampled_from(types)))
        with self._telling():
            self._refuse(event)

    @precondition(lambda self: self.runner.timers)
    @rule(which=st.integers(0, 7))
    def time_passes(self, which: int) -> None:
        """One of the running timers fires: any of them, time has no say here."""
        names = sorted(self.runner.timers, key=str)
        name = names[which % len(names)]
        with self._telling():
            self._handle(TimerFired(name, self.runner.timers[name].serial))

    @precondition(lambda self: self.plan.crash)
    @rule()
    def crash(self) -> None:
        """The machine falls, and starts again."""
        keep = self.plan.crash
        since = len(self.runner.steps)
        with self._telling():
            self.runner.crash(keep(self.runner.data) if callable(keep) else self.first)
            self._check(since)

    def _begin(self, data: D) -> None:
        self.first = data
        self.runner = WatchedRunner(self.plan.machine, data)
        with self._telling():
            self.runner.start()
            self._check(0)

    def _handle(self, event: object) -> None:
        since, before = len(self.runner.steps), self._standing()
        try:
            self.runner.handle(event)
        except self.plan.refusals as refusal:
            self.runner.refused(event, type(refusal).__name__)
            self._check_unchanged(event, before)
        self._check(since)

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
        return runner.state, runner.data, runner.postponed, dict(runner.timers)

    def _check_unchanged(self, event: object, before: tuple[object, ...]) -> None:
        if self._standing() != before:
            raise MachineFault(
                f"{type(event).__name__} was refused, yet it changed {before[:2]!r} "
                f"to {self._standing()[:2]!r}"
            )

    def _check(self, since: int) -> None:
        check_step(self.runner, since, self.plan.invariants, self.plan.checks)

    def _draw(self, draw: DataObject, event: type[object]) -> object:
        strategy = self.plan.strategies[event]
        if not isinstance(strategy, SearchStrategy):
            strategy = strategy(self.runner.state, self.runner.data)
        return draw.draw(strategy)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except HypothesisException:
            raise
        except Exception as error:
            error.add_note(self._story())
            raise

    def _story(self) -> str:
        trace = self.runner.trace()
        parts = [
            f"\nmachine {trace.machine!r} after {len(trace)} steps, in {self.runner.state.name} "
            f"with {self.runner.data!r}:",
            trace.table(),
            f"```mermaid\n{trace.diagram()}```",
        ]
        if self.seed is not None:
            parts.append(f"The same again: pytest --hypothesis-seed={self.seed}")
        return "\n\n".join(parts)


def begin(self: MachineRules[S, D, C], data: D) -> None:
    """The first step of every run; Hypothesis prints its name."""
    self._begin(data)


def _strategies(
    machine: Machine[S, D, C],
    given: Mapping[type[object], Events],
    timers: frozenset[type[object]],
) -> dict[type[object], Events]:
    strays = [event.__name__ for event in given if event not in machine.events]
    if strays:
        raise MachineFault(f"machine {machine.name!r} takes no {', '.join(strays)} in any state")
    sent = [event for event in machine.events if event not in timers]
    return {event: given[event] if event in given else st.from_type(event) for event in sent}


def _taking(event: type[object], plan: Plan[S, D, C]) -> Callable[..., None]:
    """The rule of one event type: enabled where the table has a row for it."""

    def takes(self: MachineRules[S, D, C]) -> bool:
        return not self.runner.done and event in plan.machine.takes(self.runner.state)

    def take_known(self: MachineRules[S, D, C], event: object) -> None:
        self.take(event)

    def take_drawn(self: MachineRules[S, D, C], draw: DataObject) -> None:
        self.take(self._draw(draw, event))

    strategy = plan.strategies[event]
    take_known.__name__ = take_drawn.__name__ = f"take_{event.__name__}"
    if isinstance(strategy, SearchStrategy):
        return precondition(takes)(rule(event=strategy)(take_known))
    return precondition(takes)(rule(draw=st.data())(take_drawn))


def _seed_runs(test: type[MachineRules[S, D, C]]) -> None:
    """Give every run of the test case a seed that can be told and given back."""

    def runTest(self: object) -> None:  # noqa: N802  # unittest's name
        settings = type(self).settings  # type: ignore[attr-defined]  # every TestCase has them
        run_state_machine_as_test(_seeded(test, settings), settings=settings)

    runTest.is_hypothesis_test = True  # type: ignore[attr-defined]  # pytest plugins ask for it
    runTest._hypothesis_state_machine_class = test  # type: ignore[attr-defined]  # the same
    case = test.TestCase  # made once for each class
    case.runTest = runTest  # type: ignore[method-assign]  # the one place where it can be seeded
    case.settings = hypothesis.settings(case.settings, phases=PHASES)


def _seeded(
    test: type[MachineRules[S, D, C]], settings: hypothesis.settings
) -> type[MachineRules[S, D, C]]:
    seed = getattr(test, "_hypothesis_internal_use_seed", hypothesis.core.global_force_seed)
    if seed is None and settings.derandomize:
        return test
    seed = secrets.randbits(32) if seed is None else seed
    run = cast(type[MachineRules[S, D, C]], type(test.__name__, (test,), {"seed": seed}))
    return hypothesis.seed(seed)(run)
