"""A reactor lives, answers and ends as an actor does, in a dispatcher's turns."""

from __future__ import annotations

import traceback
from contextvars import ContextVar
from functools import partial

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors import ActorStopped, Ref, run_actor
from greenroom.actors.exit import NORMAL, SHUTDOWN, ExitKind, ExitReason
from tests.actors.reactors.spoken_to import Echo, Said, SpokenTo

pytestmark = pytest.mark.requirement("R39")

where: ContextVar[str] = ContextVar("where", default="nowhere")


class Crash(Exception):
    """What a handler raises."""


class Diary(SpokenTo):
    """Writes down what happens to it; a message that can be called is called."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def started(self) -> None:
        self.lines.append("started")

    async def stopping(self, reason: ExitReason) -> None:
        await trio.lowlevel.checkpoint()
        self.lines.append(f"stopping: {reason.kind.value}")


def fail() -> None:
    raise Crash("on cue")


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


@attrs.define
class Running:
    """A reactor in a task of its own, whose end is kept."""

    actor: Diary
    ref: Ref[Said]
    scope: trio.CancelScope
    ended: list[BaseException | None]


async def run(nursery: trio.Nursery, actor: Diary | None = None) -> Running:
    diary, scope, ended = actor or Diary(), trio.CancelScope(), list[BaseException | None]()

    async def live(*, task_status: trio.TaskStatus[Ref[str]]) -> None:
        try:
            with scope:
                await run_actor(diary, name="diary", task_status=task_status)
            ended.append(None)
        except BaseException as error:  # noqa: BLE001  # what ends it is the question
            ended.append(error)

    return Running(diary, await nursery.start(live), scope, ended)


# ---- life ------------------------------------------------------------------------------------


async def test_it_starts_handles_what_comes_in_order_and_stops(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    for word in ("one", "two"):
        it.ref.tell(word)
    it.ref.tell(it.actor.stop)
    it.ref.tell("never")
    assert await it.ref.wait_stopped() == NORMAL
    assert it.actor.lines == ["started", "one", "two", "stopping: normal"]
    assert it.ref.statistics().dropped == 1


async def test_one_that_stops_in_started_handles_nothing(nursery: trio.Nursery) -> None:
    class Early(Diary):
        async def started(self) -> None:
            self.stop()
            self.ref.tell("never")

    it = await run(nursery, Early())
    assert await it.ref.wait_stopped() == NORMAL
    assert it.actor.lines == ["stopping: normal"]


async def test_what_a_handler_raises_ends_it_with_the_handlers_traceback(
    nursery: trio.Nursery,
) -> None:
    it = await run(nursery)
    it.ref.tell(fail)
    it.ref.tell("never")
    reason = await it.ref.wait_stopped()
    assert (reason.kind, type(reason.error)) == (ExitKind.CRASHED, Crash)
    await settle()
    assert it.ended == [reason.error]
    names = [frame.name for frame in traceback.extract_tb(it.ended[0].__traceback__)]
    assert names.index("run_actor") < names.index("handle") < names.index("fail")
    assert it.actor.lines == ["started", "stopping: crashed"]


async def test_the_others_of_the_turn_go_on(nursery: trio.Nursery) -> None:
    first, broken, last = [await run(nursery) for _ in range(3)]
    for ref, message in [(first.ref, "a"), (broken.ref, fail), (last.ref, "b"), (first.ref, "c")]:
        ref.tell(message)
    await broken.ref.wait_stopped()
    last.ref.tell("d")
    await settle()
    assert first.actor.lines == ["started", "a", "c"]
    assert last.actor.lines == ["started", "b", "d"]


async def test_an_ask_is_answered_and_one_whose_handler_raises_fails(
    nursery: trio.Nursery,
) -> None:
    class Deaf(Diary):
        def handle(self, message: object) -> None:
            raise Crash("deaf")

    it, deaf = await run(nursery), await run(nursery, Deaf())
    assert await it.ref.ask(Echo("hello")) == "hello"
    with pytest.raises(ActorStopped) as caught:
        await deaf.ref.ask(Echo("hello"))
    assert isinstance(caught.value.__cause__, Crash)


async def test_a_sender_waits_for_room(nursery: trio.Nursery) -> None:
    class Small(Diary):
        capacity = 1

    it = await run(nursery, Small())
    it.ref.tell("one")
    for word in ("two", "three"):
        nursery.start_soon(it.ref.send, word)
    await settle()
    assert it.actor.lines[:2] == ["started", "one"]
    assert sorted(it.actor.lines[2:]) == ["three", "two"]


async def test_handlers_run_in_the_context_of_its_own_task(nursery: trio.Nursery) -> None:
    class Placed(Diary):
        async def started(self) -> None:
            where.set("at home")

    it = await run(nursery, Placed())
    it.ref.tell(lambda: it.actor.lines.append(where.get()))
    await settle()
    assert it.actor.lines == ["at home"]
    assert where.get() == "nowhere"


async def test_its_timers_reach_it(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    it = await run(nursery)
    it.ref.tell(lambda: it.actor.timers.start("tick", 5.0, "tick"))
    await trio.sleep(6)
    assert it.actor.lines == ["started", "tick"]


# ---- stopping it in each state ---------------------------------------------------------------


async def test_cancelled_while_it_waits_it_ends_as_shut_down(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    it.scope.cancel()
    assert await it.ref.wait_stopped() == SHUTDOWN
    await settle()
    assert (it.ended, it.actor.lines) == ([None], ["started", "stopping: shutdown"])


async def test_cancelled_while_messages_wait_it_handles_none_of_them(
    nursery: trio.Nursery,
) -> None:
    it = await run(nursery)
    it.ref.tell("never")
    it.scope.cancel()
    await it.ref.wait_stopped()
    await settle()
    assert it.actor.lines == ["started", "stopping: shutdown"]


async def test_one_that_cancels_itself_in_a_handler_finishes_it_and_ends(
    nursery: trio.Nursery,
) -> None:
    it = await run(nursery)
    it.ref.tell(it.scope.cancel)
    it.ref.tell("the rest of the batch")
    assert await it.ref.wait_stopped() == SHUTDOWN
    assert it.actor.lines == ["started", "the rest of the batch", "stopping: shutdown"]


async def test_of_cancelling_itself_and_raising_the_error_wins(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    it.ref.tell(it.scope.cancel)
    it.ref.tell(fail)
    reason = await it.ref.wait_stopped()
    assert isinstance(reason.error, Crash)


async def test_of_cancelling_itself_and_stopping_the_stop_wins(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    it.ref.tell(it.scope.cancel)
    it.ref.tell(it.actor.stop)
    assert await it.ref.wait_stopped() == NORMAL


async def test_one_cancelled_by_another_in_the_same_turn_does_nothing_more(
    nursery: trio.Nursery,
) -> None:
    killer, victim = await run(nursery), await run(nursery)
    killer.ref.tell(victim.scope.cancel)
    victim.ref.tell("never")
    assert await victim.ref.wait_stopped() == SHUTDOWN
    killer.ref.tell("on")
    await settle()
    assert victim.actor.lines == ["started", "stopping: shutdown"]
    assert killer.actor.lines == ["started", "on"]


@pytest.mark.parametrize("raised", [SystemExit, GeneratorExit, trio.Cancelled, BaseException])
async def test_whatever_it_raises_goes_to_its_own_task(
    nursery: trio.Nursery, raised: type[BaseException]
) -> None:
    it, other = await run(nursery), await run(nursery)
    error = raised._create(source="unknown") if raised is trio.Cancelled else raised()

    def stray() -> None:
        raise error

    it.ref.tell(stray)
    other.ref.tell("on")
    reason = await it.ref.wait_stopped()
    assert reason.kind is ExitKind.CRASHED
    await settle()
    assert (it.ended, other.actor.lines) == ([error], ["started", "on"])


def test_an_interrupt_from_the_keyboard_ends_the_program() -> None:
    interrupts: list[int] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:

            async def live(*, task_status: trio.TaskStatus[Ref[object]]) -> None:
                await run_actor(Diary(), name="diary", task_status=task_status)

            ref = await nursery.start(live)
            ref.tell(partial(interrupt, interrupts))

    def interrupt(seen: list[int]) -> None:
        seen.append(trio.lowlevel.currently_ki_protected())
        raise KeyboardInterrupt

    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main)
    assert caught.group_contains(KeyboardInterrupt)
    assert interrupts == [False]


async def test_its_end_is_announced(nursery: trio.Nursery) -> None:
    it = await run(nursery)
    reasons: list[ExitReason] = []
    it.ref.when_stopped(reasons.append)
    it.ref.tell(it.actor.stop)
    await settle()
    assert reasons == [NORMAL]
