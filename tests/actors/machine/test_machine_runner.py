"""The runner: what actions mean, checked one by one and then against a simple model."""

from __future__ import annotations

import enum
import math

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenroom.actors.errors import TimerError
from greenroom.actors.machine.machine import Machine, NotAStep, TimerWithoutHandler, UnlistedPair
from greenroom.actors.machine.runner import (
    EnterOverstepped,
    MachineRunner,
    MachineStopped,
    MutableData,
    NeverSettles,
    PostponedTooMany,
    TimerFired,
    Transition,
)
from greenroom.actors.machine.step import (
    STATE_TIMEOUT,
    CancelTimer,
    MachineAction,
    Next,
    Postpone,
    StartTimer,
    StateTimeout,
    Step,
    Stop,
    go,
    stay,
)
from greenroom.actors.machine.table import On
from greenroom.testing import explore
from tests.actors.machine.turnstile import TURNSTILE, Coin, Gate, Kick, Push, Say

pytestmark = pytest.mark.requirement("R39")


def opened() -> tuple[MachineRunner[Gate, int, Say], StartTimer]:
    """A turnstile just unlocked, and its state time-out."""
    runner = MachineRunner(TURNSTILE, 0)
    timeout, greeting = runner.handle(Coin())
    assert isinstance(timeout, StartTimer)
    assert greeting == Say("open")
    return runner, timeout


def test_entering_a_state_acts_once_and_staying_does_not() -> None:
    runner, _ = opened()

    assert runner.handle(Coin()) == [Say("thanks")]
    assert (runner.state, runner.data) == (Gate.UNLOCKED, 2)


def test_a_state_time_out_is_delivered_in_its_state() -> None:
    runner, timeout = opened()

    assert (timeout.name, timeout.after) == (STATE_TIMEOUT, 10)
    assert runner.handle(timeout.event) == [Say("too late")]
    assert runner.state is Gate.LOCKED


def test_leaving_the_state_cancels_its_time_out_and_a_late_delivery_is_ignored() -> None:
    runner, timeout = opened()

    assert runner.handle(Push()) == [CancelTimer(STATE_TIMEOUT), Say("welcome")]
    assert runner.handle(timeout.event) == []
    assert runner.state is Gate.LOCKED


def test_the_time_out_of_an_earlier_visit_is_ignored_in_a_later_one() -> None:
    runner, first = opened()
    runner.handle(Push())
    runner.handle(Coin())

    assert runner.handle(first.event) == []
    assert runner.state is Gate.UNLOCKED


def test_a_postponed_event_waits_for_a_change_of_state() -> None:
    runner = MachineRunner(TURNSTILE, 0)

    assert runner.handle(Push()) == []
    assert runner.postponed == 1
    assert runner.handle(Coin())[-1] == Say("welcome")
    assert (runner.state, runner.postponed) == (Gate.LOCKED, 0)


def test_too_many_postponed_events_are_refused() -> None:
    runner = MachineRunner(TURNSTILE, 0, max_postponed=2)
    runner.handle(Push())
    runner.handle(Push())

    with pytest.raises(PostponedTooMany, match=r"postponed 2 events in LOCKED .* another Push"):
        runner.handle(Push())


def test_a_final_state_is_done_and_cancels_every_timer() -> None:
    runner, timeout = opened()

    assert runner.handle(Kick()) == [CancelTimer(STATE_TIMEOUT), Say("ouch")]
    assert runner.done
    assert runner.handle(timeout.event) == []
    with pytest.raises(UnlistedPair):
        runner.handle(Coin())


def test_the_log_keeps_the_last_transitions_and_on_move_hears_of_each() -> None:
    moves: list[Transition] = []
    runner = MachineRunner(TURNSTILE, 0, log=2, on_move=moves.append)
    for event in (Coin(), Coin(), Push(), Kick()):
        runner.handle(event)

    assert list(runner.log) == [
        Transition(Gate.UNLOCKED, "Push", Gate.LOCKED),
        Transition(Gate.LOCKED, "Kick", Gate.BROKEN),
    ]
    assert len(moves) == 3


def test_a_step_that_is_refused_changes_nothing() -> None:
    runner, _ = opened()

    with pytest.raises(UnlistedPair):
        runner.handle(Say("hello"))

    assert (runner.state, runner.data) == (Gate.UNLOCKED, 1)


class Room(enum.Enum):
    A = 1
    B = 2


@attrs.frozen
class Do:
    """Obey: go there (or stay), with these actions and commands."""

    actions: tuple[str | MachineAction, ...] = ()
    to: Room | None = None
    name: str = ""


def do(data: tuple[str, ...], event: Do) -> Step[Room, tuple[str, ...], str]:
    """Keeps a diary of the events by name, unless it is told to postpone them."""
    postponed = any(isinstance(action, Postpone) for action in event.actions)
    diary = data if postponed else (*data, event.name)
    return Step(event.to, diary, event.actions)


def later(data: tuple[str, ...], event: Later) -> Step[Room, tuple[str, ...], str]:
    return stay(data, Postpone())


def now(data: tuple[str, ...], event: Later) -> Step[Room, tuple[str, ...], str]:
    return stay((*data, event.name))


@attrs.frozen
class Later:
    """Postponed in A, noted in B."""

    name: str


def puppet(**options: object) -> MachineRunner[Room, tuple[str, ...], str]:
    machine: Machine[Room, tuple[str, ...], str] = Machine(
        name="puppet",
        states=Room,
        initial=Room.A,
        transitions=[
            On({Room.A, Room.B}, Do, do, to={Room.A, Room.B}),
            On(Room.A, Later, later),
            On(Room.B, Later, now),
        ],
        **options,  # type: ignore[arg-type]  # passed on as given
    )
    return MachineRunner(machine, ())


def test_next_events_come_in_order_before_the_postponed_and_those_in_theirs() -> None:
    """gen_statem(3): postponed events first return to the queue, then inserted ones go in front."""
    runner = puppet()
    runner.handle(Later("third"))
    runner.handle(Later("fourth"))

    runner.handle(Do((Next(Do(name="first")), Next(Do(name="second"))), to=Room.B, name="go"))

    assert runner.data == ("go", "first", "second", "third", "fourth")


def test_a_next_event_may_insert_again_before_what_its_sibling_inserted() -> None:
    runner = puppet()
    inner = Do((Next(Do(name="b")),), name="a")

    runner.handle(Do((Next(inner), Next(Do(name="c")))))

    assert runner.data == ("", "a", "b", "c")


def test_an_event_postponed_with_a_change_of_state_comes_again_in_the_new_one() -> None:
    seen: list[Room] = []

    def once(data: tuple[str, ...], _: Later) -> Step[Room, tuple[str, ...], str]:
        seen.append(Room.A)
        return go(Room.B, data, Postpone())

    machine: Machine[Room, tuple[str, ...], str] = Machine(
        name="puppet",
        states=Room,
        initial=Room.A,
        transitions=[On(Room.A, Later, once, to={Room.B}), On(Room.B, Later, now)],
    )
    runner = MachineRunner(machine, ())

    runner.handle(Later("again"))

    assert seen == [Room.A]
    assert runner.data == ("again",)


def test_named_timers_survive_states_and_a_name_started_again_replaces() -> None:
    runner = puppet()
    (first,) = runner.handle(Do((StartTimer("t", 1, Do(name="one")),)))
    (second,) = runner.handle(Do((StartTimer("t", 2, Do(name="two")),), to=Room.B))
    assert isinstance(first, StartTimer)
    assert isinstance(second, StartTimer)

    runner.handle(first.event)
    runner.handle(second.event)
    runner.handle(second.event)

    assert runner.data == ("", "", "two")


def test_cancelling_a_timer_tells_the_shell_once() -> None:
    runner = puppet()
    runner.handle(Do((StartTimer("t", 1, Do(name="one")),)))

    assert runner.handle(Do((CancelTimer("t"), CancelTimer("t"), CancelTimer("x")))) == [
        CancelTimer("t")
    ]


def test_a_state_time_out_returned_with_a_change_of_state_belongs_to_the_new_state() -> None:
    runner = puppet()

    (start,) = runner.handle(Do((StateTimeout(1, Do(name="due")),), to=Room.B))
    assert isinstance(start, StartTimer)
    runner.handle(start.event)

    assert runner.data == ("", "due")


@pytest.mark.parametrize("after", [-1, -0.001, math.inf, math.nan, "1", None])
@pytest.mark.parametrize("to", [None, Room.B])
def test_a_timer_that_no_clock_could_run_is_refused_when_it_is_started(
    after: float, to: Room | None
) -> None:
    """As the alarm clock refuses it: the machine must not pass what crashes its actor."""
    for timer in (StateTimeout(after, Do()), StartTimer("t", after, Do())):
        with pytest.raises(TimerError) as refused:
            puppet().handle(Do((timer,), to=to))
        where = f"machine 'puppet' in {(to or Room.A).name}: the timer for Do"
        assert refused.value.message.startswith(where)
        assert refused.value.message.endswith(f"not {after!r}")


def test_exploring_a_machine_finds_the_timer_that_would_crash_its_actor() -> None:
    def sooner(left: int, _: Do) -> Step[Room, int, str]:
        return stay(left - 1, StateTimeout(left, Do()))

    machine: Machine[Room, int, str] = Machine(
        name="fuse",
        states=Room,
        initial=Room.A,
        transitions=[On(Room.A, Do, sooner, to=Room.B), On(Room.B, Do, sooner)],
    )

    found = explore(machine, 1, events=[Do()])

    (violation,) = found.violations
    assert violation.what.startswith("Do in A: TimerError: machine 'fuse' in A: the timer for Do")
    assert "not -1" in violation.what


def test_going_to_the_state_one_is_in_is_staying() -> None:
    """gen_statem(3): a state change is one to a different state."""
    runner = puppet(on_enter={Room.A: lambda data: stay((*data, "entered"))})
    runner.handle(Do((StateTimeout(1, Do(name="due")),)))

    assert runner.handle(Do(to=Room.A, name="x")) == []
    assert runner.data == ("entered", "", "x")
    assert not runner.log


def test_entering_the_initial_state_acts_at_the_start() -> None:
    runner = puppet(on_enter={Room.A: lambda data: stay(data, "lights on")})

    assert runner.start() == ["lights on"]
    assert runner.start() == []
    assert runner.handle(Do(("hello",))) == ["hello"]


def test_what_entering_the_initial_state_asked_for_is_not_lost_without_start() -> None:
    runner = puppet(on_enter={Room.A: lambda data: stay(data, "lights on")})

    assert runner.handle(Do(("hello",))) == ["lights on", "hello"]


@pytest.mark.parametrize(
    "step", [go(Room.A, ()), stay((), Postpone()), stay((), Next(Do()))], ids=str
)
def test_entering_may_not_change_the_state_postpone_or_insert(
    step: Step[Room, tuple[str, ...], str],
) -> None:
    runner = puppet(on_enter={Room.B: lambda _: step})

    with pytest.raises(EnterOverstepped, match="'puppet': entering B may give commands"):
        runner.handle(Do(to=Room.B))


@pytest.mark.parametrize("answer", [None, "", Room.B])
def test_an_enter_action_that_returns_no_step_is_named_with_what_it_returned(
    answer: object,
) -> None:
    runner = puppet(on_enter={Room.B: lambda _: answer})

    with pytest.raises(NotAStep) as refused:
        runner.handle(Do(to=Room.B))

    assert refused.value.message == (
        f"machine 'puppet': the enter action of B returned {answer!r}, which is no step"
    )


def test_an_event_is_postponed_once_however_often_that_is_said() -> None:
    """gen_statem(3), `action()`: "the last postpone() overrides any previous"."""
    runner = puppet()

    runner.handle(Do((Postpone(), Postpone()), name="again"))

    assert runner.postponed == 1


def test_a_timer_of_no_seconds_comes_after_what_waits_and_before_anything_from_outside() -> None:
    """gen_statem(3), `generic_timeout()`: "before any not yet received external event"."""
    runner = puppet()
    runner.handle(Later("postponed"))
    timer = StartTimer("t", 0, Do(name="timer"))

    told = runner.handle(Do((timer, Next(Do(name="next"))), to=Room.B, name="go"))

    assert told == []
    assert runner.data == ("go", "next", "postponed", "timer")
    assert not runner.timers


def test_a_timer_of_no_seconds_can_still_be_cancelled_or_outlived() -> None:
    runner = puppet()
    cancel, leave = Do((CancelTimer("t"),), name="a"), Do(to=Room.B, name="b")

    runner.handle(Do((StartTimer("t", 0, Do(name="timer")), Next(cancel)), name="go"))
    runner.handle(Do((StateTimeout(0, Do(name="time-out")), Next(leave)), name="on"))

    assert runner.data == ("go", "a", "on", "b")


def test_entering_the_initial_state_may_set_a_timer_of_no_seconds() -> None:
    due = Do(name="due")
    runner = puppet(on_enter={Room.A: lambda data: stay(data, StateTimeout(0, due))})

    assert runner.start() == []
    assert runner.data == ("due",)


def test_a_timer_whose_event_no_row_takes_is_refused_as_it_is_started() -> None:
    runner = puppet()

    with pytest.raises(TimerWithoutHandler, match="for Coin: no row takes it"):
        runner.handle(Do((StartTimer("t", 1, Coin()),)))


def test_stop_ends_the_machine_in_any_state_and_forgets_what_waits() -> None:
    """gen_statem(3), `stop_and_reply`: what the step says is still done, and nothing after."""
    runner = puppet()
    runner.handle(Later("postponed"))
    runner.handle(Do((StartTimer("t", 1, Do()),), name="one"))

    told = runner.handle(Do(("bye", Stop(), Next(Do(name="never"))), name="two"))

    assert told == ["bye", CancelTimer("t")]
    assert runner.done
    assert (runner.state, runner.data, runner.postponed) == (Room.A, ("one", "two"), 0)
    assert runner.error is None


def test_a_machine_that_stopped_takes_no_more_events_and_ignores_timers() -> None:
    runner = puppet()
    (timer,) = runner.handle(Do((StartTimer("t", 1, Do()),)))
    runner.handle(Do((Stop(),)))
    assert isinstance(timer, StartTimer)

    assert runner.handle(timer.event) == []
    with pytest.raises(MachineStopped, match="'puppet' takes nothing, it has stopped"):
        runner.handle(Do())


def test_stop_may_say_why_and_an_enter_action_may_stop() -> None:
    broken = ValueError("broken")
    runner = puppet(on_enter={Room.B: lambda data: stay(data, Stop(broken))})

    runner.handle(Do(to=Room.B, name="go"))

    assert runner.done
    assert runner.error is broken


def test_stopping_while_the_initial_state_is_entered_ends_it_before_it_began() -> None:
    runner = puppet(on_enter={Room.A: lambda data: stay(data, Stop())})

    assert runner.done


def test_events_that_lead_to_each_other_for_ever_are_refused_and_do_not_hang() -> None:
    def again(data: tuple[str, ...], event: Later) -> Step[Room, tuple[str, ...], str]:
        return stay(data, Next(event))

    machine: Machine[Room, tuple[str, ...], str] = Machine(
        name="echo",
        states=Room,
        initial=Room.A,
        transitions=[On(Room.A, Later, again), On({Room.A, Room.B}, Do, do, to=set(Room))],
    )

    with pytest.raises(NeverSettles, match="'echo' took 10000 steps for one Later"):
        MachineRunner(machine, ()).handle(Later("echo"))


@pytest.mark.parametrize("data", [[], {}, set(), bytearray()], ids=repr)
def test_data_that_can_be_changed_in_place_is_refused(data: object) -> None:
    name = type(data).__name__
    with pytest.raises(MutableData, match=f"'turnstile' may not keep .* in place: data: {name}"):
        MachineRunner(TURNSTILE, data)  # type: ignore[misc]  # the point


def test_a_fork_stands_where_the_runner_does_and_goes_its_own_way() -> None:
    runner = puppet()
    runner.handle(Later("postponed"))
    (timer,) = runner.handle(Do((StartTimer("t", 1, Do(name="due")),), name="one"))
    assert isinstance(timer, StartTimer)
    twin = runner.fork()

    twin.handle(timer.event)
    twin.handle(Do(to=Room.B, name="go"))

    assert twin.data == ("one", "due", "go", "postponed")
    assert (runner.state, runner.data, runner.postponed) == (Room.A, ("one",), 1)
    assert list(runner.timers) == ["t"]
    assert not runner.log


class RunnerAgainstModel(RuleBasedStateMachine):
    """The model: plain lists, and the gen_statem rules spelt out for the two rooms."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = puppet()
        self.room = Room.A
        self.diary: list[str] = []
        self.waiting: list[str] = []
        self.timers: dict[object, TimerFired] = {}
        self.stale: list[TimerFired] = []
        self.count = 0

    def obey(self, commands: list[str | StartTimer | CancelTimer]) -> None:
        for command in commands:
            match command:
                case StartTimer(name, _, TimerFired() as fired):
                    self.retire(name)
                    self.timers[name] = fired
                case CancelTimer(name):
                    assert name in self.timers
                    self.retire(name)
                case _:
                    raise AssertionError(f"nobody asked for {command!r}")

    def retire(self, name: object) -> None:
        if name in self.timers:
            self.stale.append(self.timers.pop(name))

    def fresh(self) -> str:
        self.count += 1
        return str(self.count)

    @rule()
    def note(self) -> None:
        name = self.fresh()
        self.obey(self.runner.handle(Do(name=name)))
        self.diary.append(name)

    @precondition(lambda self: len(self.waiting) < 60)
    @rule()
    def note_later(self) -> None:
        name = self.fresh()
        self.obey(self.runner.handle(Later(name)))
        (self.waiting if self.room is Room.A else self.diary).append(name)

    @rule(to=st.sampled_from(Room), inserted=st.integers(0, 3))
    def move(self, to: Room, inserted: int) -> None:
        name, following = self.fresh(), [self.fresh() for _ in range(inserted)]
        actions = tuple(Next(Do(name=other)) for other in following)
        self.obey(self.runner.handle(Do(actions, to=to, name=name)))
        self.diary += [name, *following]
        if to is not self.room:
            assert STATE_TIMEOUT not in self.timers
            self.diary += self.waiting
            self.waiting = []
            if to is Room.A:
                assert self.runner.postponed == 0
        self.room = to

    @rule(name=st.sampled_from(["x", "y", STATE_TIMEOUT]))
    def start_timer(self, name: str | object) -> None:
        note, due = self.fresh(), Do(name=f"due {name}")
        action = StateTimeout(1, due) if name is STATE_TIMEOUT else StartTimer(name, 1, due)
        self.obey(self.runner.handle(Do((action,), name=note)))
        self.diary.append(note)
        assert name in self.timers

    @rule(name=st.sampled_from(["x", "y", STATE_TIMEOUT]))
    def cancel_timer(self, name: str | object) -> None:
        note = self.fresh()
        self.obey(self.runner.handle(Do((CancelTimer(name),), name=note)))
        self.diary.append(note)
        assert name not in self.timers

    @precondition(lambda self: self.timers)
    @rule(data=st.data())
    def timer_fires(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.timers, key=str)))
        fired = self.timers.pop(name)
        self.stale.append(fired)
        self.obey(self.runner.handle(fired))
        self.diary.append(f"due {name}")

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def stale_timer_fires(self, data: st.DataObject) -> None:
        assert self.runner.handle(data.draw(st.sampled_from(self.stale))) == []

    @invariant()
    def agrees(self) -> None:
        assert self.runner.state is self.room
        assert list(self.runner.data) == self.diary
        assert self.runner.postponed == len(self.waiting)


TestRunnerAgainstModel = RunnerAgainstModel.TestCase


@pytest.mark.fault("S8")
@pytest.mark.parametrize("to", [(), {Room.B}, {Room.A, Room.B}], ids=str)
def test_going_to_the_state_one_is_in_is_staying_whatever_the_row_lists(to: set[Room]) -> None:
    """The state is neither left nor entered, its time-out runs on, what was postponed waits on."""

    def again(data: tuple[str, ...], event: Do) -> Step[Room, tuple[str, ...], str]:
        return go(Room.A, (*data, event.name), *event.actions)

    def leave(data: tuple[str, ...], _: Coin) -> Step[Room, tuple[str, ...], str]:
        return go(Room.B, data)

    machine: Machine[Room, tuple[str, ...], str] = Machine(
        name="stays",
        states=Room,
        initial=Room.A,
        transitions=[
            On(Room.A, Do, again, to=to),
            On(Room.A, Later, later),
            On(Room.A, Coin, leave, to=Room.B),
            On(Room.B, Coin, leave),
        ],
        on_enter={Room.A: lambda data: stay((*data, "entered"), StateTimeout(9, Do()))},
    )
    runner = MachineRunner(machine, ())
    runner.start()
    runner.handle(Later("waits"))
    timers = dict(runner.timers)

    assert runner.handle(Do(("said",), name="again")) == ["said"]

    assert (runner.state, runner.data) == (Room.A, ("entered", "again"))
    assert (runner.waiting, dict(runner.timers)) == ((Later("waits"),), timers)
    assert not runner.log
