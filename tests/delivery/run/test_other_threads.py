"""A run belongs to its trio run: calls from other threads are refused, and nobody is harmed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import trio
import trio.testing

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.text_stream import TextStream
from tests.delivery.backstage import Backstage, open_backstage
from tests.other_threads import refused_in_a_thread, refused_in_another_run

pytestmark = [pytest.mark.fault("W21"), pytest.mark.requirement("R45")]


async def tokens() -> AsyncIterator[str]:
    yield "token"


async def answer() -> int:
    return 1


async def use_tool(run: Run) -> None:
    async with run.tool("costs"):
        pytest.fail("it began")


async def enter(stream: TextStream) -> None:
    async with stream:
        pytest.fail("it began")


async def begin_sub_run(run: Run) -> None:
    async with run.sub_run(agent="scout"):
        pytest.fail("it began")


CALLS: dict[str, Callable[[Run], object]] = {
    "agent_thinking": lambda run: run.agent_thinking(text="elsewhere"),
    "partial_result": lambda run: run.partial_result(text="elsewhere"),
    "final_report": lambda run: run.final_report(report=1),
    "agent_completed": lambda run: run.agent_completed(),
    "tool": use_tool,
    "sub_run": begin_sub_run,
    "stream": lambda run: run.stream(tokens()),
    "text": lambda run: enter(run.text()),
    "thoughts": lambda run: enter(run.thoughts()),
    "step": lambda run: run.step("charge", answer),
    "cancel": lambda run: run.cancel(),
    "typing": lambda run: run.typing(),
}


async def texts(stage: Backstage) -> list[object]:
    await trio.testing.wait_all_tasks_blocked()
    return [data["text"] for data in await stage.data("alice") if "text" in data]


@pytest.mark.parametrize("call", CALLS)
async def test_what_a_run_does_in_another_trio_run_is_refused_and_everyone_goes_on(
    call: str,
) -> None:
    async with open_backstage() as stage, stage.run() as run, stage.run("bob") as other:
        await trio.testing.wait_all_tasks_blocked()
        await refused_in_another_run(lambda: CALLS[call](run))
        await run.agent_thinking(text="here")
        await other.agent_thinking(text="here")
        async with stage.run("carol") as new:
            await new.agent_thinking(text="here")
        assert await texts(stage) == ["here"]
        assert not run.cancelled


@pytest.mark.parametrize("call", sorted(set(CALLS) - {"cancel", "typing"}))
async def test_text_that_waits_is_not_sent_by_another_trio_run(call: str) -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            text.write("one ")
            text.write("two")
            await refused_in_another_run(lambda: CALLS[call](run))
            assert text.not_kept == ""
        assert await texts(stage) == ["one ", "two"]


async def test_pieces_are_numbered_without_a_gap_after_a_refused_one() -> None:
    async with open_backstage() as stage, stage.run() as run:
        await run.partial_result(text="one")
        await refused_in_another_run(lambda: run.partial_result(text="elsewhere"))
        await run.partial_result(text="two")
        data = await stage.data("alice")
        assert [each["index"] for each in data if "index" in each] == [0, 1]


@pytest.mark.parametrize("call", ["flush", "drain", "wait_received"])
async def test_a_stream_is_not_waited_for_in_another_trio_run(call: str) -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        text.write("one ")
        text.write("two")
        await refused_in_another_run(lambda: getattr(text, call)())
        await text.flush()
        assert await texts(stage) == ["one ", "two"]


async def test_a_token_that_a_thread_may_not_write_is_not_written() -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            error = await refused_in_a_thread(lambda: text.write("twice "))
            await trio.to_thread.run_sync(trio.from_thread.run_sync, text.write, "once")
        assert await texts(stage) == ["once"]
        assert error.message.startswith("<TextStream of partial_results of run_")


async def test_no_user_is_served_in_another_trio_run() -> None:
    async with open_backstage() as stage:

        async def lease() -> None:
            async with stage.users.lease(UserId("alice")):
                pytest.fail("it was leased")

        error = await refused_in_another_run(lease)
        assert error.message.startswith("user 'alice' must be called in the thread")
        async with stage.run() as run:
            await refused_in_another_run(lease)
            await run.agent_thinking(text="here")
