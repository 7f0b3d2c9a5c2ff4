"""Data that can be changed in place: refused at the start, and by the tools after every step."""

from __future__ import annotations

import enum
from types import MappingProxyType

import attrs
import pytest

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.runner import MachineRunner, MutableData
from greenroom.actors.machine.step import Step, stay
from greenroom.actors.machine.table import On
from greenroom.testing import explore, machine_test
from tests.testing.machines.turned import failure, story

pytestmark = pytest.mark.requirement("R41")


class Bench(enum.Enum):
    IN_USE = "in use"


@attrs.frozen
class Take: ...


@attrs.frozen
class Kit:
    """`tools` is declared as anything, so only the values show what it is."""

    tools: object = MappingProxyType({})


def take(_: Kit, __: Take) -> Step[Bench, Kit, None]:
    return stay(Kit({"saw": 1}))


BENCH: Machine[Bench, Kit, None] = Machine(
    name="bench",
    states=Bench,
    initial=Bench.IN_USE,
    transitions=[On(Bench.IN_USE, Take, take)],
)
SENTENCE = "machine 'bench' may not keep what can be changed in place: data.tools: dict"


def test_a_machine_does_not_start_with_it() -> None:
    with pytest.raises(MutableData, match=SENTENCE) as refusal:
        MachineRunner(BENCH, Kit({}))
    assert refusal.value.part == "data.tools: dict"


def test_a_running_machine_pays_for_no_check() -> None:
    runner = MachineRunner(BENCH, Kit())
    runner.handle(Take())
    assert runner.data == Kit({"saw": 1})


def test_machine_test_finds_the_step_that_returns_it() -> None:
    error = failure(machine_test(BENCH, data=Kit()))
    assert isinstance(error, MutableData)
    assert str(error).startswith(SENTENCE)
    assert "Take in IN_USE" in story(error)


def test_explore_reports_it() -> None:
    (violation,) = explore(BENCH, Kit()).violations
    assert SENTENCE in violation.what
    assert len(violation.trace) == 1


@pytest.mark.deterministic
def test_a_deterministic_test_runs_into_it() -> None:
    runner = MachineRunner(BENCH, Kit())
    with pytest.raises(MutableData, match=SENTENCE):
        runner.handle(Take())
