"""Agents of deepagents, which are graphs of LangGraph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import greenroom
from greenroom import Kind, aio
from greenroom.testing.integrations import CallTool, Script, Speak, SuiteTools
from greenroom.testing.integrations.seen import Seen
from greenroom.testing.integrations.stage import allow, events_of
from tests.integrations.frameworks import framework

if not TYPE_CHECKING:
    framework("langgraph", "langgraph")
    framework("deepagents", "frameworks")

from deepagents import create_deep_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from greenroom.integrations.langgraph import run_graph
from tests.integrations.graphs.scripted_chat_model import ScriptedChatModel

PLAN = {"todos": [{"content": "delete a", "status": "in_progress"}]}


def test_a_deep_agent_shows_its_plan_its_tools_and_its_answer_and_asks_before_it_deletes() -> None:
    turns = (
        (CallTool("c1", "write_todos", PLAN),),
        (CallTool("c2", "delete", {"path": "a"}),),
        (Speak(("Do", "ne.")),),
    )
    tools = SuiteTools()
    graph = create_deep_agent(
        model=ScriptedChatModel(script=Script(turns)),
        tools=[tool(tools.delete)],
        interrupt_on={"delete": True},
        checkpointer=InMemorySaver(),
    )

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        await run_graph(run, graph, {"messages": [("user", str(said))]})

    seen = Seen(events_of(agent, allow))
    called = [event.data for event in seen.of(Kind.TOOL_EXECUTING)]
    assert [(each["tool_name"], each["arguments"]) for each in called] == [
        ("write_todos", PLAN),
        ("delete", {"path": "a"}),
    ]
    assert (tools.deleted, seen.text, seen.how) == (["a"], "Done.", "ok")
