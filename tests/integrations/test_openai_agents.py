"""Agents of the OpenAI Agents SDK, with its own scripted model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import MappingProxyType
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
from greenroom.testing.integrations.script import Turn
from greenroom.testing.integrations.stage import events_of
from tests.integrations.frameworks import framework

if not TYPE_CHECKING:
    framework("agents", "openai-agents")

from agents import Agent, function_tool, set_tracing_disabled
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseTextDeltaEvent,
    ResponseUsage,
)
from pydantic import BaseModel

from greenroom.integrations.openai_agents import run_agent

set_tracing_disabled(True)


def model_of(script: Script) -> ScriptedModel:
    """The SDK's fake model, whose streams play the script."""

    def stream(call: object) -> AsyncIterator[Any]:
        return played(script, script.next_turn())

    return ScriptedModel([ModelStep.stream(stream)] * 5)


async def played(script: Script, turn: Turn) -> AsyncIterator[Any]:
    output = []
    for part in turn:
        match part:
            case Think(deltas):
                for text in deltas:
                    yield thought(text)
            case Speak(deltas):
                for text in deltas:
                    yield spoken(text)
                output.append(assistant_message("".join(deltas)))
            case CallTool(call, name):
                output.append(function_call(name, part.json, call_id=call))
            case Wait():
                await script.wait(part)
            case Fail(words):
                raise ModelFailed(words)
    yield ended(script, output)


def thought(text: str) -> ResponseReasoningTextDeltaEvent:
    return ResponseReasoningTextDeltaEvent(
        type="response.reasoning_text.delta",
        delta=text,
        content_index=0,
        item_id="r",
        output_index=0,
        sequence_number=0,
    )


def spoken(text: str) -> ResponseTextDeltaEvent:
    return ResponseTextDeltaEvent(
        type="response.output_text.delta",
        delta=text,
        content_index=0,
        item_id="m",
        logprobs=[],
        output_index=0,
        sequence_number=0,
    )


def ended(script: Script, output: list[Any]) -> ResponseCompletedEvent:
    tokens = script.input_tokens, script.output_tokens
    usage = ResponseUsage.model_construct(
        input_tokens=tokens[0], output_tokens=tokens[1], total_tokens=sum(tokens)
    )
    response = Response.model_construct(id="r", output=output, usage=usage)
    return ResponseCompletedEvent(type="response.completed", sequence_number=0, response=response)


class TestOpenAIAgents(IntegrationConformance):
    lacks = MappingProxyType({"unread": "its stream drops what it holds when the model raises"})

    def agent(self, script: Script, tools: SuiteTools) -> aio.Agent:
        known = [
            function_tool(tools.add),
            function_tool(tools.broken),
            function_tool(tools.delete, needs_approval=True),
        ]
        assistant: Agent = Agent(name="assistant", model=model_of(script), tools=known)

        async def agent(run: aio.Run, said: greenroom.JSON) -> None:
            await run_agent(run, assistant, str(said))

        return agent


class Trip(BaseModel):
    city: str


def test_an_agent_that_was_handed_off_to_is_a_sub_run_and_its_answer_the_report() -> None:
    script = Script(((Speak(("One moment.",)), CallTool("c1", "transfer_to_billing", {})),))
    answer = Script(((Speak(("You owe ", "nothing.")),),))
    billing: Agent = Agent(name="billing", model=model_of(answer))
    triage: Agent = Agent(name="triage", model=model_of(script), handoffs=[billing])

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        await run_agent(run, triage, str(said))

    events = events_of(agent)
    main = events[0].run
    assert [(str(e.kind), e.run == main) for e in events[2:]] == [
        ("partial_result", True),
        ("agent_started", False),
        ("partial_result", False),
        ("agent_completed", False),
        ("final_report", True),
        ("agent_completed", True),
    ]
    assert [e.data for e in events if e.kind == "final_report"] == [{"report": "You owe nothing."}]
    assert [e.data["agent"] for e in events if e.kind == "agent_started"] == ["agent", "billing"]


def test_the_json_of_a_typed_output_is_the_report_and_no_text() -> None:
    script = Script(((Speak(('{"city":', '"Rome"}')),),))
    assistant: Agent = Agent(name="guide", model=model_of(script), output_type=Trip)

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        await run_agent(run, assistant, str(said))

    shown = [(str(event.kind), event.data) for event in events_of(agent)[2:-1]]
    assert shown == [("final_report", {"report": {"city": "Rome"}})]
