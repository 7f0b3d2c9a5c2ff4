"""`explore` walks every short sequence and reports what there is and what must not be."""

from __future__ import annotations

import enum

import pytest
from examples.machines import two_phase_commit, unguarded_connection, vending_machine

from greenroom.actors.machine.actor import MachineActor
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step, go
from greenroom.actors.machine.table import On
from greenroom.delivery.run.grammar import (
    RUN_GRAMMAR,
    InputEnded,
    InputRequested,
    OutOfOrder,
    RunStage,
    RunState,
    ToolCompleted,
    ToolExecuting,
)
from greenroom.testing import Exploration, MachineFault, explore, machine_test
from greenroom.transport.connection.machine.data import Phase
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
    deaf,
    for_ever,
    lamp,
    mutates,
    raises,
    stops,
    strays,
)
from tests.testing.machines.turned import turn

pytestmark = pytest.mark.requirement("R41")


class Switch(enum.Enum):
    OFF = "off"
    ON = "on"


def few_coins(_: Gate, coins: int) -> None:
    assert coins < 3, "too many coins"


def explored(second_press: Handler, depth: int = 4) -> Exploration[Lamp, Memory]:
    return explore(lamp(second_press), Memory(), depth=depth)


def test_states_are_reached_by_their_shortest_ways() -> None:
    found = explore(TURNSTILE, 0, depth=3)

    ways = {state: trace.way() for state, trace in found.shortest.items()}
    assert ways == {Gate.LOCKED: "nothing", Gate.UNLOCKED: "Coin()", Gate.BROKEN: "Kick()"}
    assert found.unreached == ()
    assert len(found.farthest) == 1


def test_pairs_of_the_table_are_covered_or_named() -> None:
    found = explore(TURNSTILE, 0, depth=1)

    assert found.covered == {(Gate.LOCKED, each) for each in (Coin, Push, Kick)}
    assert found.uncovered == tuple((Gate.UNLOCKED, each) for each in (Coin, Push, TimeIsUp, Kick))


def test_it_says_whether_it_saw_everything() -> None:
    assert not explore(TURNSTILE, 0, depth=3).complete, "coins have no end"
    assert explored(POSTPONE_OFF, depth=9).complete
    assert not explored(POSTPONE_OFF, depth=1).complete
    assert not explore(TURNSTILE, 0, depth=99, limit=20).complete


def test_situations_met_before_are_not_walked_again() -> None:
    found = explore(RUN_GRAMMAR, RunState(), depth=50)

    assert found.situations == len(RunStage)
    assert found.complete


def test_data_that_cannot_be_hashed_is_told_apart_all_the_same() -> None:
    steps = [
        ToolExecuting("a", "t"),  # type: ignore[arg-type]
        ToolCompleted("a"),  # type: ignore[arg-type]
        InputRequested("q"),  # type: ignore[arg-type]
        InputEnded("q"),  # type: ignore[arg-type]
    ]

    found = explore(RUN_GRAMMAR, RunState(), events=steps, depth=50, refusals=[OutOfOrder])

    assert found.complete
    assert found.uncovered == ()
    assert found.sound


def test_running_timers_fire_at_any_time() -> None:
    vending = explore(
        vending_machine.MENDED, vending_machine.Till(), events=[vending_machine.Coin(50)]
    )

    assert (vending_machine.Vending.PAYING, vending_machine.WentAway) in vending.covered
    assert vending.idle_timers == ()


def test_a_declared_timer_that_is_never_started_is_named() -> None:
    found = explored(stops)

    assert found.idle_timers == (Due,)
    assert (Lamp.ON, Due) in found.uncovered


@pytest.mark.parametrize(
    ("second_press", "words", "length"),
    [
        (mutates, "MachineFault: machine 'lamp': the handler of Press in ON changed its data", 2),
        (raises, "Press in ON: ZeroDivisionError: no current", 2),
        (strays, "Press in ON: UndeclaredTarget: machine 'lamp' may not go from ON to BROKEN", 2),
        (for_ever, "NeverSettles: machine 'lamp' took 1000 steps for one Press", 2),
        (TIMER_OFF, "Due in OFF: UnlistedPair: machine 'lamp' takes no Due in OFF", 3),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_a_handler_is_a_violation_with_its_shortest_sequence(
    second_press: Handler, words: str, length: int
) -> None:
    (violation,) = explored(second_press).violations

    assert violation.what.startswith(words)
    assert len(violation.trace) == length


def test_a_broken_invariant_is_reported_once_and_not_walked_past() -> None:
    found = explore(TURNSTILE, 0, depth=6, invariants=[few_coins])

    (violation,) = found.violations
    assert violation.what == "invariant few_coins: AssertionError: too many coins"
    assert violation.trace.way() == "Coin(), Coin(), Coin()"
    with pytest.raises(AssertionError, match="violation 1 of 1: invariant few_coins"):
        found.check()


def test_an_invariant_that_returns_false_is_broken() -> None:
    def never_rich(_: Gate, coins: int) -> bool:
        return coins < 2

    (violation,) = explore(TURNSTILE, 0, invariants=[never_rich]).violations

    assert violation.what == (
        "invariant never_rich: MachineFault: it does not hold: it returned False"
    )
    assert violation.trace.way() == "Coin(), Coin()"


def test_an_example_that_no_state_takes_and_a_depth_below_nothing_are_refused() -> None:
    with pytest.raises(MachineFault, match=r"takes no str in any state \(it takes Coin, "):
        explore(TURNSTILE, 0, events=[Coin(), "hello", "you"])
    with pytest.raises(ValueError, match="0 or more, not -1"):
        explore(TURNSTILE, 0, depth=-1)
    assert explore(TURNSTILE, 0, depth=0).situations == 1


def test_the_class_of_a_machines_actor_stands_for_its_machine() -> None:
    class Porter(MachineActor[Coin | Push | Kick, Gate, int, Say]):
        machine = TURNSTILE

    assert str(explore(Porter, 0, depth=3)) == str(explore(TURNSTILE, 0, depth=3))
    with pytest.raises(MachineFault, match=r"a test needs a machine, not .*'Gate'>"):
        explore(Gate, 0)  # type: ignore[arg-type]  # that is the mistake


def test_a_situation_nothing_leads_out_of_is_a_deadlock() -> None:
    found = explore(lamp(deaf), Memory(), events=[Press()], depth=4)
    assert found.deadlocks == (), "it can still be dropped"

    (dead,) = explore(
        two_phase_commit.CARELESS,
        two_phase_commit.Ballot(),
        events=[two_phase_commit.No("a"), two_phase_commit.Done("a")],
    ).deadlocks
    assert dead.state is two_phase_commit.Phase.ABORTING
    assert dead.trace.way() == "Begin(), No(who='a')"


def test_a_machine_without_an_end_is_not_stuck_while_it_takes_events() -> None:
    found = explore(lamp(deaf, ends=False), Memory(), depth=9)

    assert (found.deadlocks, found.trapped) == ((), ())


def test_a_situation_that_leads_on_but_to_no_end_is_a_trap() -> None:
    found = explore(
        two_phase_commit.CARELESS, two_phase_commit.Ballot(), events=two_phase_commit.EVENTS
    )

    assert found.complete
    assert [each.trace.way() for each in found.trapped] == [
        "Begin(), Yes(who='a'), No(who='a')",
        "Begin(), Yes(who='b'), No(who='a')",
    ]


def test_the_planted_bugs_are_found_with_their_shortest_sequences() -> None:
    vending = explore(
        vending_machine.VENDING,
        vending_machine.Till(),
        events=vending_machine.EVENTS,
        depth=4,
        invariants=[vending_machine.no_cent_is_lost],
    )
    commit = explore(
        two_phase_commit.CARELESS,
        two_phase_commit.Ballot(),
        events=two_phase_commit.EVENTS,
        invariants=[two_phase_commit.nobody_commits_alone],
    )
    unguarded = explore(
        unguarded_connection.UNGUARDED,
        unguarded_connection.LINK,
        events=unguarded_connection.EVENTS,
        depth=3,
        checks=[unguarded_connection.events_only_when_ready],
    )

    assert [len(each.violations[0].trace) for each in (vending, commit, unguarded)] == [4, 3, 2]
    assert commit.deadlocks
    assert unguarded.violations[0].what.endswith("events sent in AUTHENTICATED")


def test_the_machines_without_the_planted_bugs_are_sound() -> None:
    explore(
        vending_machine.MENDED,
        vending_machine.Till(),
        events=vending_machine.EVENTS,
        depth=6,
        invariants=[vending_machine.no_cent_is_lost],
    ).check()
    commit = explore(
        two_phase_commit.CAREFUL,
        two_phase_commit.Ballot(),
        events=two_phase_commit.EVENTS,
        depth=12,
        invariants=[two_phase_commit.nobody_commits_alone],
    )
    commit.check()
    assert commit.complete
    assert commit.uncovered == ()


@pytest.mark.requirement("R22")
def test_the_connection_machine_is_sound_as_far_as_five_events_reach() -> None:
    found = explore(
        CONNECTION,
        unguarded_connection.LINK,
        events=unguarded_connection.EVENTS,
        depth=5,
        checks=[unguarded_connection.events_only_when_ready],
    )

    found.check()
    assert set(found.shortest) == {*Phase}
    assert found.uncovered == ()


def test_the_report_reads_well() -> None:
    found = explore(TURNSTILE, 0, events=[Coin(), Push()], depth=3, invariants=[few_coins])

    assert (
        str(found)
        == """\
machine 'turnstile': 3 of 3 states, 7 of 7 pairs, 13 situations (cut off at 3 events)

  state     events  shortest way
  LOCKED         0  nothing
  UNLOCKED       1  Coin()
  BROKEN         1  Kick()

violation 1 of 1: invariant few_coins: AssertionError: too many coins
  step  state     event   new state  commands
  1     LOCKED    Coin()  UNLOCKED   start state time-out, 10 s
                                     Say(text='open')
  2     UNLOCKED  Coin()  ·          Say(text='thanks')
  3     UNLOCKED  Coin()  ·          Say(text='thanks')"""
    )


def test_what_was_not_reached_covered_or_started_is_listed() -> None:
    text = str(explore(lamp(stops), Memory(), events=[Press()], depth=1))

    assert "2 of 3 states, 1 of 4 pairs" in text
    assert "states not reached (1):\n  BROKEN" in text
    assert "pairs not covered (3):\n  Press in ON\n  Drop in ON\n  Due in ON" in text
    assert "timers never started (1):\n  Due" in text
    assert text.endswith("no violation, no deadlock as far as it looked")
    assert Drop in lamp().events


def test_a_machine_that_keeps_nothing_is_explored_and_tested_without_data() -> None:
    def press(data: None, _: Press) -> Step[Switch, None, str]:
        assert data is None
        return go(Switch.ON, data)

    switch: Machine[Switch, None, str] = Machine(
        name="switch",
        states=Switch,
        initial=Switch.OFF,
        final={Switch.ON},
        transitions=[On(Switch.OFF, Press, press, to={Switch.ON})],
    )
    found = explore(switch, depth=1)
    assert (found.sound, found.uncovered) == (True, ())
    turn(machine_test(switch))
