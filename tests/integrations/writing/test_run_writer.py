"""What the modules for frameworks write into a run, whatever they do."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import attrs
import pytest
import trio

import greenroom
from greenroom import aio
from greenroom.delivery.events.kinds import JSON
from greenroom.integrations.errors import NothingSaid, ToolFailed
from greenroom.integrations.writing.hosts import check_asyncio
from greenroom.integrations.writing.json_values import MOST_BYTES, arguments_of, as_json
from greenroom.integrations.writing.one_by_one import MOST_WAITING
from greenroom.integrations.writing.run_writer import RunWriter
from greenroom.testing.integrations.seen import Seen
from greenroom.testing.integrations.stage import events_of
from tests.delivery.backstage import Backstage, open_backstage


@attrs.frozen
class Place:
    city: str


class Model:
    """As pydantic makes them."""

    def model_dump(self, mode: str) -> dict[str, str]:
        return {"mode": mode}


class Broken:
    def __str__(self) -> str:
        raise OSError


def circle() -> list[object]:
    found: list[object] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, 3),
        ({1: {2}}, {"1": [2]}),
        (Place("Rome"), {"city": "Rome"}),
        ([Model()], [{"mode": "json"}]),
        (Broken(), "(its str() raised OSError)"),
        (b"x", "b'x'"),
        (float("nan"), None),
        (2**80, str(2**80)),
        ({"id": [2**60, 3]}, {"id": [str(2**60), 3]}),
        (circle(), "[[...]]"),
        ("\ud800", "?"),
    ],
)
def test_a_value_of_any_class_has_a_form_in_json(value: object, shown: JSON) -> None:
    assert as_json(value) == shown


async def test_a_value_that_is_nested_too_deep_is_cut_where_an_event_ends() -> None:
    nested: list[object] = []
    for _ in range(250):
        nested = [nested]
    async with open_backstage() as stage:
        async with stage.run() as run, RunWriter(run) as out:
            await out.tool_called("1", "look", {"path": nested})
            await out.tool_returned("1", "look", nested)
            await out.report(nested)
        assert (await events(stage))[-1] == ("agent_completed", None)


def test_a_value_that_is_too_large_for_an_event_is_cut() -> None:
    shown = as_json(["x" * MOST_BYTES])
    assert isinstance(shown, str)
    assert len(shown) < 5_000
    assert shown.endswith("… (262,148 characters)")


@pytest.mark.parametrize(
    ("arguments", "shown"), [('{"a": 1}', {"a": 1}), ("", {}), ('{"a"', '{"a"'), (None, None)]
)
def test_arguments_may_be_the_text_that_the_model_wrote(arguments: object, shown: JSON) -> None:
    assert arguments_of(arguments) == shown


async def events(stage: Backstage) -> list[tuple[str, object]]:
    """Kind and words of each event."""
    return [
        (kind, data.get("error", data.get("result", data.get("text", data.get("report")))))
        for kind, data in zip(await stage.kinds(), await stage.data(), strict=True)
    ]


async def test_tools_that_are_left_open_complete_before_the_report() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, RunWriter(run) as out:
            await out.tool_called("1", "look")
            await out.tool_called("1", "look")
            await out.report({"found": 3})
        assert await events(stage) == [
            ("agent_started", None),
            ("tool_executing", None),
            ("tool_completed", "it did not complete"),
            ("final_report", {"found": 3}),
            ("agent_completed", None),
        ]


async def test_a_result_of_a_call_that_began_elsewhere_is_shown_whole() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, RunWriter(run) as out:
            await out.tool_returned("1", "look", 3)
            await out.tool_failed("2", "read", ToolFailed("no such file: /etc/shadow"))
        assert (await events(stage))[1:-1] == [
            ("tool_executing", None),
            ("tool_completed", 3),
            ("tool_executing", None),
            ("tool_completed", "The tool failed."),
        ]


async def test_thoughts_end_where_something_else_begins() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, RunWriter(run) as out:
            await out.thought("one")
            await out.end_thought()
            await out.thought("two")
            await out.text("so")
            await out.thought("three")
            await out.tool_called("1", "look")
        data = await stage.data()
    assert [each["thought"] for each in data if "thought" in each] == [0, 1, 2]


async def test_a_framework_that_says_nothing_is_found_out() -> None:
    async with open_backstage() as stage, stage.run() as run, RunWriter(run) as out:
        await out.text("")
        with pytest.raises(NothingSaid, match="ended and said nothing"):
            out.check_said()
        await out.text("so")
        out.check_said()


async def test_a_framework_of_asyncio_says_where_it_runs_if_its_run_is_on_trio() -> None:
    async with open_backstage() as backstage, backstage.run() as run:
        with pytest.raises(greenroom.WrongHost, match=r"pydantic_ai\.run_agent needs a run under"):
            check_asyncio(run, "pydantic_ai.run_agent")


async def test_a_tool_without_a_name_is_shown_all_the_same() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, RunWriter(run) as out:
            await out.tool_called("1", "")
            await out.tool_returned("1", "", 3)
        assert [each.get("tool_name") for each in (await stage.data())[1:-1]] == ["tool", "tool"]


async def test_messages_that_are_written_at_once_are_shown_one_after_another() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, RunWriter(run) as out:
            for name in ("a", "b", "a", "c", "b"):
                await out.thought(f"of {name} ", message=name)
                await out.text(name, message=name)
            await out.end_message("b")
            await out.text("!", message="a")
            await out.end_message("a")
            await out.text("?", message="c")
        data = await stage.data()
    assert "".join(
        str(each["text"]) for each in data if "index" in each and "thought" not in each
    ) == ("aa!\n\nbb\n\nc?")
    assert sorted(each["text"] for each in data if "thought" in each) == ["of a "] * 2 + [
        "of b ",
        "of b ",
        "of c ",
    ]


async def test_of_messages_at_once_only_so_much_waits() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, RunWriter(run) as out:
            await out.text("a", message="a")
            for _ in range(MOST_WAITING // 50_000 + 1):
                await out.text("b" * 50_000, message="b")
            await out.text("a", message="a")
        texts = [str(each.get("text", "")) for each in await stage.data()]
    assert "".join(texts)[-2:] == "ba"


async def fail_in_a_tool(run: greenroom.Run) -> None:
    async with RunWriter(run) as out:
        await out.tool_called("1", "look")
        raise EOFError


async def test_a_run_whose_code_catches_an_error_or_a_timeout_can_report() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            with pytest.raises(EOFError):
                await fail_in_a_tool(run)
            with trio.move_on_after(0):
                async with RunWriter(run) as out:
                    await out.tool_called("1", "read")
                    await trio.sleep_forever()
            await run.final_report(report="sorry")
        assert [kind for kind, _ in await events(stage)][-2:] == ["final_report", "agent_completed"]


def test_under_asyncio_a_run_whose_code_catches_a_timeout_can_report() -> None:
    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0), RunWriter(run) as out:
                await out.tool_called("1", "look")
                await asyncio.Event().wait()
        await run.final_report(report="sorry")

    assert Seen(events_of(agent)).how == "ok"
