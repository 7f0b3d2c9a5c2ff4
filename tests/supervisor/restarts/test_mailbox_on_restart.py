"""What waits in a mailbox when its actor is restarted, by the `mailbox` of its spec."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.exit import ExitKind, ExitReason
from greenroom.actors.monitors import Down, monitor
from greenroom.actors.ref import ActorStopped, Ref, Request
from greenroom.actors.reply import Reply
from greenroom.supervisor import (
    Backoff,
    Intensity,
    OnRestart,
    Restart,
    StaticSupervisorRef,
    Strategy,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
)
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef
from greenroom.supervisor.errors import RestartIntensityExceeded
from tests.supervisor.stage import Crash, settle

pytestmark = pytest.mark.requirement("R39")
FAILED, KEPT = OnRestart.FAILED, OnRestart.KEPT
STEADY = Backoff(first=5.0, limit=5.0, jitter=0.0)


class Which(Request[str]):
    """Answered with the incarnation that took it."""


class Fatal(Request[str]):
    """Its handler dies of it."""


Message = str | Which | Fatal


class Troupe:
    """Makes incarnations of one actor and notes what each of them handled."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.incarnations = 0
        self.failing_starts = 0
        self.deferred: list[object] = []
        self.gate = trio.Event()

    def __call__(self) -> Player:
        self.incarnations += 1
        return Player(self, self.incarnations)


class Player(Actor[Message]):
    capacity = 8

    def __init__(self, troupe: Troupe, number: int) -> None:
        self.troupe, self.number = troupe, number

    async def started(self) -> None:
        if self.number > 1 and self.troupe.failing_starts:
            self.troupe.failing_starts -= 1
            raise Crash("not up yet")

    async def receive(self, message: Message) -> str:
        if isinstance(message, Fatal) or message == "crash":
            raise Crash("told to")
        if message == "stop":
            self.stop()
        if message in ("wait", "wait and crash"):
            await self.troupe.gate.wait()
        if message == "wait and crash":
            raise Crash("after a while")
        if isinstance(message, Which):
            return f"by {self.number}"
        self.troupe.log.append(f"{message} by {self.number}")
        return ""


@asynccontextmanager
async def stage(
    policy: OnRestart, troupe: Troupe, **options: object
) -> AsyncIterator[tuple[StaticSupervisorRef, Ref[Message]]]:
    spec = actor_child("player", troupe, mailbox=policy, **options)  # type: ignore[arg-type]
    async with open_supervisor("root", [spec], intensity=Intensity(5, 60.0)) as root:
        ref = root.child("player")
        assert isinstance(ref, Ref)
        yield root, ref


async def test_by_default_waiting_asks_fail_with_the_crash_and_waiting_messages_are_counted() -> (
    None
):
    """gen_server(3), call/2: fails when the server ends. What waits is gone with a process."""
    troupe = Troupe()
    async with stage(FAILED, troupe) as (root, ref):
        for message in ("crash", "lost", "lost too"):
            ref.tell(message)
        answer = ref.request(Which())
        await settle()
        with pytest.raises(ActorStopped) as failure:
            await answer.wait()
        assert isinstance(failure.value.__cause__, Crash)
        assert ref.statistics().dropped == 3
        with pytest.raises(ActorStopped):
            ref.tell("too late")
        new = root.child("player")
        assert isinstance(new, Ref)
        assert await new.ask(Which()) == "by 2"
    assert troupe.log == []


async def test_kept_the_ref_goes_on_and_takes_messages_all_the_while(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Beyond OTP: a ref that lives as long as a registered name would."""
    troupe = Troupe()
    async with stage(KEPT, troupe, backoff=STEADY) as (root, ref):
        ref.tell("crash")
        ref.tell("waiting")
        await trio.sleep(1)
        assert ref.exit_reason is None
        ref.tell("in between")
        assert await ref.ask(Which()) == "by 2"
        assert troupe.log == ["waiting by 2", "in between by 2"]
        assert root.child("player") is ref


@pytest.mark.parametrize("policy", OnRestart)
async def test_what_an_actor_died_of_is_never_handled_again(policy: OnRestart) -> None:
    """Beyond OTP: a message that kills does so once."""
    async with stage(policy, Troupe()) as (root, ref):
        with pytest.raises(ActorStopped) as failure:
            await ref.ask(Fatal())
        assert isinstance(failure.value.__cause__, Crash)
        await settle()
        assert len(root.crashes()) == 1


async def test_failed_starts_in_between_lose_nothing() -> None:
    """Beyond OTP: what waits, waits for an incarnation that is up."""
    troupe = Troupe()
    troupe.failing_starts = 2
    async with stage(KEPT, troupe) as (_, ref):
        ref.tell("crash")
        ref.tell("patient")
        assert await ref.request(Which()).wait() == "by 4"
    assert troupe.log == ["patient by 4"]


async def test_an_ask_that_outlives_two_actors_is_answered_by_the_last() -> None:
    """Beyond OTP: pending asks are kept as messages are."""
    async with stage(KEPT, Troupe()) as (_, ref):
        ref.tell("crash")
        ref.tell("crash")
        assert await ref.request(Which()).wait() == "by 3"


async def test_an_answer_owed_by_the_dead_actor_fails_but_those_that_wait_do_not() -> None:
    """Beyond OTP: gen_server(3), call/2, fails only for what was taken already."""

    class Forgetful(Player):
        async def receive_many(self, messages: object) -> None:
            first = messages.popleft()  # type: ignore[attr-defined]  # a deque
            troupe.deferred.append(first)  # to be answered some other time
            raise Crash("with an answer owed")

    class FirstForgets(Troupe):
        def __call__(self) -> Player:
            player = super().__call__()
            return Forgetful(self, 1) if self.incarnations == 1 else player

    troupe = FirstForgets()
    async with stage(KEPT, troupe) as (_, ref):
        owed, waiting = ref.request(Which()), ref.request(Which())
        assert await waiting.wait() == "by 2"
        with pytest.raises(ActorStopped):
            await owed.wait()


async def test_a_sender_that_waits_for_room_gets_in_or_is_told() -> None:
    """Beyond OTP: mailboxes are bounded, so senders may wait."""
    troupe = Troupe()
    outcomes: list[str] = []

    async def send(ref: Ref[Message]) -> None:
        try:
            await ref.send("ninth")
            outcomes.append("in")
        except ActorStopped:
            outcomes.append("told")

    async with stage(KEPT, troupe) as (_, ref), trio.open_nursery() as nursery:
        ref.tell("wait")
        await settle()
        ref.tell("crash")
        for number in range(7):
            ref.tell(str(number))
        nursery.start_soon(send, ref)
        await settle()
        assert ref.statistics().senders_waiting == 1
        troupe.gate.set()
        await settle()
    assert outcomes == ["in"], "the reader lets waiting senders in before it handles a message"
    assert troupe.log[-1] == "ninth by 2"


@pytest.mark.parametrize(("policy", "told"), [(FAILED, True), (KEPT, False)])
async def test_from_its_last_words_on_only_a_kept_mailbox_takes_messages(
    policy: OnRestart, told: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: who sends to one that ends is told, or kept."""

    class Slow(Player):
        async def stopping(self, reason: ExitReason) -> None:
            await trio.sleep(1)

    class SlowOnes(Troupe):
        def __call__(self) -> Player:
            self.incarnations += 1
            return Slow(self, self.incarnations)

    refused: list[str] = []

    async def send(ref: Ref[Message]) -> None:
        try:
            await ref.send("waited for room")
        except ActorStopped:
            refused.append("who waited for room")

    troupe = SlowOnes()
    async with stage(policy, troupe) as (_, ref), trio.open_nursery() as nursery:
        ref.tell("wait and crash")
        await settle()
        for number in range(8):
            ref.tell(str(number))
        nursery.start_soon(send, ref)
        await settle()
        troupe.gate.set()
        await trio.sleep(0.5)
        try:
            await ref.send("in the last words")
        except ActorStopped:
            refused.append("who came late")
        await trio.sleep(5)
    expected = ["who waited for room", "who came late"] if told else []
    assert expected == refused
    handled = [*map(str, range(8)), "waited for room", "in the last words"]
    handled = [f"{message} by 2" for message in handled] if policy is KEPT else []
    assert handled == troupe.log


@pytest.mark.parametrize(
    ("restart", "last"), [(Restart.TEMPORARY, "crash"), (Restart.TRANSIENT, "stop")]
)
async def test_when_no_restart_follows_what_waits_fails(restart: Restart, last: str) -> None:
    """gen_server(3), call/2: fails when the server ends. Beyond OTP: whatever the spec keeps."""
    async with stage(KEPT, Troupe(), restart=restart) as (_, ref):
        ref.tell(last)
        waiting = ref.request(Which())
        ref.tell("lost")
        assert (await ref.wait_stopped()).kind is not ExitKind.SHUTDOWN
        await settle()
        with pytest.raises(ActorStopped):
            await waiting.wait()
        assert ref.statistics().dropped == 2
        with pytest.raises(ActorStopped):
            ref.tell("too late")


@pytest.mark.parametrize("how", ["terminate", "stop the tree", "give up"])
async def test_who_calls_a_restart_off_fails_what_waits_for_it(
    how: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Beyond OTP: nothing waits for an incarnation that will not come."""
    waiting: list[Reply[str]] = []
    troupe = Troupe()
    try:
        async with stage(KEPT, troupe, backoff=STEADY) as (root, ref):
            ref.tell("crash")
            waiting.append(ref.request(Which()))
            await trio.sleep(1)
            if how == "terminate":
                await root.terminate_child("player")
                assert waiting[0].is_set
            elif how == "give up":
                troupe.failing_starts = 99
                await trio.sleep_forever()
    except RestartIntensityExceeded:
        assert how == "give up"
    with pytest.raises(ActorStopped):
        await waiting[0].wait()
    assert ref.exit_reason is not None


async def test_a_kept_ref_stands_for_the_place_so_monitors_wait_for_its_last_end() -> None:
    """erlang(3), monitor/2: one DOWN message. Beyond OTP: a kept ref is down when it stays down."""

    class Watcher(Actor[Down]):
        async def receive(self, message: Down) -> None:
            downs.append(message.reason)

    downs: list[ExitReason] = []
    troupe = Troupe()
    specs = [actor_child("watcher", Watcher), actor_child("player", troupe, mailbox=KEPT)]
    async with open_supervisor("root", specs) as root:
        ref, watcher = root.child("player"), root.child("watcher")
        assert isinstance(ref, Ref)
        assert isinstance(watcher, Ref)
        monitor(ref, watcher)
        ref.tell("crash")
        await settle()
        assert (troupe.incarnations, downs) == (2, [])
        await root.terminate_child("player")
        await settle()
        assert [reason.kind for reason in downs] == [ExitKind.SHUTDOWN]
        new = await root.restart_child("player")
        assert new is not ref


async def test_a_bystander_of_a_group_restart_keeps_its_messages_too() -> None:
    """Beyond OTP: whoever is restarted, for whatever reason, by its own spec."""

    class Bystander(Player):
        async def receive(self, message: Message) -> str:
            if self.number == 1:
                await trio.sleep_forever()
            return await super().receive(message)

    class Bystanders(Troupe):
        def __call__(self) -> Player:
            self.incarnations += 1
            return Bystander(self, self.incarnations)

    first, second = Troupe(), Bystanders()
    specs = [actor_child("first", first), actor_child("second", second, mailbox=KEPT)]
    async with open_supervisor("root", specs, strategy=Strategy.ONE_FOR_ALL) as root:
        falls, bystander = root.child("first"), root.child("second")
        assert isinstance(falls, Ref)
        assert isinstance(bystander, Ref)
        bystander.tell("in hand")
        await settle()
        bystander.tell("waiting")
        falls.tell("crash")
        await settle()
    assert second.log == ["waiting by 2"]


async def test_children_of_a_dynamic_supervisor_keep_theirs_as_well() -> None:
    """Beyond OTP: the same under a dynamic supervisor."""
    troupe = Troupe()
    async with open_supervisor("root", [dynamic_supervisor_child("players")]) as root:
        players = root.child("players")
        assert isinstance(players, DynamicSupervisorRef)
        spec = actor_child("a", troupe, mailbox=KEPT, restart=Restart.TRANSIENT)
        ref = await players.start_child(spec)
        assert isinstance(ref, Ref)
        ref.tell("crash")
        assert await ref.request(Which()).wait() == "by 2"
        await players.terminate_child("a")
        assert ref.exit_reason is not None


async def test_one_spec_in_two_supervisors_shares_no_mailbox() -> None:
    """Beyond OTP: a spec is a value; what is kept belongs to a place in a tree."""
    spec = actor_child("player", Troupe(), mailbox=KEPT)
    async with open_supervisor("one", [spec]) as one, open_supervisor("two", [spec]) as two:
        assert one.child("player") is not two.child("player")
