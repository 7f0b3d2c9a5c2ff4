"""An ask waits for room as a send does; what is no request cannot be asked."""

from __future__ import annotations

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor, run_actor
from greenroom.actors.errors import ActorError, AskTimeout, MailboxFull, NotARequest
from greenroom.actors.mailbox import Overflow
from greenroom.actors.ref import ActorStopped, Ref, Request
from greenroom.supervisor import OnRestart, actor_child, open_supervisor
from tests.actors.conftest import Spawn

pytestmark = pytest.mark.requirement("R39")


@attrs.frozen
class Number(Request[int]):
    number: int


class Gate(Actor[Number | str]):
    """Answers nothing until it is opened. Its mailbox is full with one message."""

    capacity = 1

    def __init__(self) -> None:
        self.open = trio.Event()
        self.taken: list[object] = []

    async def receive(self, message: Number | str) -> int:
        await self.open.wait()
        self.taken.append(message)
        if isinstance(message, Number):
            return message.number
        raise ValueError(message)


async def filled(spawn: Spawn, gate: Gate) -> Ref[Number | str]:
    """The actor holds one message, and another one fills its mailbox."""
    ref: Ref[Number | str] = await spawn(gate)
    for number in (1, 2):
        ref.request(Number(number))
        await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(MailboxFull):
        ref.tell("no room")
    return ref


@pytest.mark.fault("W1")
@pytest.mark.parametrize("timeout", [None, 60.0])
async def test_an_ask_waits_for_room_first_come_first_served(
    spawn: Spawn, nursery: trio.Nursery, timeout: float | None
) -> None:
    gate = Gate()
    ref = await filled(spawn, gate)
    answers: list[int] = []

    async def ask(number: int) -> None:
        answers.append(await ref.ask(Number(number), timeout=timeout))

    for number in (3, 4, 5):
        nursery.start_soon(ask, number)
        await trio.testing.wait_all_tasks_blocked()
    assert ref.statistics().senders_waiting == 3

    gate.open.set()
    await trio.testing.wait_all_tasks_blocked()

    assert answers == [3, 4, 5]
    assert gate.taken == [Number(number) for number in range(1, 6)]


@pytest.mark.fault("W1")
async def test_an_ask_that_is_cancelled_or_too_late_while_it_waits_for_room_delivers_nothing(
    spawn: Spawn, autojump_clock: trio.testing.MockClock
) -> None:
    gate = Gate()
    ref = await filled(spawn, gate)

    with pytest.raises(AskTimeout, match=r"'it' had no room for Number in 2 s"):
        await ref.ask(Number(3), timeout=2)
    with trio.move_on_after(2) as scope:
        await ref.ask(Number(4))

    assert scope.cancelled_caught
    assert not ref.statistics().senders_waiting
    gate.open.set()
    assert await ref.ask(Number(5)) == 5
    assert gate.taken == [Number(1), Number(2), Number(5)]


@pytest.mark.fault("W1")
async def test_an_ask_waits_for_room_even_where_a_tell_drops_the_oldest(
    spawn: Spawn, nursery: trio.Nursery
) -> None:
    class Dropping(Gate):
        overflow = Overflow.DROP_OLDEST

    gate = Dropping()
    ref: Ref[Number | str] = await spawn(gate)
    kept = [ref.request(Number(1))]
    await trio.testing.wait_all_tasks_blocked()
    kept.append(ref.request(Number(2)))
    nursery.start_soon(ref.ask, Number(3))
    await trio.testing.wait_all_tasks_blocked()

    gate.open.set()

    assert [await reply.wait() for reply in kept] == [1, 2]


@pytest.mark.fault("W1")
@pytest.mark.parametrize("asks", range(1, 8))
async def test_no_ask_waits_for_ever_when_the_actor_ends_while_it_waits_for_room(
    asks: int,
) -> None:
    """Each is at another place when the actor dies: in hand, in the mailbox, let in just now."""
    gate, ended = Gate(), []

    async def run(*, task_status: trio.TaskStatus[Ref[Number | str]]) -> None:
        with pytest.raises(ValueError, match="die"):
            await run_actor(gate, name="it", task_status=task_status)

    async def ask(ref: Ref[Number | str], number: int) -> None:
        try:
            ended.append(await ref.ask(Number(number)))
        except ActorStopped:
            ended.append("stopped")

    async with trio.open_nursery() as nursery:
        ref: Ref[Number | str] = await nursery.start(run)
        for number in range(1, asks):
            nursery.start_soon(ask, ref, number)
            await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ref.send, "die")
        await trio.testing.wait_all_tasks_blocked()
        for number in range(asks, 8):
            nursery.start_soon(ask, ref, number)
            await trio.testing.wait_all_tasks_blocked()
        gate.open.set()
    assert ended.count("stopped") == 8 - asks
    assert [each for each in ended if each != "stopped"] == list(range(1, asks))


@pytest.mark.fault("W1")
async def test_an_ask_that_waits_for_room_over_a_restart_is_answered_if_the_mailbox_is_kept() -> (
    None
):
    gates: list[Gate] = []

    def make() -> Gate:
        gates.append(Gate())
        return gates[-1]

    spec = actor_child("it", make, mailbox=OnRestart.KEPT)
    answers: list[int] = []

    async with open_supervisor("root", [spec]) as root, trio.open_nursery() as nursery:
        ref = root.child("it")
        assert isinstance(ref, Ref)
        ref.tell("die")
        await trio.testing.wait_all_tasks_blocked()
        ref.tell("die too")

        async def ask(number: int) -> None:
            answers.append(await ref.ask(Number(number)))

        for number in (1, 2, 3):
            nursery.start_soon(ask, number)
            await trio.testing.wait_all_tasks_blocked()
        for life in range(3):
            gates[life].open.set()
            await trio.testing.wait_all_tasks_blocked()
    assert answers == [1, 2, 3]


NO_REQUESTS = [
    ("Balance", "a str"),
    (3, "an int"),
    (None, "a NoneType"),
    (Number, "the class Number"),
]


@pytest.mark.fault("W2")
@pytest.mark.parametrize(("asked", "kind"), NO_REQUESTS)
async def test_asking_what_is_no_request_raises_at_the_call(
    asked: object, kind: str, spawn: Spawn
) -> None:
    gate = Gate()
    gate.open.set()
    ref: Ref[object] = await spawn(gate)  # type: ignore[arg-type]  # to be asked anything
    words = f"actor 'it' can only be asked a Request, not {kind}"

    for ask in (ref.request, lambda it: ref.pipe(it, ref, str)):
        with pytest.raises(NotARequest, match=words):
            ask(asked)  # type: ignore[arg-type, no-untyped-call]  # the point
    for wait in (ref.ask, ref.send_request):
        with pytest.raises(TypeError, match=words) as refused:
            await wait(asked)  # type: ignore[arg-type]  # the point
        assert isinstance(refused.value, ActorError)
    assert ref.statistics().taken == ref.statistics().depth == 0
