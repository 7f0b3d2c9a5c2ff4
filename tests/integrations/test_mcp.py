"""Tools of an MCP server in memory: their progress, their questions and their ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

import greenroom
from greenroom import aio
from greenroom.testing.integrations import Script, Wait
from greenroom.testing.integrations.seen import Seen
from greenroom.testing.integrations.stage import events_of
from tests.delivery.backstage import open_backstage
from tests.integrations.frameworks import framework

if not TYPE_CHECKING:
    framework("mcp.server.mcpserver", "mcp")

from mcp.client.client import Client
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

from greenroom.integrations.mcp import Elicitation, call_tool


class Trip(BaseModel):
    city: str
    nights: int


server = MCPServer("tests")


@server.tool()
async def work(ctx: Context) -> str:
    await ctx.report_progress(1, 3, "Reading")
    await ctx.report_progress(2.5)
    return "done"


@server.tool()
async def fail(path: str) -> str:
    raise OSError(f"no such file: {path}, password=hunter2")


@server.tool()
async def book(ctx: Context) -> str:
    asked = await ctx.elicit("Where to?", Trip)
    return str(asked.data) if asked.action == "accept" else asked.action


@server.tool()
async def sign_in(ctx: Context) -> str:
    return (await ctx.elicit_url("Sign in", "https://example.org/", "e1")).action


async def called(run: greenroom.Run | aio.Run, tool_name: str, **arguments: str) -> None:
    elicitation = Elicitation(run, expires=0.05 if arguments.pop("expires", "") else None)
    mode = "legacy" if tool_name in ("book", "sign_in") else "auto"  # whose tools may ask
    async with Client(server, mode=mode, elicitation_callback=elicitation) as client:
        await call_tool(run, client, tool_name, arguments)


async def nothing(client: greenroom.Client, event: greenroom.Event) -> None:
    """The user only reads."""


async def answer(value: greenroom.JSON, client: greenroom.Client, event: greenroom.Event) -> None:
    if event.kind is greenroom.Kind.INPUT_REQUESTED:
        await client.answer(event, value)


Reaction = Callable[[greenroom.Client, greenroom.Event], Awaitable[None]]


def seen(react: Reaction, tool_name: str, **arguments: str) -> Seen:
    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        await called(run, tool_name, **arguments)

    return Seen(events_of(agent, react))


def test_progress_is_a_thought_and_the_result_that_of_the_tool() -> None:
    of = seen(nothing, "work")
    assert of.thoughts == ["Reading (1 of 3)\n2.5\n"]
    assert list(of.results.values()) == [{"result": "done"}]
    assert of.how == "ok"


async def test_a_tool_is_called_on_trio_as_well() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            await called(run, "work")
        assert (await stage.kinds())[-2:] == ["tool_completed", "agent_completed"]


def test_a_tool_that_fails_is_shown_without_the_text_of_its_error() -> None:
    of = seen(nothing, "fail", path="a")
    assert list(of.results.values()) == ["The tool failed."]
    of.hides("hunter2", "no such file")


@pytest.mark.parametrize(
    ("tool_name", "value", "result"),
    [
        ("book", {"city": "Rome", "nights": 2}, "city='Rome' nights=2"),
        ("sign_in", "done", "accept"),
        ("sign_in", "no", "decline"),
    ],
)
def test_what_a_server_wants_to_know_is_asked_of_the_user(
    tool_name: str, value: greenroom.JSON, result: str
) -> None:
    of = seen(partial(answer, value), tool_name)
    assert list(of.results.values()) == [{"result": result}]


def test_a_question_that_nobody_answers_in_time_is_cancelled_for_the_server() -> None:
    of = seen(nothing, "book", expires="soon")
    assert list(of.results.values()) == [{"result": "cancel"}]


def test_stop_ends_the_tool_in_the_server() -> None:
    script = Script(())
    halting = MCPServer("halting")

    @halting.tool()
    async def halt() -> str:
        await script.wait(Wait())
        return "never"

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        async with Client(halting) as client:
            await call_tool(run, client, "halt")

    async def stop(client: greenroom.Client, event: greenroom.Event) -> None:
        if event.kind is greenroom.Kind.TOOL_EXECUTING:
            await trio.to_thread.run_sync(script.is_waiting.wait, 20)
            await client.cancel(event.run)

    of = Seen(events_of(agent, stop))
    assert (of.how, script.was_cancelled) == ("cancelled", True)
