"""`explore`: every short sequence of events, breadth first."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Collection, Hashable, Iterator, Sequence
from typing import Generic, TypeVar, cast

import attrs

from greenroom.actors.machine.host import MachineHost
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.runner import TimerFired
from greenroom.actors.text.safe import safe_str
from greenroom.testing.machines.exploration import Deadlock, Exploration, Violation
from greenroom.testing.machines.trace import Cause, Taken, Trace
from greenroom.testing.machines.watched_runner import (
    Invariant,
    StepCheck,
    WatchedRunner,
    check_known,
    check_step,
    machine_of,
)

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")
E = TypeVar("E")


def explore(
    machine: Machine[S, D, C] | type[MachineHost[E, S, D, C]],
    data: D | None = None,
    *,
    events: Collection[object] = (),
    depth: int = 6,
    invariants: Sequence[Invariant[S, D]] = (),
    checks: Sequence[StepCheck] = (),
    refusals: Sequence[type[Exception]] = (),
    limit: int = 100_000,
) -> Exploration[S, D]:
    """Walk all sequences of up to `depth` of the example `events`, shortest first.

    It starts with `data`. Wherever the table takes an event it is tried, and wherever a timer runs
    it fires. Situations (state, data, timers, what is postponed) that were met before are not
    walked again; at most `limit` are. Event types without an example are tried if they can be made
    without arguments. `invariants`, `checks` and `refusals` are those of `machine_test`; what
    breaks one is reported with its shortest sequence, not raised (`Exploration.check` does).
    A class of machine actors stands for its machine. Raises `MachineFault` for an example that no
    state takes, `ValueError` for a `depth` below 0.
    """
    machine = machine_of(machine)
    check_known(machine, (type(event) for event in events))
    if depth < 0:
        raise ValueError(f"depth is a number of events, 0 or more, not {depth}")
    examples = [*events, *_defaults(machine, events)]
    walk = Walk(machine, examples, tuple(invariants), tuple(checks), tuple(refusals), limit)
    return walk.run(cast(D, data), depth)


@attrs.define(eq=False)
class Situation(Generic[S, D, C]):
    """A runner at rest, and how it came there."""

    runner: WatchedRunner[S, D, C]
    number: int
    before: Situation[S, D, C] | None = None
    steps: tuple[Taken, ...] = ()
    after: set[int] = attrs.field(factory=set)

    @property
    def length(self) -> int:
        return 0 if self.before is None else self.before.length + 1

    def trace(self, *more: Taken) -> Trace:
        steps = list(reversed(more))
        situation: Situation[S, D, C] | None = self
        while situation is not None:
            steps.extend(reversed(situation.steps))
            situation = situation.before
        return Trace(self.runner.machine.name, tuple(reversed(steps)))


@attrs.define
class Walk(Generic[S, D, C]):
    """One exploration while it goes on."""

    machine: Machine[S, D, C]
    examples: Sequence[object]
    invariants: Sequence[Invariant[S, D]]
    checks: Sequence[StepCheck]
    refusals: tuple[type[Exception], ...]
    limit: int
    known: dict[Hashable, Situation[S, D, C]] = attrs.field(factory=dict)
    covered: set[tuple[S, type[object]]] = attrs.field(factory=set)
    timers: set[type[object]] = attrs.field(factory=set)
    violations: dict[Hashable, Violation] = attrs.field(factory=dict)
    frontier: deque[Situation[S, D, C]] = attrs.field(factory=deque)
    walked: set[int] = attrs.field(factory=set)
    broken: set[int] = attrs.field(factory=set)

    def run(self, data: D, depth: int) -> Exploration[S, D]:
        first = WatchedRunner(self.machine, data)
        first.start()
        self._reach(first, None)
        while self.frontier and self.frontier[0].length < depth and len(self.known) < self.limit:
            self._walk(self.frontier.popleft())
        return self._report(depth)

    def _walk(self, situation: Situation[S, D, C]) -> None:
        self.walked.add(situation.number)
        for event in self._events(situation.runner):
            twin = situation.runner.fork()
            try:
                twin.handle(event)
            except self.refusals:
                continue
            except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
                self._violated(situation, twin, error)
            else:
                self._reach(twin, situation)

    def _events(self, runner: WatchedRunner[S, D, C]) -> Iterator[object]:
        if runner.done:
            return
        takes = self.machine.takes(runner.state)
        yield from (event for event in self.examples if type(event) in takes)
        for name, entry in sorted(runner.timers.items(), key=lambda each: each[1].serial):
            yield TimerFired(name, entry.serial)

    def _reach(self, runner: WatchedRunner[S, D, C], before: Situation[S, D, C] | None) -> None:
        steps = tuple(runner.steps)
        key = _key(runner)
        found = self.known.get(key)
        self._note(steps, runner)
        situation = found or Situation(runner, len(self.known), before, steps)
        if before is not None:
            before.after.add(situation.number)
        try:
            check_step(runner, 0, self.invariants if found is None else (), self.checks)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
            self._violated(before or situation, runner, error)
            self.broken.add(situation.number)
        runner.steps.clear()
        if found is None:
            self.known[key] = situation
            if situation.number not in self.broken:
                self.frontier.append(situation)

    def _note(self, steps: Sequence[Taken], runner: WatchedRunner[S, D, C]) -> None:
        for taken in steps:
            if taken.cause is not Cause.START:
                self.covered.add((taken.state, type(taken.event)))  # type: ignore[arg-type]  # S
        self.timers.update(type(entry.event) for entry in runner.timers.values())

    def _violated(
        self, before: Situation[S, D, C], runner: WatchedRunner[S, D, C], error: Exception
    ) -> None:
        self.broken.add(before.number)
        kind = (type(error), *getattr(error, "__notes__", ()))
        if kind not in self.violations:
            steps = () if before.runner is runner else runner.steps
            self.violations[kind] = Violation(_said(error), before.trace(*steps))

    def _report(self, depth: int) -> Exploration[S, D]:
        table = [
            (state, event) for state in self.machine.states for event in self.machine.takes(state)
        ]
        situations = sorted(self.known.values(), key=lambda each: each.number)
        shortest: dict[S, Trace] = {}
        for situation in situations:
            if situation.runner.state not in shortest:
                shortest[situation.runner.state] = situation.trace()
        stuck = [each for each in situations if self._stuck(each)]
        return Exploration(
            machine=self.machine.name,
            depth=depth,
            complete=not self.frontier,
            situations=len(situations),
            states=self.machine.states,
            shortest=shortest,
            covered=frozenset(pair for pair in table if pair in self.covered),
            uncovered=tuple(pair for pair in table if pair not in self.covered),
            idle_timers=tuple(
                event for event in self.machine.timers or () if event not in self.timers
            ),
            deadlocks=tuple(_deadlock(each) for each in stuck),
            trapped=tuple(_deadlock(each) for each in self._trapped(situations, stuck)),
            violations=tuple(self.violations.values()),
        )

    def _stuck(self, situation: Situation[S, D, C]) -> bool:
        """Walked, not at an end, and every event led back to where it was.

        A machine without an end is not stuck while it takes events.
        """
        stays = {situation.number} if self.machine.final else set[int]()
        return (
            situation.number in self.walked
            and situation.number not in self.broken
            and not situation.runner.done
            and situation.after <= stays
        )

    def _trapped(
        self, situations: Sequence[Situation[S, D, C]], stuck: Sequence[Situation[S, D, C]]
    ) -> list[Situation[S, D, C]]:
        """Situations from which no end is reached, in a machine that has one, fully walked."""
        if self.frontier or not self.machine.final:
            return []
        ends = {each.number for each in situations if each.runner.done} | self.broken
        grown = True
        while grown:
            more = {each.number for each in situations if each.after & ends} - ends
            ends |= more
            grown = bool(more)
        stuck_numbers = {each.number for each in stuck}
        return [each for each in situations if each.number not in ends | stuck_numbers]


def _deadlock(situation: Situation[S, D, C]) -> Deadlock[S, D]:
    return Deadlock(situation.runner.state, situation.runner.data, situation.trace())


def _key(runner: WatchedRunner[S, D, C]) -> Hashable:
    """Equal for runners that will do the same from here on."""
    timers = tuple(
        (str(name), _hashable(entry.event))
        for name, entry in sorted(runner.timers.items(), key=lambda each: str(each[0]))
    )
    waiting = tuple(_hashable(event) for event in runner.waiting)
    return (runner.state, _hashable(runner.data), timers, waiting, runner.done)


def _hashable(value: object) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def _said(error: Exception) -> str:
    where = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
    text = safe_str(error).strip().partition("\n")[0]
    return f"{where}{type(error).__name__}{f': {text}' if text else ''}"


def _defaults(machine: Machine[S, D, C], given: Collection[object]) -> Iterator[object]:
    """An instance of every event type without an example, if it takes no arguments."""
    have = {type(event) for event in given} | set(machine.timers or ())
    for event in machine.events:
        if event not in have:
            try:
                example = event()
            except Exception:  # noqa: BLE001  # it needs arguments, or refuses its own defaults
                continue  # the report will list its pairs as not covered
            yield example
