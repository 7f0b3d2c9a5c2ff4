"""Agents of the OpenAI Agents SDK: `await run_agent(run, agent, said)` in an agent under asyncio.

Tools with `needs_approval` ask the user. An agent that another one hands off to is a sub-run.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, TypeVar

from greenroom.aio.run import AioRun
from greenroom.integrations.errors import ToolFailed
from greenroom.integrations.needed import needed
from greenroom.integrations.writing.approvals import REFUSED, is_approved
from greenroom.integrations.writing.deltas import delta_of
from greenroom.integrations.writing.hosts import check_asyncio
from greenroom.integrations.writing.run_writer import RunWriter

with needed("openai-agents", "0.24", extra="openai-agents"):
    from agents import (
        Agent,
        AgentUpdatedStreamEvent,
        ItemHelpers,
        MessageOutputItem,
        RawResponsesStreamEvent,
        ReasoningItem,
        RunConfig,
        RunItemStreamEvent,
        Runner,
        RunResultStreaming,
        RunState,
        Session,
        StreamEvent,
        ToolCallItem,
        ToolCallOutputItem,
        TResponseInputItem,
    )

TContext = TypeVar("TContext")

UNNAMED: Final = "agent"

FAILED: Final = "An error occurred while running the tool. Please try again."
"""What the SDK has a model read of a tool that raised, unless the tool has words of its own."""


async def run_agent(
    run: AioRun,
    agent: Agent[TContext],
    prompt: str | list[TResponseInputItem],
    *,
    context: TContext | None = None,
    session: Session | None = None,
    run_config: RunConfig | None = None,
    max_turns: int | None = 10,
) -> RunResultStreaming:
    """Run an agent, and show its user what it and those it hands off to think, say and do. Output
    that is no text, or that another agent gave, becomes the final report. Returns the SDK's result.

    Raises what the agent raises, `NothingSaid`, and `WrongHost` on trio.
    """
    check_asyncio(run, "openai_agents.run_agent")
    following: str | list[TResponseInputItem] | RunState[TContext] = prompt
    async with _Speakers(run, agent) as speakers:
        while True:
            result = Runner.run_streamed(
                agent,
                following,
                context=context,
                session=session,
                run_config=run_config,
                max_turns=max_turns,
            )
            await _write_all(speakers, result)
            if not result.interruptions:
                break
            state = result.to_state()
            for item in result.interruptions:
                arguments = getattr(item.raw_item, "arguments", None)
                if await is_approved(run, item.tool_name or "tool", arguments):
                    state.approve(item)
                else:
                    state.reject(item, rejection_message=REFUSED)
            following = state
        await speakers.end(result.final_output)
    return result


class _Speakers:
    """Who speaks now: the run itself, or a sub-run for the agent that it was handed off to."""

    def __init__(self, run: AioRun, agent: Agent[TContext]) -> None:
        self._run = run
        self._name = self._speaking = agent.name or UNNAMED
        self._is_typed = agent.output_type not in (None, str)
        self.out: RunWriter = RunWriter(run)
        self._main: RunWriter = self.out
        self._sub_run = AsyncExitStack()
        self.has_streamed = False

    async def text(self, text: str) -> None:
        """What the one who speaks says, unless it is the JSON of a typed output."""
        if not self._is_typed:
            await self.out.text(text)

    async def hand_off(self, agent: Agent[TContext]) -> None:
        """From now on this agent speaks."""
        name, self._is_typed = agent.name or UNNAMED, agent.output_type not in (None, str)
        if name == self._speaking:
            return
        await self._sub_run.aclose()
        self._speaking, self.out = name, self._main
        if name != self._name:
            sub_run = await self._sub_run.enter_async_context(self._run.sub_run(agent=name))
            self.out = await self._sub_run.enter_async_context(RunWriter(sub_run))

    async def end(self, output: object) -> None:
        """Report the output, unless it is the text that the run itself has said."""
        was_handed_off = self.out is not self._main
        await self._sub_run.aclose()
        if was_handed_off or not isinstance(output, str):
            await self._main.report(output)
        self._main.check_said()

    async def __aenter__(self) -> _Speakers:
        await self._main.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._sub_run.__aexit__(kind, error, trace)
        finally:
            await self._main.__aexit__(kind, error, trace)


async def _write_all(speakers: _Speakers, result: RunResultStreaming) -> None:
    """Write the events. If this is cancelled, so is the SDK's own task, and it has ended."""
    try:
        async for event in result.stream_events():
            await _write(speakers, event)
    finally:
        if not result.is_complete:
            result.cancel()
            await _ended(result)


async def _ended(result: RunResultStreaming) -> None:
    if result.run_loop_task is not None:
        await asyncio.wait([result.run_loop_task])


async def _write(speakers: _Speakers, event: StreamEvent) -> None:
    if isinstance(event, RawResponsesStreamEvent):
        await _write_delta(speakers, event)
    elif isinstance(event, AgentUpdatedStreamEvent):
        await speakers.hand_off(event.new_agent)
    else:
        await _write_item(speakers, event)


async def _write_delta(speakers: _Speakers, event: RawResponsesStreamEvent) -> None:
    delta = delta_of(event.data)
    if delta.text:
        speakers.has_streamed = True
        await speakers.text(delta.text)
    if delta.thought:
        await speakers.out.thought(delta.thought)
    if delta.usage:
        speakers.out.run.add_usage(delta.usage)


async def _write_item(speakers: _Speakers, event: RunItemStreamEvent) -> None:
    out = speakers.out
    match event.item:
        case ToolCallItem() as item:
            arguments = getattr(item.raw_item, "arguments", None)
            await out.tool_called(item.call_id or "", item.tool_name or "tool", arguments)
        case ToolCallOutputItem() as item:
            await _write_output(out, item)
        case ReasoningItem():
            await out.end_thought()
        case MessageOutputItem() as item:
            if not speakers.has_streamed:  # a model that does not stream
                await speakers.text(ItemHelpers.text_message_output(item))
            speakers.has_streamed = False


async def _write_output(out: RunWriter, item: ToolCallOutputItem) -> None:
    call = item.call_id or ""
    if item.output == REFUSED:
        await out.tool_failed(call, "tool", REFUSED)
    elif item.output == FAILED:
        await out.tool_failed(call, "tool", ToolFailed(FAILED))
    else:
        await out.tool_returned(call, "tool", item.output)
