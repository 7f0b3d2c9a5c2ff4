"""Graphs of LangGraph, with a fake chat model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import greenroom
from greenroom import Kind, aio
from greenroom.testing.integrations import (
    IntegrationConformance,
    Script,
    Speak,
    SuiteTools,
)
from greenroom.testing.integrations.seen import Seen
from greenroom.testing.integrations.stage import events_of
from tests.integrations.frameworks import framework

if not TYPE_CHECKING:
    framework("langgraph", "langgraph")

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt

from greenroom.integrations.langgraph import approval, run_graph
from greenroom.integrations.writing.approvals import REFUSED
from tests.integrations.graphs.scripted_chat_model import ScriptedChatModel


def graph_of(script: Script, tools: SuiteTools) -> Any:
    async def delete(path: str) -> str:
        """Delete a file."""
        if interrupt(approval("delete", {"path": path})) != "yes":
            raise PermissionError(REFUSED)
        return await tools.delete(path)

    model = ScriptedChatModel(script=script)

    async def think(state: MessagesState) -> dict[str, object]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", think)
    known = [tool(tools.add), tool(tools.broken), tool(delete)]
    graph.add_node("tools", ToolNode(known, handle_tool_errors=str))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(checkpointer=InMemorySaver())


class TestLangGraph(IntegrationConformance):
    def agent(self, script: Script, tools: SuiteTools) -> aio.Agent:
        graph = graph_of(script, tools)

        async def agent(run: aio.Run, said: greenroom.JSON) -> None:
            await run_graph(run, graph, {"messages": [("user", str(said))]})

        return agent


def prompted(value: object, *, answer: greenroom.JSON = "fine") -> tuple[str, Seen]:
    """What a user is asked by an interrupt with this value, and the rest of the run."""

    def wonder(state: dict[str, object]) -> dict[str, object]:
        return {"found": interrupt(value)}

    graph = StateGraph(dict).add_node("wonder", wonder).add_edge(START, "wonder")
    compiled = graph.compile(checkpointer=InMemorySaver())

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        await run_graph(run, compiled, {})

    async def react(client: greenroom.Client, event: greenroom.Event) -> None:
        if event.kind is Kind.INPUT_REQUESTED:
            await client.answer(event, answer)

    seen = Seen(events_of(agent, react))
    (asked,) = seen.of(Kind.INPUT_REQUESTED)
    return str(asked.data["prompt"]), seen


@pytest.mark.parametrize(
    ("value", "prompt"),
    [
        ({"question": "Send it?", "draft": "Dear"}, 'Send it?\n\n{"draft":"Dear"}'),
        ({"draft": "Dear"}, '{"draft":"Dear"}'),
        ({"question": "Which?", "options": []}, "Which?"),
        ("", "What should the agent go on with?"),
    ],
)
def test_an_interrupt_of_any_form_is_a_question_with_all_that_it_says(
    value: object, prompt: str
) -> None:
    asked, seen = prompted(value)
    assert (asked, seen.how) == (prompt, "ok")


def test_an_interrupt_that_is_too_long_for_a_question_is_cut() -> None:
    asked, seen = prompted({"question": "Send it?", "draft": "\u0001" * 50_000})
    assert (asked[:8], asked[-1], seen.how) == ("Send it?", "…", "ok")


def test_models_of_nodes_at_the_same_time_are_shown_one_after_the_other() -> None:
    async def spoken(name: str, state: MessagesState) -> dict[str, object]:
        model = ScriptedChatModel(script=Script(((Speak((f"{name}1 ", f"{name}2")),),)))
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    for name in ("a", "b"):
        graph.add_node(name, partial(spoken, name)).add_edge(START, name)
    compiled = graph.compile()

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        await run_graph(run, compiled, {"messages": [("user", str(said))]})

    assert Seen(events_of(agent)).text in ("a1 a2\n\nb1 b2", "b1 b2\n\na1 a2")


def test_an_attempt_after_the_graphs_end_shows_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aio.Run, "attempt", 2)

    def answer(state: MessagesState) -> dict[str, object]:
        return {"messages": [AIMessage("So it is.")]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer")
    compiled = graph.compile(checkpointer=InMemorySaver())

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        own = {"greenroom_run": str(run.context.run)}
        at = {"configurable": {"thread_id": str(run.thread)}, "metadata": own}
        await compiled.ainvoke({"messages": [("user", str(said))]}, at)
        await run_graph(run, compiled, {"messages": [("user", str(said))]})

    assert Seen(events_of(agent)).text == "So it is."
