"""Tool calls that LangChain's middleware wants to have approved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import greenroom
from greenroom import aio
from greenroom.testing.integrations import CallTool, Script, Speak, SuiteTools
from greenroom.testing.integrations.seen import Seen
from greenroom.testing.integrations.stage import allow, events_of, refuse
from tests.integrations.frameworks import framework

if not TYPE_CHECKING:
    framework("langgraph", "langgraph")
    framework("langchain.agents", "langgraph")

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from greenroom.integrations.langgraph import run_graph
from tests.integrations.graphs.scripted_chat_model import ScriptedChatModel

TWO = (CallTool("c1", "delete", {"path": "a"}), CallTool("c2", "delete", {"path": "b"}))


@pytest.mark.parametrize(
    ("react", "deleted", "results"),
    [
        (allow, ["a", "b"], ["deleted a", "deleted b"]),
        (refuse, [], ["The user did not allow it."] * 2),
    ],
)
def test_each_tool_call_is_asked_of_the_user(
    react: Any, deleted: list[str], results: list[str]
) -> None:
    tools, script = SuiteTools(), Script((TWO, (Speak(("Done.",)),)))
    agent_graph = create_agent(
        ScriptedChatModel(script=script),
        [tool(tools.delete)],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"delete": True})],
        checkpointer=InMemorySaver(),
    )

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        await run_graph(run, agent_graph, {"messages": [("user", str(said))]})

    seen = Seen(events_of(agent, react))
    assert sorted(tools.deleted) == deleted
    assert sorted(map(str, seen.results.values())) == results
    assert (seen.text, seen.how) == ("Done.", "ok")
