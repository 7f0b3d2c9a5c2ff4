"""Agents of pydantic-ai: `await run_agent(run, agent, said)` in an agent under asyncio.

The agent's tools with `requires_approval` ask the user if its `output_type` has
`DeferredToolRequests`.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from typing import Final, TypeVar

from greenroom.aio.run import AioRun
from greenroom.integrations.errors import IntegrationError, ToolFailed
from greenroom.integrations.needed import needed
from greenroom.integrations.writing.approvals import REFUSED, is_approved
from greenroom.integrations.writing.deltas import usage_of
from greenroom.integrations.writing.hosts import check_asyncio
from greenroom.integrations.writing.run_writer import RunWriter

with needed("pydantic-ai-slim", "2.68", extra="pydantic-ai"):
    from pydantic_ai import (
        AgentRunResult,
        AgentRunResultEvent,
        DeferredToolRequests,
        DeferredToolResults,
        ToolDenied,
    )
    from pydantic_ai.agent import AbstractAgent
    from pydantic_ai.messages import (
        AgentStreamEvent,
        FunctionToolCallEvent,
        FunctionToolResultEvent,
        ModelMessage,
        PartDeltaEvent,
        PartEndEvent,
        PartStartEvent,
        TextPart,
        TextPartDelta,
        ThinkingPart,
        ThinkingPartDelta,
        ToolReturnPart,
        UserContent,
    )
    from pydantic_ai.models import Model
    from pydantic_ai.usage import UsageLimits

DepsT = TypeVar("DepsT")
OutputT = TypeVar("OutputT")

COUNTS: Final = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
    *("requests", "tool_calls"),
)


async def run_agent(
    run: AioRun,
    agent: AbstractAgent[DepsT, OutputT],
    prompt: str | Sequence[UserContent] | None,
    *,
    deps: DepsT = None,  # type: ignore[assignment]  # as in pydantic-ai
    message_history: Sequence[ModelMessage] | None = None,
    model: Model | str | None = None,
    usage_limits: UsageLimits | None = None,
) -> AgentRunResult[OutputT]:
    """Run an agent, and show its user what it thinks, says and does. Output that is no text becomes
    the final report. Returns the result, whose output is `DeferredToolRequests` if tools are to be
    executed elsewhere.

    Raises what the agent raises, `NothingSaid`, and `WrongHost` on trio.
    """
    check_asyncio(run, "pydantic_ai.run_agent")
    deferred: DeferredToolResults | None = None
    async with RunWriter(run) as out:
        while True:
            async with agent.run_stream_events(
                prompt,
                deps=deps,
                message_history=message_history,
                deferred_tool_results=deferred,
                model=model,
                usage_limits=usage_limits,
            ) as events:
                result = await _written(out, events)
            output = result.output
            if not isinstance(output, DeferredToolRequests):
                break
            if output.calls:
                return result
            deferred = await _decided(run, output)
            prompt, message_history = None, result.all_messages()
        if not isinstance(output, str):
            await out.report(output)
        out.check_said()
    return result


async def _written(
    out: RunWriter, events: AsyncIterable[AgentStreamEvent | AgentRunResultEvent[OutputT]]
) -> AgentRunResult[OutputT]:
    async for event in events:
        if isinstance(event, AgentRunResultEvent):
            out.run.add_usage(usage_of(event.result.usage, *COUNTS))
            return event.result
        await _write(out, event)
    raise IntegrationError("the agent's events ended without a result")


async def _write(out: RunWriter, event: object) -> None:
    match event:
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            await out.text(text)
        case PartStartEvent(part=TextPart(content=text)):
            await out.text(text)
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=thought)):
            await out.thought(thought or "")
        case PartStartEvent(part=ThinkingPart(content=thought)):
            await out.thought(thought)
        case PartEndEvent(part=ThinkingPart()):
            await out.end_thought()
        case FunctionToolCallEvent(part=call):
            await out.tool_called(call.tool_call_id, call.tool_name, call.args)
        case FunctionToolResultEvent(part=part):
            await _write_result(out, part)


async def _write_result(out: RunWriter, part: ToolReturnPart) -> None:
    call, name = part.tool_call_id, part.tool_name
    if part.outcome == "success":
        await out.tool_returned(call, name, part.content)
    elif part.outcome == "denied":
        await out.tool_failed(call, name, REFUSED)
    else:
        await out.tool_failed(call, name, ToolFailed(str(part.content)))


async def _decided(run: AioRun, requests: DeferredToolRequests) -> DeferredToolResults:
    decided = DeferredToolResults()
    for call in requests.approvals:
        approved = await is_approved(run, call.tool_name, call.args)
        decided.approvals[call.tool_call_id] = approved or ToolDenied(REFUSED)
    return decided
