"""Which pairs of a machine's table a test-suite takes, and the gate on it."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from greenroom.actors.machine.host import MachineHost
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step
from greenroom.testing.machines.watched_runner import MachineFault, machine_of

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")
E = TypeVar("E")

Pair = tuple[enum.Enum, type[object]]


class TransitionRecorder(Generic[S, D, C]):
    """Stands in for a machine's `step`, and counts what it answers: (state, event type, target).

    It sits on that one machine, so a machine that is not recorded pays nothing, and every runner
    of one that is takes part, wherever it was made.
    """

    def __init__(self, machine: Machine[S, D, C]) -> None:
        self.machine = machine
        self.taken: Counter[tuple[S, type[object], S]] = Counter()

    def __call__(self, state: S, data: D, event: object) -> Step[S, D, C]:
        step = type(self.machine).step(self.machine, state, data, event)
        target = state if step.state is None else step.state  # an IntEnum's 0 is falsy
        self.taken[state, type(event), target] += 1
        return step

    def missing_pairs(self) -> list[Pair]:
        """Pairs of the table that were not taken, in its order."""
        taken = {(state, event) for state, event, _ in self.taken}
        rows = ((state, event) for state in self.machine.states for event in self._takes(state))
        return [pair for pair in rows if pair not in taken]

    def missing_targets(self) -> list[tuple[Pair, S]]:
        """Arrows of the table that were not followed: the pair, and the state it may go to."""
        return [
            ((state, event), target)
            for state, event, target in self.machine.edges()
            if target is not None and (state, event, target) not in self.taken
        ]

    def _takes(self, state: S) -> Collection[type[object]]:
        return self.machine.takes(state).keys()


@contextmanager
def record_transitions(
    machine: Machine[S, D, C] | type[MachineHost[E, S, D, C]],
) -> Iterator[TransitionRecorder[S, D, C]]:
    """Record what every runner of the machine (or an actor class's machine) takes in the block."""
    machine = machine_of(machine)
    outer = _recorder_of(machine)
    recorder = TransitionRecorder(machine) if outer is None else outer
    vars(machine)["step"] = recorder
    try:
        yield recorder
    finally:
        if outer is None:
            del vars(machine)["step"]


def assert_transitions_covered(
    machine: Machine[S, D, C] | type[MachineHost[E, S, D, C]],
    *,
    targets: bool = False,
    except_for: Collection[Pair] = (),
) -> None:
    """Raise `AssertionError`, naming what is missing, unless every pair was taken while recorded.

    `targets` asks for more: every state a row may go to. `except_for` lists pairs that need not be
    taken. Record with `pytest --greenroom-cover MODULE:NAME`, or with `record_transitions`.
    """
    machine = machine_of(machine)
    recorder = _recorder_of(machine)
    if recorder is None:
        raise MachineFault(
            f"machine {machine.name!r} is not being recorded",
            advice="use `pytest --greenroom-cover MODULE:NAME` or `with record_transitions(…)`",
        )
    missing = describe_missing(recorder, targets=targets, except_for=except_for)
    if missing:
        raise AssertionError("\n".join(missing))


def describe_missing(
    recorder: TransitionRecorder[S, D, C],
    *,
    targets: bool = False,
    except_for: Collection[Pair] = (),
) -> list[str]:
    """Lines that name what was not taken; none if all was."""
    pairs = [pair for pair in recorder.missing_pairs() if pair not in except_for]
    lines = [f"  {event.__name__} in {state.name}" for state, event in pairs]
    if targets:
        lines += [
            f"  {event.__name__} in {state.name}, going to {target.name}"
            for (state, event), target in recorder.missing_targets()
            if (state, event) not in {*pairs, *except_for}
        ]
    count = sum(1 for state in recorder.machine.states for _ in recorder.machine.takes(state))
    what = "transitions" if targets else f"of {count} pairs"
    head = f"machine {recorder.machine.name!r}: {len(lines)} {what} never taken"
    return [head, *lines] if lines else []


def _recorder_of(machine: Machine[S, D, C]) -> TransitionRecorder[S, D, C] | None:
    found = vars(machine).get("step")
    return found if isinstance(found, TransitionRecorder) else None
