"""A message that is handed over is handled at once, if nothing else is to be done before it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context

import pytest
import trio
import trio.testing

from greenroom.actors import Actor, Ref, run_actor
from greenroom.actors.exit import ExitKind
from greenroom.actors.mailbox import Mailbox
from greenroom.actors.reactors.dispatcher import LENT, measure_turns
from greenroom.actors.reactors.own_thread import WrongThread
from tests.actors.reactors.spoken_to import Said, SpokenTo

pytestmark = pytest.mark.requirement("R39")


class Listener(SpokenTo):
    def __init__(self) -> None:
        self.lines: list[str] = []


async def run(nursery: trio.Nursery) -> tuple[Listener, Ref[Said]]:
    """A reactor that waits, whatever ends it."""
    listener = Listener()

    async def live(*, task_status: trio.TaskStatus[Ref[Said]]) -> None:
        with suppress(ZeroDivisionError):
            await run_actor(listener, name="listener", task_status=task_status)

    ref: Ref[Said] = await nursery.start(live)
    await settle()
    return listener, ref


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


def fail() -> object:
    return 1 / 0


async def test_an_idle_reactor_handles_it_before_the_caller_goes_on(nursery: trio.Nursery) -> None:
    listener, ref = await run(nursery)
    ref.hand("one")
    assert listener.lines == ["one"]
    ref.hand("two")
    assert listener.lines == ["one", "two"]
    assert (ref.statistics().taken, ref.statistics().depth) == (2, 0)


async def test_it_overtakes_no_message(nursery: trio.Nursery) -> None:
    listener, ref = await run(nursery)
    ref.tell("one")
    ref.hand("two")
    assert listener.lines == []
    await settle()
    assert listener.lines == ["one", "two"]


async def test_what_a_handler_hands_to_its_own_reactor_comes_after_it(
    nursery: trio.Nursery,
) -> None:
    listener, ref = await run(nursery)

    def hand_and_go_on() -> None:
        ref.hand("second")
        listener.lines.append("first")

    ref.hand(hand_and_go_on)
    await settle()
    assert listener.lines == ["first", "second"]


async def test_what_the_handler_raises_ends_the_reactor_and_not_the_caller(
    nursery: trio.Nursery,
) -> None:
    listener, ref = await run(nursery)
    ref.hand(fail)
    ref.hand("never")
    reason = await ref.wait_stopped()
    assert (reason.kind, type(reason.error)) == (ExitKind.CRASHED, ZeroDivisionError)
    ref.hand("never")
    assert listener.lines == []


async def test_one_that_is_stopped_by_it_handles_nothing_more(nursery: trio.Nursery) -> None:
    listener, ref = await run(nursery)
    ref.hand(listener.stop)
    ref.hand("never")
    await ref.wait_stopped()
    assert listener.lines == []


async def test_many_in_a_row_wait_for_a_turn_like_all_messages(nursery: trio.Nursery) -> None:
    listener, ref = await run(nursery)
    for _ in range(LENT + 1):
        ref.hand("x")
    assert len(listener.lines) == LENT
    await settle()
    ref.hand("x")
    assert len(listener.lines) == LENT + 2


async def test_an_actor_with_a_task_gets_it_in_its_mailbox(nursery: trio.Nursery) -> None:
    class Reader(Actor[str]):
        lines: list[str]

        async def receive(self, message: str) -> None:
            self.lines.append(message)

    reader = Reader()
    reader.lines = []
    ref: Ref[str] = await nursery.start(
        lambda task_status: run_actor(reader, name="reader", task_status=task_status)
    )
    await settle()
    ref.hand("one")
    assert reader.lines == []
    await settle()
    assert reader.lines == ["one"]
    nursery.cancel_scope.cancel()


async def test_another_thread_may_hand_over_nothing(nursery: trio.Nursery) -> None:
    listener, ref = await run(nursery)
    errors: list[type[BaseException]] = []

    def try_it() -> None:
        try:
            ref.hand("one")
        except WrongThread as error:
            errors.append(type(error))

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    assert (errors, listener.lines) == ([WrongThread], [])


class Metered:
    """Counts what is measured."""

    calls = 0

    def measure(self, context: Context, react: Callable[[], int]) -> int:
        self.calls += 1
        return react()


async def test_while_turns_are_measured_it_waits_for_one(nursery: trio.Nursery) -> None:
    listener, ref = await run(nursery)
    meter = Metered()
    measure_turns(meter)
    ref.hand("one")
    assert listener.lines == []
    await settle()
    assert (listener.lines, meter.calls) == (["one"], 1)


@pytest.mark.parametrize("moment", ["pass_on", "attend"])
def test_an_interrupt_amid_handing_over_leaves_no_reactor_without_attendance(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> list[str]:
        async with trio.open_nursery() as nursery:
            listener, ref = await run(nursery)
            interrupt_once(moment, monkeypatch)
            ref.hand("one")
            with pytest.raises(KeyboardInterrupt):
                await trio.lowlevel.checkpoint()
            ref.tell("two")
            await settle()
            nursery.cancel_scope.cancel()
        return listener.lines

    assert trio.run(main) == ["one", "two"]


def interrupt_once(name: str, patch: pytest.MonkeyPatch) -> None:
    """Have Ctrl-C come when this method of a mailbox is called next, before it does anything."""
    method = getattr(Mailbox, name)

    def interrupted(mailbox: Mailbox[Said], *words: object) -> object:
        patch.undo()
        signal.raise_signal(signal.SIGINT)
        return method(mailbox, *words)

    patch.setattr(Mailbox, name, interrupted)
