"""The gate on pair coverage: what was taken is recorded, what was not is named."""

from __future__ import annotations

import enum

import pytest

from greenroom.actors.machine.actor import MachineActor
from greenroom.actors.machine.machine import Machine, UnlistedPair
from greenroom.actors.machine.runner import MachineRunner
from greenroom.actors.machine.step import Step, go
from greenroom.actors.machine.table import On
from greenroom.testing import (
    MachineFault,
    assert_transitions_covered,
    explore,
    machine_test,
    record_transitions,
)
from tests.actors.machine.turnstile import TURNSTILE, Coin, Gate, Kick, Push, Say, TimeIsUp
from tests.testing.machines.machines import Lamp, Memory, Press, deaf, lamp

pytestmark = pytest.mark.requirement("R41")


def turn(*events: object) -> None:
    runner = MachineRunner(TURNSTILE, 0)
    for event in events:
        runner.handle(event)


def test_pairs_nobody_took_are_named() -> None:
    with record_transitions(TURNSTILE):
        turn(Coin(), Kick())
        turn(Kick())

        with pytest.raises(AssertionError) as missing:
            assert_transitions_covered(TURNSTILE)

    assert str(missing.value) == (
        "machine 'turnstile': 4 of 7 pairs never taken\n"
        "  Push in LOCKED\n"
        "  Coin in UNLOCKED\n"
        "  Push in UNLOCKED\n"
        "  TimeIsUp in UNLOCKED"
    )


def test_all_pairs_taken_by_any_runners_pass() -> None:
    with record_transitions(TURNSTILE):
        turn(Push(), Coin())
        turn(Coin(), Coin(), Kick())
        turn(Coin(), TimeIsUp(), Kick())
        assert_transitions_covered(TURNSTILE)


def test_the_class_of_a_machines_actor_stands_for_its_machine() -> None:
    class Porter(MachineActor[Coin | Push | Kick, Gate, int, Say]):
        machine = TURNSTILE

    with record_transitions(Porter):
        turn(Coin(), Kick())
        with pytest.raises(AssertionError, match="'turnstile': 5 of 7 pairs"):
            assert_transitions_covered(Porter)


class Level(enum.IntEnum):
    LOW = 0
    HIGH = 1


@pytest.mark.fault("S8")
def test_going_to_the_state_one_is_in_is_recorded_and_tested_as_staying() -> None:
    def rise(height: int, _: Push) -> Step[Level, int, str]:
        return go(Level.HIGH if height else Level.LOW, 1 - height)

    def fall(height: int, _: Push) -> Step[Level, int, str]:
        return go(Level.LOW, height)

    tide: Machine[Level, int, str] = Machine(
        name="tide",
        states=Level,
        initial=Level.LOW,
        transitions=[
            On(Level.LOW, Push, rise, to=Level.HIGH),
            On(Level.HIGH, Push, fall, to={*Level}),
        ],
    )

    with record_transitions(tide) as recorder:
        runner = MachineRunner(tide, 0)
        for _ in range(3):
            runner.handle(Push())

    assert list(recorder.taken) == [
        (Level.LOW, Push, Level.LOW),
        (Level.LOW, Push, Level.HIGH),
        (Level.HIGH, Push, Level.LOW),
    ]
    assert recorder.missing_targets() == [((Level.HIGH, Push), Level.HIGH)]
    machine_test(tide, data=0).TestCase("runTest").debug()
    assert explore(tide, 0, events=[Push()]).violations == ()


def test_a_refused_event_covers_nothing() -> None:
    with record_transitions(TURNSTILE) as recorder:
        with pytest.raises(UnlistedPair):
            turn(TimeIsUp())
        assert not recorder.taken


def test_pairs_that_need_not_be_taken_can_be_left_out() -> None:
    with record_transitions(TURNSTILE):
        turn(Push(), Coin(), Coin(), Coin(), Kick())
        assert_transitions_covered(
            TURNSTILE, except_for=[(Gate.LOCKED, Kick), (Gate.UNLOCKED, TimeIsUp)]
        )


def test_every_target_of_a_row_may_be_asked_for() -> None:
    machine = lamp(deaf)
    with record_transitions(machine):
        runner = MachineRunner(machine, Memory())
        runner.handle(Press())
        runner.handle(Press())
        others = [pair for pair in _pairs(machine) if pair[1] is not Press]
        assert_transitions_covered(machine, except_for=others)

        with pytest.raises(AssertionError, match="1 transitions never taken\n  Press in ON, going"):
            assert_transitions_covered(machine, targets=True, except_for=others)


def _pairs(machine: Machine[Lamp, Memory, str]) -> list[tuple[Lamp, type[object]]]:
    return [(state, event) for state in machine.states for event in machine.takes(state)]


def test_a_machine_nobody_records_pays_nothing_and_cannot_be_asked() -> None:
    with record_transitions(TURNSTILE):
        turn(Coin())

    assert "step" not in vars(TURNSTILE)
    with pytest.raises(MachineFault, match="'turnstile' is not being recorded"):
        assert_transitions_covered(TURNSTILE)


def test_an_inner_recording_adds_to_the_outer_one() -> None:
    with record_transitions(TURNSTILE) as outer:
        with record_transitions(TURNSTILE) as inner:
            turn(Coin())
        turn(Kick())
        assert inner is outer
        assert outer.taken.total() == 2
