"""The examples with frameworks run as their first lines say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import greenroom
from tests.integrations.example_process import example, follow


def needs(module: str, extra: str) -> pytest.MarkDecorator:
    """Skip the test where the framework is not installed."""
    try:
        missing = importlib.util.find_spec(module) is None
    except ModuleNotFoundError:
        missing = True
    return pytest.mark.skipif(missing, reason=f"needs {extra}: pip install 'greenroom[{extra}]'")


def shown(events: list[greenroom.Event]) -> list[str]:
    """The kinds of events, those in a row once."""
    kinds = [str(event.kind) for event in events]
    return [kind for before, kind in zip(["", *kinds], kinds, strict=False) if kind != before]


@needs("pydantic_ai", "pydantic-ai")
async def test_the_agent_of_pydantic_ai_waters_once_it_is_allowed() -> None:
    with example("pydantic_ai_chat") as garden:
        events = await garden.talk("Thyme", "yes")
    assert shown(events) == [
        *("user_said", "agent_started", "tool_executing", "input_requested", "input_answered"),
        *("tool_completed", "partial_result", "agent_completed"),
    ]
    text = "".join(str(e.data["text"]) for e in events if e.kind == "partial_result")
    assert text == "The garden says: Thyme is watered. "


@needs("agents", "openai-agents")
async def test_the_agent_that_was_handed_off_to_is_a_sub_run() -> None:
    with example("openai_handoffs") as support:
        events = await support.talk("What do I owe?", "yes")
    assert [e.data["agent"] for e in events if e.kind == "agent_started"] == ["support", "billing"]
    assert events[-2].data == {"report": "You owe us nothing."}


@needs("mcp.server.mcpserver", "mcp")
async def test_the_tool_of_the_server_asks_and_shows_its_progress() -> None:
    with example("mcp_progress") as reader:
        events = await reader.talk("Emma", {"chapters": 2})
    thoughts = "".join(str(e.data["text"]) for e in events if e.kind == "agent_thinking")
    assert thoughts == "Chapter 1 (1 of 2)\nChapter 2 (2 of 2)\n"
    assert events[-2].data == {"report": {"result": "Emma is read."}}


@needs("langgraph.checkpoint.sqlite", "langgraph")
@pytest.mark.requirement("R56")
async def test_an_approval_survives_that_its_server_is_killed(tmp_path: Path) -> None:
    with example("langgraph_approval", str(tmp_path)) as first:
        async with first.client() as client:
            started = await client.say("old")
            async for event in client.events():
                if event.kind is greenroom.Kind.INPUT_REQUESTED:
                    break
            first.process.kill()
    with example("langgraph_approval", str(tmp_path)) as second:
        async with second.client() as client:
            asked = client.asks
            await client.answer(asked[0], "yes")
            events = await follow(client, started.run, "yes")
    assert [each.data["ask"] for each in asked] == [event.data["ask"]]
    assert not [each for each in events if each.kind is greenroom.Kind.INPUT_REQUESTED]
    assert events[-2].data == {"report": {"path": "old", "found": 14, "deleted": True}}
    assert (tmp_path / "looked.txt").read_text() == "old\n"
