"""Agents of Google's ADK, with a short model of our own: it has no public fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

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
from greenroom.testing.integrations.seen import Seen
from greenroom.testing.integrations.stage import events_of
from tests.integrations.frameworks import framework

if not TYPE_CHECKING:
    framework("google.adk", "google-adk")

from google.adk.agents import BaseAgent, LlmAgent, ParallelAgent
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools import FunctionTool
from google.genai.types import (
    Content,
    FunctionCall,
    GenerateContentResponseUsageMetadata,
    Part,
)

from greenroom.integrations.google_adk import run_agent

pytestmark = pytest.mark.filterwarnings("ignore")  # ADK's own, of experimental features


class ScriptedLlm(BaseLlm):
    """Plays the script: deltas as partial responses, then the whole one."""

    script: Any

    async def generate_content_async(
        self, request: object, stream: bool = False
    ) -> AsyncIterator[LlmResponse]:
        whole = []
        for part in self.script.next_turn():
            match part:
                case Think(deltas) | Speak(deltas):
                    thought = isinstance(part, Think) or None
                    for text in deltas:
                        yield response([Part(text=text, thought=thought)], partial=True)
                    whole.append(Part(text="".join(deltas), thought=thought))
                case CallTool(call, name, arguments):
                    called = FunctionCall(id=call, name=name, args=dict(arguments))
                    whole.append(Part(function_call=called))
                case Wait():
                    await self.script.wait(part)
                case Fail(words):
                    raise ModelFailed(words)
        used = GenerateContentResponseUsageMetadata(
            prompt_token_count=self.script.input_tokens,
            candidates_token_count=self.script.output_tokens,
        )
        yield response(whole, usage_metadata=used)


def response(parts: list[Part], **fields: Any) -> LlmResponse:
    return LlmResponse(content=Content(role="model", parts=parts), **fields)


class TestGoogleADK(IntegrationConformance):
    lacks = MappingProxyType({"late": "it waits for a model that swallows its cancellation"})

    def agent(self, script: Script, tools: SuiteTools) -> aio.Agent:
        known = [tools.add, tools.broken, FunctionTool(tools.delete, require_confirmation=True)]
        model = ScriptedLlm(model="scripted", script=script)
        runner = InMemoryRunner(LlmAgent(name="helper", model=model, tools=known), app_name="app")

        async def agent(run: aio.Run, said: greenroom.JSON) -> None:
            await run_agent(run, runner, str(said))

        return agent


def test_agents_at_the_same_time_are_shown_once_and_one_after_the_other() -> None:
    agents: list[BaseAgent] = []
    for name in ("a", "b"):
        script = Script(((Speak((f"{name}1 ", f"{name}2")),),))
        agents.append(LlmAgent(name=name, model=ScriptedLlm(model="scripted", script=script)))
    runner = InMemoryRunner(ParallelAgent(name="both", sub_agents=agents), app_name="app")

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        await run_agent(run, runner, str(said))

    assert Seen(events_of(agent)).text in ("a1 a2\n\nb1 b2", "b1 b2\n\na1 a2")
