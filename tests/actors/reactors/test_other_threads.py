"""What belongs to a trio run is refused in any other thread, and no harm is done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio
import trio.testing

from greenroom.actors import (
    NORMAL,
    Actor,
    ActorStopped,
    Dispatcher,
    Overflow,
    Reactor,
    Ref,
    Reply,
    Request,
    Timers,
    WrongThread,
    run_actor,
)
from greenroom.actors.mailbox import Mailbox
from greenroom.actors.own_life import OwnLife
from tests.other_threads import refused_in_a_thread, refused_in_another_run

pytestmark = [pytest.mark.fault("W21"), pytest.mark.requirement("R39")]


class Sum(Request[int]):
    """How much it was told."""


class Adder(Actor[int | Sum]):
    capacity, overflow = 2, Overflow.DROP_OLDEST

    def __init__(self) -> None:
        self.total = 0

    async def receive(self, message: int | Sum) -> int:
        if not isinstance(message, Sum):
            self.total += message
        return self.total


class AddingReactor(Reactor[int | Sum]):
    capacity, overflow = 2, Overflow.DROP_OLDEST

    def __init__(self) -> None:
        self.total = 0

    def handle(self, message: int | Sum) -> int:
        if not isinstance(message, Sum):
            self.total += message
        return self.total


Adding = Ref[int | Sum]

PLAIN: dict[str, Callable[[Adding], object]] = {
    "tell": lambda ref: ref.tell(1),
    "tell_owed": lambda ref: ref.tell_owed(1),
    "request": lambda ref: ref.request(Sum()),
    "when_stopped": lambda ref: ref.when_stopped(print),
}
AWAITED: dict[str, Callable[[Adding], object]] = {
    "send": lambda ref: ref.send(1),
    "ask": lambda ref: ref.ask(Sum()),
    "send_request": lambda ref: ref.send_request(Sum()),
    "wait_stopped": lambda ref: ref.wait_stopped(),
}
KINDS = [Adder, AddingReactor]


async def start(nursery: trio.Nursery, actor: Actor[int | Sum]) -> Adding:
    async def live(*, task_status: trio.TaskStatus[Adding]) -> None:
        await run_actor(actor, name="adder", task_status=task_status)

    ref: Adding = await nursery.start(live)
    await trio.testing.wait_all_tasks_blocked()
    return ref


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", [*PLAIN, *AWAITED])
async def test_a_call_in_another_run_is_refused_and_harms_no_actor(
    call: str, kind: type[Adder] | type[AddingReactor], nursery: trio.Nursery
) -> None:
    ref, neighbour = await start(nursery, kind()), await start(nursery, kind())
    error = await refused_in_another_run(lambda: (PLAIN | AWAITED)[call](ref))
    assert error.message.startswith("actor 'adder' must be called in the thread of its trio run")
    assert "trio.from_thread.run_sync(ref.tell, message)" in error.advice
    ref.tell(5)
    assert (await ref.ask(Sum()), await neighbour.ask(Sum())) == (5, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", PLAIN)
async def test_a_call_in_a_thread_is_refused_although_nobody_need_be_woken(
    call: str, kind: type[Adder] | type[AddingReactor], nursery: trio.Nursery
) -> None:
    ref = await start(nursery, kind())
    ref.tell(1)
    ref.tell(2)
    with ThreadPoolExecutor(1) as pool, pytest.raises(WrongThread):
        pool.submit(PLAIN[call], ref).result()  # no task runs meanwhile
    assert (ref.statistics().depth, ref.statistics().dropped) == (2, 0)
    await trio.testing.wait_all_tasks_blocked()
    assert await ref.ask(Sum()) == 3


async def test_a_thread_tells_an_actor_by_way_of_trio(nursery: trio.Nursery) -> None:
    ref = await start(nursery, Adder())
    await trio.to_thread.run_sync(trio.from_thread.run_sync, ref.tell, 7)
    assert await ref.ask(Sum()) == 7


async def test_an_actor_that_has_stopped_says_that_to_a_thread_as_well(
    nursery: trio.Nursery,
) -> None:
    actor = Adder()
    ref = await start(nursery, actor)
    actor.stop()
    ref.tell(1)
    await ref.wait_stopped()
    with pytest.raises(ActorStopped):
        await trio.to_thread.run_sync(ref.tell, 1)


async def test_a_reply_is_neither_set_nor_awaited_in_another_thread(nursery: trio.Nursery) -> None:
    reply: Reply[int] = Reply()
    await refused_in_another_run(reply.wait)
    await refused_in_another_run(reply.wait_outcome)
    await refused_in_a_thread(lambda: reply.then(print))
    got: list[int] = []

    async def wait() -> None:
        got.append(await reply.wait())

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    await refused_in_another_run(lambda: reply.succeed(1))
    await refused_in_a_thread(lambda: reply.fail(ValueError()))
    assert not reply.is_set
    reply.succeed(2)
    await trio.testing.wait_all_tasks_blocked()
    assert got == [2]


async def test_timers_are_neither_started_nor_cancelled_in_another_thread(
    mock_clock: trio.testing.MockClock,
) -> None:
    rung: list[str] = []
    timers: Timers[str] = Timers(rung.append)
    timers.start("tea", 1.0, "ready")
    await refused_in_a_thread(lambda: timers.start("tea", 0.0, "in a thread"))
    await refused_in_another_run(lambda: timers.start("tea", 0.0, "in another run"))
    await refused_in_a_thread(lambda: timers.cancel("tea"))
    assert "tea" in timers
    mock_clock.jump(1.0)
    await trio.testing.wait_all_tasks_blocked()
    assert rung == ["ready"]


async def test_a_dispatcher_of_another_thread_takes_nothing_and_hears_on(
    nursery: trio.Nursery,
) -> None:
    dispatcher = Dispatcher()
    nursery.start_soon(dispatcher.run)
    await trio.testing.wait_all_tasks_blocked()
    called: list[str] = []
    await refused_in_a_thread(lambda: dispatcher.at_end(lambda: called.append("a thread's")))
    await refused_in_another_run(lambda: dispatcher.at_end(lambda: called.append("another's")))
    await trio.testing.wait_all_tasks_blocked()
    assert called == []
    dispatcher.at_end(lambda: called.append("ours"))
    await trio.testing.wait_all_tasks_blocked()
    assert called == ["ours"]


async def test_a_mailbox_that_cannot_wake_its_reader_takes_no_message_and_keeps_it() -> None:
    mailbox: Mailbox[int] = Mailbox()
    works = False
    woken: list[int] = []

    def wake() -> None:
        if not works:
            raise RuntimeError("outside of the run")
        woken.append(len(mailbox))

    mailbox.attend(wake)
    with pytest.raises(RuntimeError):
        mailbox.put_nowait(1)
    assert (len(mailbox), mailbox.awaited) == (0, True)
    works = True
    mailbox.put_nowait(2)
    assert (mailbox.waiting(), len(woken)) == ((2,), 1)


def test_a_life_forgets_a_message_that_could_not_be_told() -> None:
    mailbox: Mailbox[int] = Mailbox(clock=float)

    def refuse(_: int) -> None:
        raise WrongThread("an actor")

    life: OwnLife[int] = OwnLife("adder", mailbox, refuse)
    with pytest.raises(WrongThread):
        life.tell_owed(1)
    mailbox.put_owed(1)  # another's, of the same number and identity
    life.end(NORMAL)
    assert mailbox.waiting() == (1,)
