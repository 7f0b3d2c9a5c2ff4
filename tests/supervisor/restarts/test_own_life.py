"""A mailbox that outlives its actor does not carry on what the old life asked for."""

from __future__ import annotations

import enum
from collections import deque

import attrs
import pytest
import trio
import trio.testing
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenroom.actors.actor import Actor
from greenroom.actors.exit import NORMAL
from greenroom.actors.machine.actor import MachineActor
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import StartTimer, StateTimeout, Step, Stop, stay
from greenroom.actors.machine.table import On
from greenroom.actors.mailbox import Mailbox
from greenroom.actors.monitors import Down, monitor
from greenroom.actors.own_life import OwnLife
from greenroom.actors.ref import Ref, Request
from greenroom.actors.reply import ReplyOutcome
from greenroom.actors.timers import Timers
from greenroom.supervisor import Backoff, OnRestart, actor_child, open_supervisor
from tests.supervisor.stage import Crash

pytestmark = [pytest.mark.requirement("R39"), pytest.mark.fault("S2")]


class Life(enum.Enum):
    ON = 1


@attrs.frozen
class Work:
    seconds: float


@attrs.frozen
class Die:
    pass


@attrs.frozen
class TimeIsUp:
    timer: str


WorkStep = Step[Life, None, object]
WORKER: Machine[Life, None, object] = Machine(
    name="worker",
    states=Life,
    initial=Life.ON,
    transitions=[
        On(Life.ON, Work, lambda data, work: stay(data, work)),
        On(Life.ON, Die, lambda data, _: stay(data, Stop(Crash("told to")))),
        On(Life.ON, TimeIsUp, lambda data, event: stay(data, event.timer)),
    ],
    on_enter={
        Life.ON: lambda data: stay(
            data,
            "born",
            StateTimeout(10, TimeIsUp("state")),
            StartTimer("named", 11, TimeIsUp("named")),
        )
    },
)


class Worker(MachineActor[Work | Die | TimeIsUp, Life, None, object]):
    machine = WORKER

    def __init__(self, log: list[tuple[float, str]]) -> None:
        self.log = log

    def initial_data(self) -> None:
        return None

    async def perform(self, command: object) -> None:
        if isinstance(command, Work):
            await trio.sleep(command.seconds)
        else:
            self.log.append((trio.current_time(), str(command)))


async def test_a_machine_that_is_restarted_has_its_own_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Beyond OTP: a kept mailbox.

    Both timers of the first life are due, and in its mailbox, when it dies at 20 s.
    """
    log: list[tuple[float, str]] = []
    spec = actor_child("it", lambda: Worker(log), mailbox=OnRestart.KEPT)
    async with open_supervisor("root", [spec]) as root:
        ref = root.child("it")
        assert isinstance(ref, Ref)
        ref.tell(Work(20))
        ref.tell(Die())
        await trio.sleep(60)
    assert log == [(0, "born"), (20, "born"), (30, "state"), (31, "named")]


class Question(Request[str]):
    pass


class Oracle(Actor[Question | str]):
    """Answers after 5 s, or dies of what it is told."""

    async def receive(self, message: Question | str) -> str:
        if isinstance(message, Question):
            await trio.sleep(5)
            return "42"
        raise Crash(message)


Heard = str | Down


class Asker(Actor[Heard]):
    """Each life sets a timer, asks the oracle, watches it; and writes down what it hears."""

    def __init__(self, log: list[tuple[int, str]], lives: list[Asker], oracle: Ref[object]) -> None:
        self.log, self.oracle = log, oracle
        lives.append(self)
        self.number = len(lives)

    async def started(self) -> None:
        self.timers.start("tick", 5, f"tick of {self.number}")
        self.oracle.pipe(Question(), self.ref, self._answer)
        monitor(self.oracle, self.ref)

    def _answer(self, _: ReplyOutcome[str]) -> str:
        return f"answer for {self.number}"

    async def receive(self, message: Heard) -> None:
        if message == "die":
            raise Crash("told to")
        if message == "busy":
            await trio.sleep(6)
        self.log.append((self.number, "down" if isinstance(message, Down) else message))


@pytest.mark.parametrize("busy", [True, False], ids=["delivered", "under way"])
async def test_timers_answers_and_news_are_for_the_life_that_asked_for_them(
    busy: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: a kept mailbox.

    Whether they came before it died, and waited in the mailbox, or would have come later.
    """
    log: list[tuple[int, str]] = []
    lives: list[Asker] = []
    async with open_supervisor("root", [actor_child("oracle", Oracle)]) as root:
        oracle = root.child("oracle")
        assert isinstance(oracle, Ref)
        asker = actor_child(
            "asker",
            lambda: Asker(log, lives, oracle),
            mailbox=OnRestart.KEPT,
            backoff=Backoff(2, 2),
        )
        ref = await root.start_child(asker)
        assert isinstance(ref, Ref)
        ref.tell("busy" if busy else "told")
        ref.tell("die")
        ref.tell("told by another")
        await trio.sleep(40)
        oracle.tell("fall")
        await trio.sleep(10)
    first = [(1, "busy" if busy else "told")]
    assert log[:2] == [*first, (2, "told by another")]
    assert sorted(log[2:]) == [(2, "answer for 2"), (2, "down"), (2, "tick of 2")]


async def test_what_others_asked_for_on_behalf_of_a_place_survives_its_lives(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Beyond OTP: a kept mailbox.

    A monitor and a pipe made by somebody else: as a message that somebody else told.
    """
    log: list[tuple[int, str]] = []
    lives: list[Asker] = []
    specs = [actor_child("oracle", Oracle), actor_child("quiet", Oracle)]
    async with open_supervisor("root", specs) as root:
        oracle, quiet = root.child("oracle"), root.child("quiet")
        assert isinstance(oracle, Ref)
        assert isinstance(quiet, Ref)
        spec = actor_child("asker", lambda: Asker(log, lives, quiet), mailbox=OnRestart.KEPT)
        ref = await root.start_child(spec)
        assert isinstance(ref, Ref)
        monitor(oracle, ref)
        oracle.pipe(Question(), ref, lambda _: "for the place")
        ref.tell("die")
        await trio.sleep(8)
        oracle.tell("fall")
        await trio.sleep(8)
    assert (2, "for the place") in log
    assert (2, "down") in log


async def test_a_timer_that_a_stray_task_starts_after_the_end_reaches_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Beyond OTP: a kept mailbox (Akka keeps one, too)."""
    log: list[tuple[float, str]] = []
    lives: list[Worker] = []

    def make() -> Worker:
        lives.append(Worker(log))
        return lives[-1]

    async with open_supervisor("root", [actor_child("it", make, mailbox=OnRestart.KEPT)]) as root:
        ref = root.child("it")
        assert isinstance(ref, Ref)
        ref.tell(Die())
        await trio.testing.wait_all_tasks_blocked()
        lives[0].timers.start("stray", 1, TimeIsUp("stray"))  # type: ignore[arg-type]  # an event
        await trio.sleep(5)
    assert "stray" not in [text for _, text in log]


class MailboxOfALife(RuleBasedStateMachine):
    """Whatever happens to a mailbox, the end of a life takes back its own messages and no other.

    The model: the waiting messages as a list, each with whether this life was owed it. All of
    them are the same object, so that only their places tell them apart.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mailbox: Mailbox[str] = Mailbox(4, clock=lambda: 0.0)
        self.model: list[bool] = []
        self.taken: list[bool] = []
        self.in_hand: deque[str] = deque()
        self._begin()

    def _begin(self) -> None:
        self.life = OwnLife("it", self.mailbox, self.mailbox.put_owed)

    @rule()
    def another_tells(self) -> None:
        self.mailbox.put_owed("x")
        self.model.append(False)

    @rule()
    def a_timer_fires(self) -> None:
        self.life.tell_owed("x")
        self.model.append(True)

    @precondition(lambda self: not self.in_hand)
    @rule()
    def take(self) -> None:
        self.in_hand = self.mailbox.take_all_nowait()
        self.taken, self.model = self.model, []

    @precondition(lambda self: self.in_hand)
    @rule(handled=st.integers(1, 5))
    def handle_some_and_put_the_rest_back(self, handled: int) -> None:
        handled = min(handled, len(self.in_hand))
        for _ in range(handled):
            self.in_hand.popleft()
        self.mailbox.put_back(self.in_hand)
        self.model = [*self.taken[handled:], *self.model]
        self.in_hand = deque()

    @precondition(lambda self: not self.in_hand)
    @rule()
    def the_life_ends(self) -> None:
        old = self.life
        old.end(NORMAL)
        old.tell_owed("x")
        self.model = [owed for owed in self.model if not owed]
        self._begin()

    @invariant()
    def as_many_wait(self) -> None:
        assert len(self.mailbox.waiting()) == len(self.model)


TestMailboxOfALife = MailboxOfALife.TestCase


async def test_the_life_of_an_actor_without_a_kept_mailbox_costs_nothing() -> None:
    """Beyond OTP: a kept mailbox (Akka keeps one, too)."""
    async with open_supervisor("root", [actor_child("oracle", Oracle)]) as root:
        ref = root.child("oracle")
        assert isinstance(ref, Ref)
        assert ref._own is None
        assert isinstance(ref._actor, Oracle)
        assert isinstance(ref._actor.timers, Timers)
