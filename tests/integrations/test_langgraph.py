"""Graphs of LangGraph, with a fake chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import greenroom
from greenroom import aio
from greenroom.testing.integrations import (
    CallTool,
    Fail,
    IntegrationConformance,
    ModelFailed,
    Script,
    Speak,
    SuiteTools,
    Think,
    Wait,
)
from tests.integrations.frameworks import framework

if not TYPE_CHECKING:
    framework("langgraph", "langgraph")

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt

from greenroom.integrations.langgraph import approval, run_graph
from greenroom.integrations.writing.approvals import REFUSED


class ScriptedChatModel(BaseChatModel):
    """Plays the script."""

    script: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, *_: object, **__: object) -> ChatResult:
        raise NotImplementedError

    async def _astream(self, *_: object, **__: object) -> AsyncIterator[ChatGenerationChunk]:
        for place, part in enumerate(self.script.next_turn()):
            match part:
                case Speak(deltas):
                    for text in deltas:
                        yield chunk(text)
                case Think(deltas):
                    for text in deltas:
                        yield chunk([{"type": "thinking", "thinking": text, "index": place}])
                case CallTool(call, name):
                    for piece in (part.json[:4], part.json[4:]):
                        yield called(place, call, name, piece)
                        call = name = None
                case Wait():
                    await self.script.wait(part)
                case Fail(words):
                    raise ModelFailed(words)
        tokens = self.script.input_tokens, self.script.output_tokens
        used = dict(zip(("input_tokens", "output_tokens"), tokens, strict=True))
        yield chunk("", usage_metadata={**used, "total_tokens": sum(tokens)})


def chunk(content: object, **fields: object) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=content, **fields))


def called(place: int, call: str | None, name: str | None, args: str) -> ChatGenerationChunk:
    piece = {"id": call, "name": name, "args": args, "index": place}
    return chunk("", tool_call_chunks=[piece])


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
