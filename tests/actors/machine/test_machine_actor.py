"""A machine driven as an actor or a reactor: mailbox in, commands out, timers on its clock."""

from __future__ import annotations

import enum

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors.actor import run_actor
from greenroom.actors.errors import AskTimeout, MailboxFull
from greenroom.actors.exit import NORMAL
from greenroom.actors.machine.actor import Answer, MachineActor, MachineReactor
from greenroom.actors.machine.machine import Machine, UnlistedPair
from greenroom.actors.machine.runner import TimerFired
from greenroom.actors.machine.step import Step, Stop, go, stay
from greenroom.actors.machine.table import On
from greenroom.actors.probe import Probe
from greenroom.actors.ref import ActorStopped, Ref, Request
from tests.actors.conftest import Spawn
from tests.actors.machine.turnstile import Coin, Gate, Kick, Push, Say
from tests.actors.machine.turnstile_actor import ReactingTurnstile, Turnstile

pytestmark = [pytest.mark.requirement("R39"), pytest.mark.requirement("R22")]


@pytest.fixture(params=[Turnstile, ReactingTurnstile])
def turnstile(request: pytest.FixtureRequest) -> Turnstile | ReactingTurnstile:
    made: Turnstile | ReactingTurnstile = request.param()
    return made


async def test_messages_are_events_and_commands_are_performed_in_order(
    spawn: Spawn, autojump_clock: trio.testing.MockClock, turnstile: Turnstile | ReactingTurnstile
) -> None:
    ref = await spawn(turnstile)

    ref.tell(Coin())
    ref.tell(Push())
    ref.tell(Kick())

    assert await ref.wait_stopped() == NORMAL
    assert [text for _, text in turnstile.said] == ["open", "welcome", "ouch"]


async def test_a_state_time_out_comes_when_due_and_not_after_the_state_was_left(
    spawn: Spawn, autojump_clock: trio.testing.MockClock, turnstile: Turnstile | ReactingTurnstile
) -> None:
    ref = await spawn(turnstile)
    ref.tell(Coin())
    await trio.sleep(20)
    ref.tell(Coin())
    ref.tell(Push())
    await trio.sleep(20)
    ref.tell(Kick())
    await ref.wait_stopped()

    assert turnstile.said == [
        (0.0, "open"),
        (10.0, "too late"),
        (20.0, "open"),
        (20.0, "welcome"),
        (40.0, "ouch"),
    ]


async def test_the_probe_hears_of_every_move(
    spawn: Spawn, turnstile: Turnstile | ReactingTurnstile
) -> None:
    moves: list[tuple[str, ...]] = []

    class Watcher(Probe):
        def moved(self, actor: str, machine: str, old: str, event: str, new: str) -> None:
            moves.append((actor, machine, old, event, new))

    ref = await spawn(turnstile, name="gate", probe=Watcher())
    ref.tell(Coin())
    ref.tell(Kick())
    await ref.wait_stopped()

    assert moves == [
        ("gate", "turnstile", "LOCKED", "Coin", "UNLOCKED"),
        ("gate", "turnstile", "UNLOCKED", "Kick", "BROKEN"),
    ]


async def test_an_event_the_table_does_not_list_crashes_it(
    turnstile: Turnstile | ReactingTurnstile,
) -> None:

    class Up(trio.TaskStatus[Ref[Coin | Push | Kick | TimerFired]]):
        def started(self, value: Ref[Coin | Push | Kick | TimerFired] | None = None) -> None:
            assert value is not None
            value.tell(Say("hello"))  # type: ignore[arg-type]  # the point

    with pytest.raises(UnlistedPair, match="takes no Say in LOCKED"):
        await run_actor(turnstile, name="gate", task_status=Up())
    with pytest.raises(ActorStopped, match="takes no Say in LOCKED"):
        turnstile.ref.tell(Coin())


class Shop(enum.Enum):
    CLOSED = 1
    OPEN = 2


@attrs.frozen
class Price(Request[int]):
    pass


@attrs.frozen
class Open:
    pass


Waiting = tuple[Price, ...]
ShopStep = Step[Shop, Waiting, Answer[int]]


def queue_up(waiting: Waiting, price: Price) -> ShopStep:
    return stay((*waiting, price))


def open_shop(waiting: Waiting, _: Open) -> ShopStep:
    return go(Shop.OPEN, (), *(Answer(price, 7) for price in waiting))


def tell_price(waiting: Waiting, price: Price) -> ShopStep:
    return stay(waiting, Answer(price, 7), Answer(price, 8))


SHOP: Machine[Shop, Waiting, Answer[int]] = Machine(
    name="shop",
    states=Shop,
    initial=Shop.CLOSED,
    transitions=[
        On(Shop.CLOSED, Price, queue_up),
        On(Shop.CLOSED, Open, open_shop, to={Shop.OPEN}),
        On(Shop.OPEN, Price, tell_price),
    ],
)


class Shopkeeper(MachineActor[Price | Open, Shop, Waiting, Answer[int]]):
    machine = SHOP
    capacity = 2

    def initial_data(self) -> Waiting:
        return ()


class ReactingShopkeeper(MachineReactor[Price | Open, Shop, Waiting, Answer[int]]):
    machine = SHOP
    capacity = 2

    def initial_data(self) -> Waiting:
        return ()


@pytest.fixture(params=[Shopkeeper, ReactingShopkeeper])
def shopkeeper(request: pytest.FixtureRequest) -> Shopkeeper | ReactingShopkeeper:
    made: Shopkeeper | ReactingShopkeeper = request.param()
    return made


async def test_a_request_is_answered_at_once_or_from_a_later_state(
    spawn: Spawn, shopkeeper: Shopkeeper | ReactingShopkeeper
) -> None:
    ref = await spawn(shopkeeper)
    early = ref.request(Price())
    await trio.testing.wait_all_tasks_blocked()
    assert not early.is_set

    ref.tell(Open())

    assert await early.wait() == 7
    assert await ref.ask(Price()) == 7, "the first answer counts"


@attrs.frozen
class Close(Request[str]):
    error: Exception | None = None


def close(waiting: Waiting, event: Close) -> Step[Shop, Waiting, Answer[str]]:
    return stay(waiting, Answer(event, "closed"), Stop(event.error))


CLOSING: Machine[Shop, Waiting, Answer[str]] = Machine(
    name="shop",
    states=Shop,
    initial=Shop.OPEN,
    transitions=[
        On(Shop.OPEN, Close, close, to={Shop.CLOSED}),
        On(Shop.OPEN, Price, queue_up),  # type: ignore[arg-type]  # it answers nothing
        On(Shop.CLOSED, Close, close),
    ],
)


class ClosingKeeper(MachineActor[Price | Close, Shop, Waiting, Answer[str]]):
    machine = CLOSING

    def initial_data(self) -> Waiting:
        return ()


class ReactingClosingKeeper(MachineReactor[Price | Close, Shop, Waiting, Answer[str]]):
    machine = CLOSING

    def initial_data(self) -> Waiting:
        return ()


@pytest.fixture(params=[ClosingKeeper, ReactingClosingKeeper])
def closing_keeper(request: pytest.FixtureRequest) -> ClosingKeeper | ReactingClosingKeeper:
    made: ClosingKeeper | ReactingClosingKeeper = request.param()
    return made


async def test_stop_answers_first_then_ends_it_normally(
    spawn: Spawn, closing_keeper: ClosingKeeper | ReactingClosingKeeper
) -> None:
    """gen_statem(3): `{stop_and_reply, normal, Replies}`. Who waits for more hears the reason."""
    ref = await spawn(closing_keeper)
    never = ref.request(Price())

    assert await ref.ask(Close()) == "closed"
    assert await ref.wait_stopped() == NORMAL
    with pytest.raises(ActorStopped, match="normal"):
        await never.wait()


async def test_stop_with_an_error_answers_first_then_crashes_it(
    closing_keeper: ClosingKeeper | ReactingClosingKeeper,
) -> None:
    answers: list[str] = []

    async def customer(ref: Ref[Close]) -> None:
        answers.append(await ref.ask(Close(ValueError("fire"))))

    keeper = closing_keeper
    async with trio.open_nursery() as nursery:

        class Up(trio.TaskStatus[Ref[Price | Close | TimerFired]]):
            def started(self, value: Ref[Price | Close | TimerFired] | None = None) -> None:
                assert value is not None
                nursery.start_soon(customer, value)

        with pytest.raises(ValueError, match="fire"):
            await run_actor(keeper, name="shop", task_status=Up())
    assert answers == ["closed"]
    assert keeper.ref.exit_reason is not None
    assert isinstance(keeper.ref.exit_reason.error, ValueError)


async def test_unanswered_requests_are_bounded_and_abandoned_ones_make_room(
    spawn: Spawn,
    autojump_clock: trio.testing.MockClock,
    shopkeeper: Shopkeeper | ReactingShopkeeper,
) -> None:
    ref = await spawn(shopkeeper)
    with pytest.raises(AskTimeout):
        await ref.ask(Price(), timeout=1)
    kept = ref.request(Price())
    await trio.testing.wait_all_tasks_blocked()
    replaced = ref.request(Price())
    await trio.testing.wait_all_tasks_blocked()

    with pytest.raises(MailboxFull, match="'it' owes 2 answers"):
        await ref.ask(Price())
    ref.tell(Open())
    assert (await kept.wait(), await replaced.wait()) == (7, 7)


async def test_a_machine_that_begins_at_its_end_stops_at_once() -> None:
    class Over(enum.Enum):
        OVER = 1

    class Finished(MachineActor[Open, Over, None, str]):
        machine = Machine(
            name="over", states=Over, initial=Over.OVER, final={Over.OVER}, transitions=()
        )

        def initial_data(self) -> None:
            return None

    finished = Finished()
    await run_actor(finished, name="over")

    assert finished.ref.exit_reason == NORMAL


async def test_what_a_subclass_must_give_is_said() -> None:
    blank: MachineActor[Coin, Gate, int, Say] = MachineActor()

    with pytest.raises(NotImplementedError, match=r"MachineActor has no initial_data\(\)"):
        blank.initial_data()
    with pytest.raises(NotImplementedError, match=r"MachineActor has no perform\(\)"):
        await blank.perform(Say("hello"))
    reacting: MachineReactor[Coin, Gate, int, Say] = MachineReactor()
    with pytest.raises(NotImplementedError, match=r"MachineReactor has no perform\(\)"):
        reacting.perform(Say("hello"))
