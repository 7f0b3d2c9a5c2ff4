"""Agents of pydantic-ai, with its own fake model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

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
from greenroom.testing.integrations.script import Part
from tests.integrations.frameworks import framework

if not TYPE_CHECKING:
    framework("pydantic_ai", "pydantic-ai")

from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.models.function import DeltaThinkingPart, DeltaToolCall, FunctionModel

from greenroom.integrations.pydantic_ai import run_agent


def model_of(script: Script) -> FunctionModel:
    """A fake model that plays the script."""
    script.input_tokens, script.output_tokens = 50, 3  # what FunctionModel makes of HELLO

    async def play(messages: object, info: object) -> AsyncIterator[object]:
        for place, part in enumerate(script.next_turn()):
            async for delta in played(script, place, part):
                yield delta

    return FunctionModel(stream_function=play)


async def played(script: Script, place: int, part: Part) -> AsyncIterator[object]:
    match part:
        case Think(deltas):
            for text in deltas:
                yield {place: DeltaThinkingPart(content=text)}
        case Speak(deltas):
            for text in deltas:
                yield text
        case CallTool(call, name):
            yield {place: DeltaToolCall(name=name, json_args=part.json, tool_call_id=call)}
        case Wait():
            await script.wait(part)
        case Fail(words):
            raise ModelFailed(words)


def agent_of(script: Script, tools: SuiteTools) -> Agent:
    agent = Agent(model_of(script), output_type=[str, DeferredToolRequests])
    agent.tool_plain(tools.add)
    agent.tool_plain(tools.broken)
    agent.tool_plain(tools.delete, requires_approval=True)
    return agent


class TestPydanticAi(IntegrationConformance):
    def agent(self, script: Script, tools: SuiteTools) -> aio.Agent:
        assistant = agent_of(script, tools)

        async def agent(run: aio.Run, said: greenroom.JSON) -> None:
            await run_agent(run, assistant, str(said))

        return agent
