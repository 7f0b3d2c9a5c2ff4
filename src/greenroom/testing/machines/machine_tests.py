"""`machine_test`: Hypothesis tests out of a machine's table."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar, cast

import hypothesis
from hypothesis import core
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

from greenroom.actors.machine.host import MachineHost
from greenroom.actors.machine.machine import Machine
from greenroom.testing.machines.drawn_events import events_of
from greenroom.testing.machines.machine_life import (
    EventsToDraw,
    Falls,
    Fires,
    Given,
    Input,
    MachineLife,
    Plan,
)
from greenroom.testing.machines.simplest_failure import Failure
from greenroom.testing.machines.watched_runner import Invariant, StepCheck, check_known, machine_of

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")
E = TypeVar("E")

PHASES = tuple(phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain)
"""Explaining would name lines of this package."""

SHORT_LIFE = 12
"""Inputs after which a new machine may replace the old one: many machines get stuck somewhere."""


def machine_test(
    machine: Machine[S, D, C] | type[MachineHost[E, S, D, C]],
    *,
    data: D | SearchStrategy[D] | None = None,
    events: Mapping[type[object], EventsToDraw] | Collection[object] = (),
    invariants: Sequence[Invariant[S, D]] = (),
    checks: Sequence[StepCheck] = (),
    crash: bool | Callable[[D], D] = False,
    refusals: Sequence[type[Exception]] = (),
) -> type[RuleBasedStateMachine]:
    """A Hypothesis test class for any machine: `TestGate = machine_test(gate).TestCase`.

    A class of machine actors stands for its machine; `data` is to be given then too.

    It sends events the state takes, and events it refuses, which must raise `UnlistedPair` and
    change nothing; lets any running timer fire at any time, in any order; and finds handlers that
    raise, go where their row does not say, change their data in place, or never settle.

    `data` is what the machine starts with, or a strategy for it. `events` are examples, or a
    strategy for each event type, or a function of (state, data) that gives one; types left out are
    built from their type hints, as their validators take them, unless only timers deliver them
    (`Machine.timers`); `MachineFault` says which types need a strategy. Each of
    `invariants` is called with (state, data) whenever the machine rests, each of `checks` with
    every step (`Taken`); they raise, or return False, if they do not hold. `crash` throws the
    machine away at any time and starts it again with its first data, or with what the
    function keeps of the last data. `refusals` are errors by which a handler may refuse an
    event: then nothing may have changed.

    A failure shows the shortest sequence found, as a table and as a Mermaid diagram, and the seed.
    """
    machine = machine_of(machine)
    given = (
        cast(Mapping[type[object], EventsToDraw], events)
        if isinstance(events, Mapping)
        else _examples(events)
    )
    plan = Plan(
        machine,
        data if isinstance(data, SearchStrategy) else st.just(cast(D, data)),
        _strategies(machine, given),
        tuple(invariants),
        tuple(checks),
        crash,
        tuple(refusals),
    )
    rules = {f"take_{event.__name__}": _taking(event, plan) for event in plan.strategies}
    members = {"plan": plan, "begin": initialize(data=plan.first)(_begin), **rules}
    name = "".join(part.capitalize() for part in machine.name.split())
    test = cast(type[MachineRules[S, D, C]], type(f"{name}Test", (MachineRules,), members))
    _tell_failures(test)
    return test


class MachineRules(RuleBasedStateMachine, Generic[S, D, C]):
    """The rules every machine is tested by; `machine_test` adds one for each of its events."""

    plan: Plan[S, D, C]  # the class has it, one class for each machine
    life: MachineLife[S, D, C]

    @precondition(lambda self: self.refusable())
    @rule(draw=st.data())
    def refuse(self, draw: DataObject) -> None:
        """An event that the state does not take."""
        self.undergo(Given(self.drawn(draw, draw.draw(st.sampled_from(self.refusable())))))

    @precondition(lambda self: self.life.runner.timers)
    @rule(which=st.integers(0, 7))
    def time_passes(self, which: int) -> None:
        """One of the running timers fires: any of them, time has no say here."""
        names = sorted(self.life.runner.timers, key=str)
        self.undergo(Fires(names[which % len(names)]))

    @precondition(lambda self: self.plan.crash)
    @rule()
    def crash(self) -> None:
        """The machine falls, and starts again."""
        self.undergo(Falls())

    @precondition(lambda self: self.life.runner.done or len(self.life.inputs) > SHORT_LIFE)
    @rule()
    def another(self) -> None:
        """This one has shown enough."""
        self.start(self.life.first)

    def start(self, data: D) -> None:
        self.life = MachineLife(self.plan, data)
        with self._noted():
            self.life.begin()

    def undergo(self, given: Input) -> None:
        with self._noted():
            self.life.undergo(given)

    def refusable(self) -> list[type[object]]:
        return [event for event in self.plan.strategies if not self.life.takes(event)]

    def drawn(self, draw: DataObject, event: type[object]) -> object:
        runner = self.life.runner
        return draw.draw(self.plan.strategy(event, runner.state, runner.data))

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Keep with an error the life it ended: `_told` makes words of it, once."""
        try:
            yield
        except HypothesisException:
            raise
        except Exception as error:
            vars(error)["machine_failure"] = Failure.of(self.life, error)
            raise


def _begin(self: MachineRules[S, D, C], data: D) -> None:
    self.start(data)


def _examples(events: Collection[object]) -> dict[type[object], EventsToDraw]:
    types = dict.fromkeys(type(event) for event in events)
    return {each: st.sampled_from([e for e in events if type(e) is each]) for each in types}


def _strategies(
    machine: Machine[S, D, C], given: Mapping[type[object], EventsToDraw]
) -> dict[type[object], EventsToDraw]:
    check_known(machine, given)
    timers = frozenset(machine.timers or ()) - given.keys()
    sent = [event for event in machine.events if event not in timers]
    return {
        event: given[event] if event in given else events_of(machine.name, event) for event in sent
    }


def _taking(event: type[object], plan: Plan[S, D, C]) -> Callable[..., None]:
    """The rule of one event type: enabled where the table has a row for it."""

    def takes(self: MachineRules[S, D, C]) -> bool:
        return self.life.takes(event)

    def take_known(self: MachineRules[S, D, C], event: object) -> None:
        self.undergo(Given(event))

    def take_drawn(self: MachineRules[S, D, C], draw: DataObject) -> None:
        self.undergo(Given(self.drawn(draw, event)))

    strategy = plan.strategies[event]
    take_known.__name__ = take_drawn.__name__ = f"take_{event.__name__}"
    if isinstance(strategy, SearchStrategy):
        return precondition(takes)(rule(event=strategy)(take_known))
    return precondition(takes)(rule(draw=st.data())(take_drawn))


def _tell_failures(test: type[MachineRules[S, D, C]]) -> None:
    """Give every run of the test case a seed that is printed, and describe its failures."""

    def runTest(self: object) -> None:  # noqa: N802  # unittest's name
        __tracebackhide__ = True  # pytest need not show how it was found
        settings = type(self).settings  # type: ignore[attr-defined]  # every TestCase has them
        seed = _seed(test, settings)
        seeded = test if seed is None else hypothesis.seed(seed)(_fresh(test))
        found: Exception | None = None
        try:
            run_state_machine_as_test(seeded, settings=_without_shrinking(settings))
        except Exception as error:  # noqa: BLE001  # reported below, where it is no error's context
            found = error
        if found is not None:
            raise _told(found, seed, shrink=hypothesis.Phase.shrink in settings.phases)

    runTest.is_hypothesis_test = True  # type: ignore[attr-defined]  # pytest plugins ask for it
    runTest._hypothesis_state_machine_class = test  # type: ignore[attr-defined]  # the same
    case = test.TestCase  # made once for each class
    case.runTest = runTest  # type: ignore[method-assign]  # the one place where it can be seeded
    quiet = hypothesis.Verbosity.quiet  # its list of calls would say the table again, longer
    case.settings = hypothesis.settings(case.settings, phases=PHASES, verbosity=quiet)


def _fresh(test: type[MachineRules[S, D, C]]) -> type[MachineRules[S, D, C]]:
    """A class of its own to bear the seed of one run."""
    return cast(type[MachineRules[S, D, C]], type(test.__name__, (test,), {}))


def _seed(test: type[MachineRules[S, D, C]], settings: hypothesis.settings) -> int | None:
    """`@seed`, `--hypothesis-seed`, or a new one; None if the settings fix every run anyway."""
    seed: int | None = getattr(test, "_hypothesis_internal_use_seed", core.global_force_seed)
    if seed is None and not settings.derandomize:
        return secrets.randbits(32)
    return seed


def _without_shrinking(settings: hypothesis.settings) -> hypothesis.settings:
    """`Failure.simplest` does it, in a hundredth of the time."""
    phases = [phase for phase in settings.phases if phase is not hypothesis.Phase.shrink]
    return hypothesis.settings(settings, phases=phases)


def _told(error: Exception, seed: int | None, *, shrink: bool) -> Exception:
    """The error to raise instead: that of the simplest failure of the kind, with its story."""
    if isinstance(error, ExceptionGroup):  # several bugs that Hypothesis remembered
        return error.derive([_told(each, seed, shrink=shrink) for each in error.exceptions])
    failure: Failure[enum.Enum, object, object] | None = vars(error).get("machine_failure")
    if failure is None:
        return error
    simplest = failure.simplest(seed or 0) if shrink else failure.shortest()
    notes = error.__notes__[len(failure.notes) :] if hasattr(error, "__notes__") else []
    for note in (*notes, _story(simplest, seed)):
        simplest.error.add_note(note)
    return simplest.error


def _story(failure: Failure[S, D, C], seed: int | None) -> str:
    runner = failure.life.runner
    trace = runner.trace()
    parts = [
        f"\nmachine {trace.machine!r} after {len(trace)} steps, in {runner.state.name} "
        f"with {runner.data!r}:",
        trace.table(),
        f"```mermaid\n{trace.diagram()}```",
    ]
    if seed is not None:
        parts.append(f"The same again: pytest --hypothesis-seed={seed}")
    return "\n\n".join(parts)
