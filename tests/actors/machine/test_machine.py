"""The table: what a machine takes, refuses, and is refused for."""

from __future__ import annotations

import enum

import attrs
import pytest

from greenroom.actors.machine.check import MisdeclaredMachine
from greenroom.actors.machine.machine import (
    Machine,
    NotAStep,
    TimerWithoutHandler,
    UndeclaredTarget,
    UnlistedPair,
)
from greenroom.actors.machine.step import StartTimer, StateTimeout, Step, go, stay
from greenroom.actors.machine.table import On
from tests.actors.machine.turnstile import TURNSTILE, Coin, Gate, Kick, Push, Say, TimeIsUp

pytestmark = [pytest.mark.requirement("R39"), pytest.mark.requirement("R22")]


class Light(enum.Enum):
    RED = 1
    GREEN = 2
    OFF = 3


@attrs.frozen
class Switch:
    pass


@attrs.frozen
class Cut:
    pass


LightStep = Step[Light, None, str]


def to_green(data: None, _: object) -> LightStep:
    return go(Light.GREEN, data)


def to_off(data: None, _: object) -> LightStep:
    return go(Light.OFF, data)


def nothing(data: None, _: object) -> LightStep:
    return stay(data)


RED_TO_GREEN = On(Light.RED, Switch, to_green, to={Light.GREEN})
GREEN_TO_OFF = On(Light.GREEN, Cut, to_off, to={Light.OFF})
TIMED = [RED_TO_GREEN, GREEN_TO_OFF]


def light(*rows: On[Light, None, str], final: set[Light] | None = None) -> object:
    return Machine(
        name="light",
        states=Light,
        initial=Light.RED,
        final={Light.OFF} if final is None else final,
        transitions=rows,
    )


def test_a_step_is_the_handlers_answer() -> None:
    step = TURNSTILE.step(Gate.LOCKED, 0, Coin())

    assert step == go(Gate.UNLOCKED, 1, StateTimeout(10, TimeIsUp()))


def test_a_row_without_targets_stays() -> None:
    assert TURNSTILE.step(Gate.UNLOCKED, 1, Coin()) == stay(2, Say("thanks"))


def test_an_unlisted_pair_is_refused_naming_machine_state_event_and_what_is_taken() -> None:
    with pytest.raises(UnlistedPair) as refused:
        TURNSTILE.step(Gate.LOCKED, 0, TimeIsUp())

    assert (
        str(refused.value)
        == "machine 'turnstile' takes no TimeIsUp in LOCKED, only Coin, Push, Kick"
    )
    assert refused.value.state is Gate.LOCKED
    assert refused.value.event == TimeIsUp()


def test_a_final_state_takes_nothing() -> None:
    with pytest.raises(UnlistedPair, match="takes no Coin in BROKEN, only nothing"):
        TURNSTILE.step(Gate.BROKEN, 0, Coin())


def test_an_event_is_looked_up_by_its_exact_type() -> None:
    class GoldCoin(Coin):
        pass

    with pytest.raises(UnlistedPair, match="GoldCoin"):
        TURNSTILE.step(Gate.LOCKED, 0, GoldCoin())


def test_an_undeclared_target_is_refused_naming_both_states() -> None:
    machine: Machine[Light, None, str] = Machine(
        name="light",
        states=Light,
        initial=Light.RED,
        final={Light.OFF},
        transitions=[On(Light.RED, Switch, to_off, to={Light.GREEN}), GREEN_TO_OFF],
    )

    with pytest.raises(UndeclaredTarget, match="from RED to OFF on Switch"):
        machine.step(Light.RED, None, Switch())


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([RED_TO_GREEN, RED_TO_GREEN, GREEN_TO_OFF], "Switch in RED is listed twice"),
        ([RED_TO_GREEN], "no row leads to OFF from RED, the initial state"),
        (
            [RED_TO_GREEN, On(Light.RED, Cut, to_off, to={Light.OFF})],
            "GREEN is a dead end",
        ),
        (
            [RED_TO_GREEN, GREEN_TO_OFF, On(Light.OFF, Switch, nothing)],
            "OFF is final",
        ),
        ([RED_TO_GREEN, On(frozenset[Light](), Cut, nothing)], "the row of Cut names no state"),
        (
            [On(Light.RED, Switch, to_green, to={Gate.BROKEN})],
            "the row of Switch names a state that is not in `states`: <Gate.BROKEN: 'broken'>",
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_naming_the_culprit(
    rows: list[On[Light, None, str]], sentence: str
) -> None:
    with pytest.raises(MisdeclaredMachine) as refused:
        light(*rows)

    assert str(refused.value).startswith(f"machine 'light': {sentence}")


def test_one_state_needs_no_set_wherever_states_are_listed() -> None:
    machine: Machine[Light, None, str] = Machine(
        name="light",
        states=Light,
        initial=Light.RED,
        final=Light.OFF,
        transitions=[
            On(Light.RED, Switch, to_green, to=Light.GREEN),
            On(Light.GREEN, Cut, to_off, to=Light.OFF),
        ],
        timers={Cut: Light.GREEN},
    )

    assert machine.transitions == (RED_TO_GREEN, GREEN_TO_OFF)
    assert machine.final == {Light.OFF}


class Word(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"states": ("RED", "OFF")}, "`states`|('RED', 'OFF')"),
        ({"initial": "RED"}, "initial|'RED'"),
        ({"final": "OFF"}, "final|'OFF'"),
        ({"final": 3}, "final|3"),
        ({"transitions": 5}, "`transitions`|5"),
        ({"transitions": [5]}, "`On`|5"),
        ({"on_enter": [Light.RED]}, "`on_enter`|[<Light.RED: 1>]"),
        ({"on_enter": {Light.RED: "red"}}, "an enter action|'red'"),
        ({"timers": [5]}, "`timers`|[5]"),
        ({"timers": {5: Light.RED}}, "the event of a timer|5"),
        (
            {"transitions": [On(Light.RED, Cut(), nothing)]},  # type: ignore[arg-type]  # refused
            "the event of a row|Cut()",
        ),
        (
            {"transitions": [On(Light.RED, int | str, nothing)]},  # type: ignore[arg-type]  # refused
            "the event of a row|int | str",
        ),
        (
            {"transitions": [On(Light.RED, Cut, "cut")]},  # type: ignore[arg-type]  # refused
            "the handler of Cut|'cut'",
        ),
        (
            {"transitions": [On("RED", Cut, nothing)]},  # type: ignore[type-var]  # refused
            "the row of Cut|'RED'",
        ),
        (
            {"states": Word, "initial": Word.RED, "final": {"red"}, "transitions": []},
            "final|'red'",
        ),
    ],
)
def test_a_part_of_a_table_that_is_not_of_its_kind_is_refused_naming_it(
    wrong: dict[str, object], named: str
) -> None:
    right = {"name": "light", "states": Light, "initial": Light.RED, "final": {Light.OFF}}
    with pytest.raises(MisdeclaredMachine) as refused:
        Machine(**{**right, "transitions": TIMED, **wrong})  # type: ignore[arg-type]  # refused

    part, value = named.split("|", maxsplit=1)
    assert part in str(refused.value)
    assert value in str(refused.value)


@pytest.mark.parametrize("answer", [None, Light.GREEN, (None, None, ())])
def test_a_handler_that_returns_no_step_is_named_with_what_it_returned(answer: object) -> None:
    row: On[Light, None, str] = On(Light.RED, Cut, lambda data, _: answer)  # type: ignore[arg-type, return-value]  # the point
    machine = light(row, RED_TO_GREEN, GREEN_TO_OFF)
    assert isinstance(machine, Machine)

    with pytest.raises(NotAStep) as refused:
        machine.step(Light.RED, None, Cut())

    assert refused.value.message == (
        f"machine 'light': the handler of Cut in RED returned {answer!r}, which is no step"
    )


def test_an_error_inside_a_handler_is_not_taken_for_a_missing_step() -> None:
    def handler(data: None, _: object) -> LightStep:
        raise AttributeError("of its own")

    machine = light(On(Light.RED, Cut, handler), RED_TO_GREEN, GREEN_TO_OFF)
    assert isinstance(machine, Machine)

    with pytest.raises(AttributeError, match="of its own"):
        machine.step(Light.RED, None, Cut())


def test_a_target_that_is_no_state_at_all_is_refused_as_any_other() -> None:
    row = On(Light.RED, Switch, lambda data, _: go("GREEN", data), to={Light.GREEN})  # type: ignore[type-var]  # the point
    machine = light(row, GREEN_TO_OFF)
    assert isinstance(machine, Machine)

    with pytest.raises(UndeclaredTarget, match="may not go from RED to 'GREEN' on Switch"):
        machine.step(Light.RED, None, Switch())


def test_a_state_that_takes_events_for_ever_is_a_dead_end_when_there_is_an_end() -> None:
    with pytest.raises(MisdeclaredMachine, match="RED is a dead end"):
        Machine(
            name="light",
            states=Light,
            initial=Light.OFF,
            final={Light.GREEN},
            transitions=[
                On(Light.OFF, Switch, to_green, to={Light.GREEN, Light.RED}),
                On(Light.RED, Switch, nothing),
                On(Light.RED, Cut, nothing),
            ],
        )


def test_a_machine_without_an_end_may_stay_where_it_takes_events() -> None:
    machine = light(RED_TO_GREEN, GREEN_TO_OFF, On(Light.OFF, Switch, nothing), final=set())

    assert repr(machine) == "<Machine light: 3 states, 2 events>"


def test_a_machine_without_an_end_may_not_fall_deaf() -> None:
    with pytest.raises(MisdeclaredMachine, match="OFF is a dead end"):
        light(RED_TO_GREEN, GREEN_TO_OFF, final=set())


def test_an_entry_for_an_unknown_state_is_refused() -> None:
    with pytest.raises(MisdeclaredMachine, match="on_enter names"):
        Machine(
            name="light",
            states=Light,
            initial=Light.RED,
            final={Light.OFF},
            transitions=[RED_TO_GREEN, GREEN_TO_OFF],
            on_enter={Gate.LOCKED: stay},  # type: ignore[dict-item]  # the point
        )


def test_a_machine_lists_its_events_and_edges() -> None:
    assert TURNSTILE.events == (Coin, Push, TimeIsUp, Kick)
    assert (Gate.LOCKED, Push, None) in set(TURNSTILE.edges())
    assert (Gate.UNLOCKED, Kick, Gate.BROKEN) in set(TURNSTILE.edges())
    assert set(TURNSTILE.takes(Gate.BROKEN)) == set()


def timed(timers: dict[type[object], Light | set[Light]] | None) -> Machine[Light, None, str]:
    return Machine(
        name="light",
        states=Light,
        initial=Light.RED,
        final={Light.OFF},
        transitions=TIMED,
        timers=timers,
    )


@pytest.mark.parametrize(
    ("timers", "sentence"),
    [
        ({TimeIsUp: Light.RED}, "the timer TimeIsUp may come in RED, which does not take it"),
        (
            {Cut: {Light.RED, Light.GREEN}},
            "the timer Cut may come in RED, which does not take it",
        ),
        ({Cut: set[Light]()}, "the timer Cut must name the states"),
        (
            {Cut: Gate.LOCKED},
            "the timer Cut names a state that is not in `states`: <Gate.LOCKED: 'locked'>",
        ),
    ],
)
def test_a_timer_without_a_handler_where_it_may_come_is_refused_when_the_machine_is_made(
    timers: dict[type[object], Light | set[Light]], sentence: str
) -> None:
    with pytest.raises(MisdeclaredMachine) as refused:
        timed(timers)

    assert str(refused.value).startswith(f"machine 'light': {sentence}")


@pytest.mark.parametrize(
    ("timers", "timer", "why"),
    [
        (None, StartTimer("t", 1, TimeIsUp()), "no row takes it"),
        (None, StateTimeout(1, Cut()), "RED does not take it"),
        ({Cut: Light.GREEN}, StartTimer("t", 1, Switch()), "`timers` does not list it"),
    ],
)
def test_a_timer_that_nobody_would_hear_is_refused_when_it_is_started(
    timers: dict[type[object], Light | set[Light]] | None,
    timer: StartTimer | StateTimeout,
    why: str,
) -> None:
    with pytest.raises(TimerWithoutHandler, match=why):
        timed(timers).check_timer(Light.RED, timer)


def test_a_timer_that_is_heard_is_let_through() -> None:
    machine = timed({Cut: Light.GREEN})

    machine.check_timer(Light.RED, StartTimer("t", 1, Cut()))
    machine.check_timer(Light.GREEN, StateTimeout(1, Cut()))
