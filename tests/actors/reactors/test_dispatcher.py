"""The dispatcher's turns: bounded, fair, ended by what all reactors of a turn share."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors import Dispatcher, Reactor, Ref, run_actor
from greenroom.actors.reactors.dispatcher import SECONDS, default_dispatcher

pytestmark = pytest.mark.requirement("R39")

Call = Callable[[], object]


class Caller(Reactor[Call]):
    """Calls what it is sent."""

    def handle(self, message: Call) -> None:
        message()


async def start(
    nursery: trio.Nursery, dispatcher: Dispatcher | None = None, batch: int = 256
) -> Ref[Call]:
    class Here(Caller):
        pass

    Here.dispatcher, Here.batch = dispatcher, batch

    async def live(*, task_status: trio.TaskStatus[Ref[Call]]) -> None:
        await run_actor(Here(), name="caller", task_status=task_status)

    ref: Ref[Call] = await nursery.start(live)
    return ref


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_what_reactors_tell_each_other_is_handled_in_the_same_turn(
    nursery: trio.Nursery,
) -> None:
    first, second = await start(nursery), await start(nursery)
    steps: list[str] = []

    async def other_task() -> None:
        steps.append("another task")

    def begin() -> None:
        nursery.start_soon(other_task)
        second.tell(lambda: (steps.append("second"), first.tell(lambda: steps.append("first"))))

    first.tell(begin)
    await settle()
    assert steps == ["second", "first", "another task"]


async def test_one_that_tells_itself_for_ever_holds_up_neither_reactors_nor_tasks(
    nursery: trio.Nursery,
) -> None:
    busy, other = await start(nursery), await start(nursery)
    rounds, heard = [0], trio.Event()

    def again() -> None:
        rounds[0] += 1
        if not heard.is_set():
            busy.tell(again)

    again()
    other.tell(heard.set)
    await heard.wait()
    assert rounds[0] < 5_000


async def test_a_long_mailbox_lets_the_others_in_after_a_batch(nursery: trio.Nursery) -> None:
    long, short = await start(nursery, batch=4), await start(nursery)
    order: list[str] = []
    for _ in range(10):
        long.tell(lambda: order.append("long"))
    short.tell(lambda: order.append("short"))
    await settle()
    assert order == [*["long"] * 4, "short", *["long"] * 6]


async def test_a_turn_ends_after_as_many_messages_as_it_may_have(nursery: trio.Nursery) -> None:
    ours = Dispatcher(messages=3)
    nursery.start_soon(ours.run)
    it, seen = await start(nursery, ours, batch=1), list[object]()
    ours_end = [0]

    def handled() -> None:
        seen.append(ours_end[0])

    def end_of_turn() -> None:
        ours_end[0] += 1
        if len(seen) < 7:
            ours.at_end(end_of_turn)

    for _ in range(7):
        it.tell(handled)
    ours.at_end(end_of_turn)
    await settle()
    assert seen == [0, 0, 0, 1, 1, 1, 2]
    nursery.cancel_scope.cancel()


async def test_a_turn_ends_when_its_time_is_over(nursery: trio.Nursery) -> None:
    now = [0.0]
    ours = Dispatcher(seconds=1.0, clock=lambda: now[0])
    nursery.start_soon(ours.run)
    it, other, seen = await start(nursery, ours), await start(nursery, ours), list[str]()

    def slow() -> None:
        now[0] += 2.0
        ours.at_end(lambda: seen.append("end"))
        seen.append("slow")

    it.tell(slow)
    other.tell(lambda: seen.append("other"))
    await settle()
    assert seen == ["slow", "end", "other"]
    nursery.cancel_scope.cancel()


def test_a_turn_of_the_runs_own_dispatcher_lasts_by_the_runs_clock() -> None:
    """By no other: with one seed and a clock that is moved by hand, two runs are the same."""
    clock, seen = trio.testing.MockClock(), list[str]()

    def slow() -> None:
        clock.jump(SECONDS)
        default_dispatcher().at_end(lambda: seen.append("end"))
        seen.append("slow")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            it, other = await start(nursery), await start(nursery)
            it.tell(slow)
            other.tell(lambda: seen.append("other"))
            await settle()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock)
    assert seen == ["slow", "end", "other"]


async def test_ends_of_a_turn_come_behind_all_that_it_handles_and_may_raise(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await start(nursery), await start(nursery)
    steps: list[str] = []

    def broken() -> None:
        steps.append("broken end")
        raise RuntimeError("at the end")

    def begin() -> None:
        default_dispatcher().at_end(broken)
        default_dispatcher().at_end(lambda: steps.append("end"))
        steps.append("first")

    first.tell(begin)
    second.tell(lambda: steps.append("second"))
    await settle()
    assert steps == ["first", "second", "broken end", "end"]
    assert "the end of a turn failed" in caplog.text
    caplog.clear()


async def test_an_end_that_asks_for_another_is_called_in_the_next_turn(
    nursery: trio.Nursery,
) -> None:
    calls: list[str] = []

    def once() -> None:
        calls.append("once")
        default_dispatcher().at_end(lambda: calls.append("again"))

    default_dispatcher().at_end(once)
    await settle()
    assert calls == ["once", "again"]


async def test_a_thread_may_tell_a_reactor_by_a_callback(nursery: trio.Nursery) -> None:
    it, heard, token = await start(nursery), trio.Event(), trio.lowlevel.current_trio_token()
    thread = threading.Thread(target=lambda: token.run_sync_soon(it.tell, heard.set))
    thread.start()
    await heard.wait()
    thread.join()


async def test_reactors_of_two_dispatchers_tell_each_other(nursery: trio.Nursery) -> None:
    ours = Dispatcher()
    nursery.start_soon(ours.run)
    here, there, heard = await start(nursery), await start(nursery, ours), trio.Event()
    here.tell(lambda: there.tell(lambda: here.tell(heard.set)))
    await heard.wait()
    nursery.cancel_scope.cancel()


async def test_what_comes_before_a_dispatcher_runs_is_handled_once_it_does(
    nursery: trio.Nursery,
) -> None:
    ours, heard = Dispatcher(), trio.Event()
    it = await start(nursery, ours)
    it.tell(heard.set)
    await settle()
    assert not heard.is_set()
    nursery.start_soon(ours.run)
    await heard.wait()
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("messages", "seconds"), [(0, 1.0), (-1, 1.0), (1, 0.0), (1, -1.0)])
def test_a_turn_without_messages_or_time_is_refused(messages: int, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"messages={messages} and seconds={seconds}"):
        Dispatcher(messages=messages, seconds=seconds)


@given(st.random_module())
def test_with_one_seed_the_order_of_two_runs_is_the_same(seed: object) -> None:
    def order() -> list[int]:
        seen: list[int] = []

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                refs = [await start(nursery) for _ in range(3)]

                async def tell(number: int) -> None:
                    await trio.lowlevel.checkpoint()
                    refs[number % 3].tell(lambda: seen.append(number))

                for number in range(9):
                    nursery.start_soon(tell, number)
                await settle()
                nursery.cancel_scope.cancel()

        trio.run(main)
        return seen

    random_state = trio._core._run._r.getstate()
    first = order()
    trio._core._run._r.setstate(random_state)
    assert order() == first
    assert sorted(first) == list(range(9))
