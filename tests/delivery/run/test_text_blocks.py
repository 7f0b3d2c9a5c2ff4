"""The block of a text stream is entered once, and its errors name the call that was made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio
import trio.testing

from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.text_buffer import BUFFER_BYTES
from greenroom.delivery.run.text_stream import TextStream
from tests.delivery.backstage import Backstage, open_backstage

pytestmark = pytest.mark.requirement("R45")


async def text_of(stage: Backstage) -> str:
    await trio.testing.wait_all_tasks_blocked()
    return "".join(str(data["text"]) for data in await stage.data("alice") if "text" in data)


@pytest.mark.fault("W21")
async def test_a_stream_is_not_entered_again_inside_of_its_block_which_goes_on() -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            text.write("one ")
            with pytest.raises(OutOfOrder, match="the block of a stream can be entered once"):
                async with text:
                    pytest.fail("it was entered")
            text.write("two")
        assert await text_of(stage) == "one two"


@pytest.mark.fault("W21")
@pytest.mark.parametrize("kind", ["text", "thoughts"])
async def test_a_stream_is_not_entered_again_after_its_end(kind: str) -> None:
    async with open_backstage() as stage, stage.run() as run:
        stream: TextStream = getattr(run, kind)()
        async with stream:
            stream.write("all")
        with pytest.raises(OutOfOrder) as refused:
            async with stream:
                pytest.fail("it was entered")
        assert refused.value.advice == f"call run.{kind}() again for another stream"
        assert await text_of(stage) == "all"


async def enter(stream: TextStream) -> None:
    async with stream:
        pytest.fail("it was entered")


CALLS: dict[str, Callable[[Run], Awaitable[object]]] = {
    "run.text()": lambda run: enter(run.text()),
    "run.thoughts()": lambda run: enter(run.thoughts()),
    "agent_thinking": lambda run: run.agent_thinking(text="late"),
    "partial_result": lambda run: run.partial_result(text="late"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_what_comes_too_late_is_named_as_it_was_called(call: str) -> None:
    async with open_backstage() as stage, stage.run() as run:
        await run.final_report(report="done")
        with pytest.raises(OutOfOrder) as refused:
            await CALLS[call](run)
        assert refused.value.message.startswith(f"{call} is not allowed now: the run has")


async def test_a_token_after_the_report_is_refused_with_the_name_of_its_block() -> None:
    async with open_backstage() as stage, stage.run() as run, run.text() as text:
        await run.final_report(report="done")
        with pytest.raises(OutOfOrder, match=r"run\.text\(\) is not allowed now"):
            text.write("late")


@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
async def test_a_token_of_any_length_is_streamed_in_parts(letter: str) -> None:
    given = letter * (2 * BUFFER_BYTES) + "."

    async def model() -> AsyncIterator[str]:
        yield "first "
        yield given
        yield " last"

    async with open_backstage() as stage, stage.run() as run:
        await run.stream(model())
        assert await text_of(stage) == f"first {given} last"


async def test_a_token_that_is_too_long_to_wait_is_refused_and_names_the_way() -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with run.text() as text:
            with pytest.raises(BadEvent) as refused:
                text.write("a" * (BUFFER_BYTES + 1))
            text.write("short")
        assert refused.value.advice == "write it in parts, or let `run.stream` write it"
        assert await text_of(stage) == "short"
