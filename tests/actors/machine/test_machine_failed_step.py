"""A step of a machine that fails, however late, changes nothing: the last good step stands."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from typing import cast

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from greenroom.actors.errors import TimerError
from greenroom.actors.machine.machine import (
    Machine,
    NotAStep,
    TimerWithoutHandler,
    UndeclaredTarget,
    UnlistedPair,
)
from greenroom.actors.machine.runner import (
    EnterOverstepped,
    MachineRunner,
    PostponedTooMany,
    TimerFired,
    Transition,
)
from greenroom.actors.machine.step import (
    CancelTimer,
    MachineAction,
    Next,
    Postpone,
    StartTimer,
    StateTimeout,
    Step,
    Stop,
    stay,
)
from greenroom.actors.machine.table import On

pytestmark = [pytest.mark.requirement("R39"), pytest.mark.fault("S9")]


class Room(enum.Enum):
    A = 1
    B = 2
    TRAP = 3


class Planned(Exception):
    """What the handlers here fail with."""


@attrs.frozen
class Do:
    """Go there, or stay, with these commands. `trap`: how to fail when TRAP is entered."""

    commands: object = ()
    to: Room | None = None
    trap: object = None


@attrs.frozen
class Raise:
    pass


@attrs.frozen
class Unheard:
    pass


@attrs.frozen
class Diary:
    pages: tuple[str, ...] = ()
    trap: object = None


DiaryStep = Step[Room, Diary, str]


def do(diary: Diary, event: Do) -> DiaryStep:
    pages = (*diary.pages, str(event.to))[-5:]
    return Step(event.to, Diary(pages, event.trap), cast(tuple[str, ...], event.commands))


def fail(diary: Diary, _: Raise) -> DiaryStep:
    raise Planned


def enter_trap(diary: Diary) -> DiaryStep:
    if isinstance(diary.trap, Exception):
        raise diary.trap
    return cast(DiaryStep, diary.trap)


def enter_b(diary: Diary) -> DiaryStep:
    return stay(diary, "entered B", StateTimeout(5, Do()))


class BreakingOff:
    """Commands that end in an error."""

    def __iter__(self) -> Iterator[object]:
        yield from EARLIER
        raise Planned


MACHINE: Machine[Room, Diary, str] = Machine(
    name="diary",
    states=Room,
    initial=Room.A,
    transitions=[On(set(Room), Do, do, to=set(Room)), On({Room.A, Room.B}, Raise, fail)],
    on_enter={Room.TRAP: enter_trap, Room.B: enter_b},
)

EARLIER: tuple[str | MachineAction, ...] = (
    "said",
    StartTimer("new", 3, Do()),
    StartTimer("old", 4, Do()),
    CancelTimer("old"),
    StateTimeout(0, Do()),
    Next(Do()),
    Stop(),
)
"""What a step may have asked for before it fails."""

LATE: dict[str, tuple[object, type[Exception]]] = {
    "the handler raises": (Raise(), Planned),
    "no row takes it": (Unheard(), UnlistedPair),
    "a negative timer": (Do((*EARLIER, StateTimeout(-1, Do()))), TimerError),
    "an endless timer": (Do((*EARLIER, StartTimer("t", math.inf, Do())), Room.B), TimerError),
    "a timer nobody hears": (
        Do((*EARLIER, StartTimer("t", 1, Unheard())), Room.B),
        TimerWithoutHandler,
    ),
    "a name no dict takes": (Do((*EARLIER, StartTimer([], 1, Do()))), TypeError),  # type: ignore[arg-type]
    "commands that break off": (Do(BreakingOff(), Room.B), Planned),
    "no commands at all": (Do(None, Room.B), TypeError),
    "one postponed too many": (Do((*EARLIER, Postpone())), PostponedTooMany),
    "that and a move": (Do((*EARLIER, Postpone()), Room.B), PostponedTooMany),
    "entering raises": (Do(EARLIER, Room.TRAP, Planned()), Planned),
    "entering is no step": (Do(EARLIER, Room.TRAP), NotAStep),
    "entering moves on": (Do(EARLIER, Room.TRAP, Step(Room.A, Diary())), EnterOverstepped),
    "entering inserts": (Do(EARLIER, Room.TRAP, stay(Diary(), Next(Do()))), EnterOverstepped),
    "entering starts a bad timer": (
        Do(EARLIER, Room.TRAP, stay(Diary(), "said", StateTimeout(-1, Do()))),
        TimerError,
    ),
}


def standing(runner: MachineRunner[Room, Diary, str]) -> tuple[object, ...]:
    return (
        *(runner.state, runner.data, runner.done, runner.error),
        *(tuple(runner.log), runner.waiting, dict(runner.timers)),
    )


class LateFailures(RuleBasedStateMachine):
    """Good steps of every kind, and failures in every place between them."""

    @initialize()
    def begin(self) -> None:
        self.moves: list[Transition] = []
        self.runner = MachineRunner(
            MACHINE, Diary(), max_postponed=0, log=4, on_move=self.moves.append
        )

    @rule(
        to=st.sampled_from([None, Room.A, Room.B]),
        commands=st.lists(
            st.sampled_from(
                [
                    *("said", StartTimer("old", 9, Do()), CancelTimer("old")),
                    *(StateTimeout(9, Do()), Next(Do(("next",)))),
                ]
            ),
            max_size=3,
        ),
    )
    def take_a_good_step(self, to: Room | None, commands: list[object]) -> None:
        given = self.runner.handle(Do(tuple(commands), to))
        said = [command for command in given if isinstance(command, str)]
        inserted = ["next"] * sum(isinstance(command, Next) for command in commands)
        asked = [command for command in commands if isinstance(command, str)]
        assert [each for each in said if each != "entered B"] == [*asked, *inserted]

    @rule()
    def a_timer_is_due(self) -> None:
        for name, entry in list(self.runner.timers.items())[:1]:
            self.runner.handle(TimerFired(name, entry.serial))

    @rule(how=st.sampled_from(sorted(LATE)))
    def fail_late(self, how: str) -> None:
        event, error = LATE[how]
        before, moves = standing(self.runner), list(self.moves)
        with pytest.raises(error):
            self.runner.handle(event)
        assert standing(self.runner) == before
        assert self.moves == moves, "nobody hears of a move that was not made"
        assert self.runner.handle(Do(("alone",))) == ["alone"], "of the failed step nothing is left"


TestLateFailures = LateFailures.TestCase


@pytest.mark.parametrize("how", LATE)
def test_a_step_that_fails_late_leaves_state_data_and_log_as_the_last_good_step_did(
    how: str,
) -> None:
    event, error = LATE[how]
    runner = MachineRunner(MACHINE, Diary(), max_postponed=0)
    runner.handle(Do((StartTimer("old", 9, Do()),), Room.B))
    runner.handle(Do((), Room.A))
    before = standing(runner)

    with pytest.raises(error):
        runner.handle(event)

    assert standing(runner) == before
    assert runner.handle(Do(("alone",))) == ["alone"]


def test_a_step_to_an_undeclared_target_changes_nothing() -> None:
    machine: Machine[Room, Diary, str] = Machine(
        name="diary",
        states=Room,
        initial=Room.A,
        transitions=[On(set(Room), Do, do, to={Room.B, Room.TRAP})],
    )
    runner = MachineRunner(machine, Diary())
    runner.handle(Do(("said",), Room.B))
    before = standing(runner)

    with pytest.raises(UndeclaredTarget):
        runner.handle(Do(EARLIER, Room.A))

    assert standing(runner) == before


def test_of_several_steps_of_one_event_those_before_the_failed_one_stand() -> None:
    runner = MachineRunner(MACHINE, Diary())

    with pytest.raises(TimerError):
        runner.handle(Do(("first", Next(Do((StateTimeout(-1, Do()),), Room.A))), Room.B))

    assert runner.state is Room.B
    assert list(runner.log) == [Transition(Room.A, "Do", Room.B)]
    assert [each for each in runner.start() if isinstance(each, str)] == ["first", "entered B"]
