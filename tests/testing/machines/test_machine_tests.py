"""`machine_test` finds what is wrong with a machine, and tells it by the shortest sequence."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from examples.machines import two_phase_commit, unguarded_connection, vending_machine
from hypothesis import Phase, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st

from greenroom.actors.machine.actor import MachineActor
from greenroom.actors.machine.machine import TimerWithoutHandler, UndeclaredTarget, UnlistedPair
from greenroom.actors.machine.runner import NeverSettles
from greenroom.actors.machine.step import StateTimeout
from greenroom.testing import MachineFault, Taken, machine_test
from greenroom.transport.connection.machine.machine import CONNECTION
from tests.actors.machine.turnstile import TURNSTILE, Coin, Gate, Kick, Push, Say, TimeIsUp
from tests.testing.machines.machines import (
    POSTPONE_OFF,
    TIMER_OFF,
    Drop,
    Due,
    Handler,
    Lamp,
    Memory,
    Press,
    acting,
    for_ever,
    lamp,
    mutates,
    raises,
    stops,
    strays,
)
from tests.testing.machines.turned import QUIET, failure, run, story, turn

pytestmark = pytest.mark.requirement("R41")


def events_of(error: Exception) -> list[str]:
    """The events from outside in the table the failure tells."""
    rows = re.findall(r"^ *\d+ +[A-Z]\w* +(\S.*?)(?:  +|$)", story(error), re.MULTILINE)
    return [row.strip() for row in rows if not row.startswith("next ")]


def few_coins(_: Gate, coins: int) -> None:
    assert coins < 3, "too many coins"


def test_a_sound_machine_passes() -> None:
    turn(machine_test(TURNSTILE, data=0))
    turn(machine_test(lamp(), data=Memory()))


def test_a_broken_invariant_is_told_by_the_shortest_sequence_as_table_and_diagram() -> None:
    error = failure(machine_test(TURNSTILE, data=0, invariants=[few_coins]))

    assert isinstance(error, AssertionError)
    assert error.__context__ is None, "how it was found is nobody's business"
    assert """\
machine 'turnstile' after 3 steps, in UNLOCKED with 3:

step  state     event   new state  commands
1     LOCKED    Coin()  UNLOCKED   start state time-out, 10 s
                                   Say(text='open')
2     UNLOCKED  Coin()  ·          Say(text='thanks')
3     UNLOCKED  Coin()  ·          Say(text='thanks')

```mermaid
sequenceDiagram
    participant world
    participant it as turnstile
    Note over it: LOCKED
    world->>it: Coin()
    it-->>world: Say(text='open')
    Note over it: UNLOCKED
    world->>it: Coin()
    it-->>world: Say(text='thanks')
    world->>it: Coin()
    it-->>world: Say(text='thanks')
```

The same again: pytest --hypothesis-seed=1""" in story(error)


@pytest.mark.parametrize(
    ("second_press", "error", "words"),
    [
        (mutates, MachineFault, "the handler of Press in ON changed its data in place"),
        (raises, ZeroDivisionError, "no current"),
        (strays, UndeclaredTarget, "may not go from ON to BROKEN on Press"),
        (for_ever, NeverSettles, "took 1000 steps for one Press"),
        (TIMER_OFF, UnlistedPair, "takes no Due in OFF, only Press"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_a_handler_is_found_in_the_fewest_steps(
    second_press: Handler, error: type[Exception], words: str
) -> None:
    found = failure(machine_test(lamp(second_press), data=Memory()))

    assert isinstance(found, error)
    assert words in str(found)
    timer = ["⏱ Due()"] if second_press is TIMER_OFF else []
    assert events_of(found) == ["Press()", "Press()", *timer]


@pytest.mark.parametrize("second_press", [POSTPONE_OFF, stops], ids=["postpones", "stops"])
def test_postponing_and_stopping_are_no_faults(second_press: Handler) -> None:
    turn(machine_test(lamp(second_press), data=Memory()))


def test_running_timers_fire_as_events_of_the_clock_and_nobody_else_sends_them() -> None:
    def never_late(taken: Taken) -> None:
        assert not isinstance(taken.event, vending_machine.WentAway), "late"

    error = failure(
        machine_test(
            vending_machine.MENDED,
            data=vending_machine.Till(),
            events=[vending_machine.Coin(50)],
            checks=[never_late],
        )
    )

    assert events_of(error) == ["Coin(cents=50)", "⏱ WentAway()"]


def test_events_are_examples_or_strategies_or_depend_on_where_the_machine_stands() -> None:
    seen: set[tuple[Gate, int]] = set()

    def where(state: Gate, coins: int) -> st.SearchStrategy[Coin]:
        seen.add((state, coins))
        return st.just(Coin())

    turn(machine_test(TURNSTILE, data=0, events={Coin: where, Push: st.builds(Push)}))
    turn(machine_test(TURNSTILE, data=0, events=[Coin(), Push(), Kick(), TimeIsUp()]))

    assert {(Gate.LOCKED, 0), (Gate.UNLOCKED, 1)} <= seen


def test_the_first_data_may_be_drawn() -> None:
    error = failure(machine_test(TURNSTILE, data=st.integers(0, 9), invariants=[few_coins]))

    assert "after 0 steps, in LOCKED with 3" in story(error)


def test_an_event_type_the_machine_does_not_know_is_refused_at_once() -> None:
    with pytest.raises(MachineFault, match="machine 'turnstile' takes no str in any state"):
        machine_test(TURNSTILE, data=0, events={str: st.text()})


def test_what_is_no_machine_is_refused_at_once_and_an_actors_class_stands_for_its_machine() -> None:
    with pytest.raises(MachineFault, match=r"a machine, not 3 \(give `Machine"):
        machine_test(3)  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(MachineFault, match=r"a machine, not .*MachineActor'>"):
        machine_test(MachineActor)

    class Porter(MachineActor[Coin | Push | Kick, Gate, int, Say]):
        machine = TURNSTILE

    error = failure(machine_test(Porter, data=0, invariants=[few_coins]))
    assert "machine 'turnstile' after 3 steps" in story(error)


Answers = list[Callable[[object, object], bool | None]]
TRUE_OR_NOTHING: Answers = [lambda _, __: True, lambda _, __: None]


def test_an_invariant_and_a_check_that_return_true_or_nothing_hold() -> None:
    checks = [lambda _: True, lambda _: None]
    turn(machine_test(TURNSTILE, data=0, invariants=TRUE_OR_NOTHING, checks=checks))


def test_an_invariant_or_a_check_that_returns_false_does_not_hold() -> None:
    def never_rich(_: Gate, coins: int) -> bool:
        return coins < 2

    def never_open(taken: Taken) -> bool:
        return taken.target is not Gate.UNLOCKED

    rich = failure(machine_test(TURNSTILE, data=0, invariants=[never_rich]))
    opened = failure(machine_test(TURNSTILE, data=0, checks=[never_open]))

    assert str(rich) == str(opened) == "it does not hold: it returned False"
    assert (events_of(rich), events_of(opened)) == (["Coin()", "Coin()"], ["Coin()"])
    assert story(rich).startswith("invariant never_rich\n")
    assert story(opened).startswith("check never_open\n")


def test_an_invariant_or_a_check_that_returns_neither_true_nor_false_says_nothing() -> None:
    def number(_: Gate, coins: int) -> int:
        return coins

    for given in ({"invariants": [number]}, {"checks": [repr]}):
        error = failure(machine_test(TURNSTILE, data=0, **given))  # type: ignore[arg-type]
        assert "which says neither that it holds nor that it does not (return True" in str(error)


def test_illegal_events_are_tried_in_every_state() -> None:
    tried: set[tuple[Lamp, type[object]]] = set()
    machine = lamp()
    step = machine.step

    def spy(state: Lamp, data: Memory, event: object) -> object:
        tried.add((state, type(event)))
        return step(state, data, event)

    vars(machine)["step"] = spy
    turn(machine_test(machine, data=Memory()))

    assert tried >= {(Lamp.OFF, Drop), (Lamp.BROKEN, Press), (Lamp.BROKEN, Drop)}


def test_a_machine_that_takes_what_its_table_does_not_list_is_caught() -> None:
    machine = lamp()
    step = machine.step

    def lenient(state: Lamp, data: Memory, event: object) -> object:
        return (None, data, ()) if type(event) is Drop else step(state, data, event)

    vars(machine)["step"] = lenient
    error = failure(machine_test(machine, data=Memory()))

    assert str(error) == "Drop was taken, though no row lists it"


class Refusal(Exception):
    pass


def test_a_refusal_must_change_nothing() -> None:
    def refuse(memory: Memory, _: Press) -> object:
        raise Refusal

    turn(machine_test(lamp(refuse), data=Memory(), refusals=[Refusal]))  # type: ignore[arg-type]

    def refuse_late(memory: Memory, event: Press) -> object:
        if len(memory.presses) == 2:
            raise Refusal
        presses = (*memory.presses, "again")
        return for_ever(Memory(presses, memory.notes), event)

    test = machine_test(lamp(refuse_late), data=Memory(), refusals=[Refusal])  # type: ignore[arg-type]
    assert "Press was refused, yet it changed" in str(failure(test))


def test_a_crash_may_come_at_any_step_and_starts_again_from_the_first_data() -> None:
    def never_empty_handed(taken: Taken) -> None:
        assert not (taken.cause.value == "crash" and taken.data == 2), "fell with two coins"

    sound = machine_test(TURNSTILE, data=0, checks=[never_empty_handed])
    turn(sound)
    error = failure(machine_test(TURNSTILE, data=0, checks=[never_empty_handed], crash=True))

    assert events_of(error) == ["Coin()", "Coin()", "crash"]
    assert "in LOCKED with 0" in story(error)


def test_what_a_crash_leaves_is_for_the_caller_to_say() -> None:
    error = failure(
        machine_test(TURNSTILE, data=0, crash=lambda coins: coins + 5, invariants=[few_coins])
    )

    assert events_of(error) == ["crash"]
    assert "in LOCKED with 5" in story(error)


def test_the_seed_that_is_told_finds_the_same_again() -> None:
    def told_seed(chosen: int | None) -> tuple[int, str]:
        test = machine_test(TURNSTILE, data=st.integers(0, 9**9), invariants=[poor])
        test.TestCase.settings = settings(QUIET, phases=[Phase.generate], max_examples=1000)
        if chosen is not None:
            with_seed(chosen)(test)
        with pytest.raises(AssertionError) as failed:
            run(test.TestCase)
        (seed,) = re.findall(r"--hypothesis-seed=(\d+)", story(failed.value))
        return int(seed), story(failed.value)

    def poor(_: Gate, coins: int) -> None:
        assert coins < 1000, "too rich"

    first, other = told_seed(None), told_seed(None)

    assert first[0] != other[0], "each run draws its own"
    assert told_seed(first[0]) == first


PLANTED = {
    "vending machine": machine_test(
        vending_machine.VENDING,
        data=vending_machine.Till(),
        events=vending_machine.EVENTS,
        invariants=[vending_machine.no_cent_is_lost],
    ),
    "two-phase commit": machine_test(
        two_phase_commit.CARELESS,
        data=two_phase_commit.Ballot(),
        events=two_phase_commit.EVENTS,
        invariants=[two_phase_commit.nobody_commits_alone],
    ),
    "unguarded connection": machine_test(
        unguarded_connection.UNGUARDED,
        data=unguarded_connection.LINK,
        events=unguarded_connection.EVENTS,
        checks=[unguarded_connection.events_only_when_ready],
    ),
}
SHORTEST = {"vending machine": 4, "two-phase commit": 3, "unguarded connection": 2}
EXAMPLES = {"vending machine": 50, "two-phase commit": 50, "unguarded connection": 500}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found_and_told_by_the_shortest_sequence(name: str) -> None:
    error = failure(PLANTED[name], settings(QUIET, max_examples=EXAMPLES[name]))

    assert f"after {SHORTEST[name]} steps" in story(error)
    assert len(events_of(error)) == SHORTEST[name]


def test_the_machines_without_the_planted_bugs_pass() -> None:
    turn(
        machine_test(
            vending_machine.MENDED,
            data=vending_machine.Till(),
            events=vending_machine.EVENTS,
            invariants=[vending_machine.no_cent_is_lost],
            crash=True,
        )
    )
    turn(
        machine_test(
            two_phase_commit.CAREFUL,
            data=two_phase_commit.Ballot(),
            events=two_phase_commit.EVENTS,
            invariants=[two_phase_commit.nobody_commits_alone],
        )
    )


@pytest.mark.requirement("R22")
def test_the_connection_machine_sends_events_in_ready_alone() -> None:
    turn(
        machine_test(
            CONNECTION,
            data=unguarded_connection.LINK,
            events=unguarded_connection.EVENTS,
            checks=[unguarded_connection.events_only_when_ready],
            crash=True,
        ),
        settings(QUIET, max_examples=100),
    )


def test_a_timer_that_nobody_hears_is_found_before_it_is_due() -> None:
    error = failure(machine_test(lamp(acting(StateTimeout(1, Due()))), data=Memory()))

    assert isinstance(error, TimerWithoutHandler)
    assert "OFF does not take it" in str(error)
