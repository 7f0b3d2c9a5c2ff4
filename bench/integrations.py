"""What a delta of a model costs its host in `greenroom.integrations`, beyond the framework's own.

A run under asyncio, with a journal in memory, takes `--deltas` deltas: text, and those of each
framework that is installed. Printed is the CPU time of the host's thread per delta, less that of a
loop over the same deltas. Then `--paced` deltas come one each millisecond: how many events a second
do they make?
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import greenroom
from greenroom import aio
from greenroom.integrations.text import write_deltas
from greenroom.integrations.writing.run_writer import RunWriter

SETTINGS = greenroom.Settings(journal=":memory:")
Write = Callable[[Any], Awaitable[None]]
Case = Callable[[RunWriter], tuple[Write, Any]]
ROUNDS = 5


def text(out: RunWriter) -> tuple[Write, Any]:
    """A delta of text."""
    return out.text, "word "


def pydantic_ai(out: RunWriter) -> tuple[Write, Any]:
    """An event of pydantic-ai."""
    from pydantic_ai.messages import PartDeltaEvent, TextPartDelta

    from greenroom.integrations.pydantic_ai import _write

    event = PartDeltaEvent(index=0, delta=TextPartDelta(content_delta="word "))
    return partial(_write, out), event


def langgraph(out: RunWriter) -> tuple[Write, Any]:
    """A chunk of LangChain."""
    from langchain_core.messages import AIMessageChunk

    from greenroom.integrations.langchain_messages import MessageWriter

    return MessageWriter(out).write, AIMessageChunk(content="word ", id="1")


def openai_agents(out: RunWriter) -> tuple[Write, Any]:
    """An event of the Responses API, in the Agents SDK's own."""
    from agents import Agent, RawResponsesStreamEvent
    from openai.types.responses import ResponseTextDeltaEvent

    from greenroom.integrations.openai_agents import _Speakers, _write

    speakers = _Speakers(out.run, Agent(name="speaker"))
    speakers.out = out
    delta = ResponseTextDeltaEvent.model_construct(type="response.output_text.delta", delta="word ")
    return partial(_write, speakers), RawResponsesStreamEvent(data=delta)


def claude_agent_sdk(out: RunWriter) -> tuple[Write, Any]:
    """A stream event of the Claude Agent SDK."""
    from claude_agent_sdk import StreamEvent

    from greenroom.integrations.claude_agent_sdk import _MessageWriter

    delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "word "}}
    return _MessageWriter(out).write, StreamEvent(uuid="1", session_id="1", event=delta)


def google_adk(out: RunWriter) -> tuple[Write, Any]:
    """A partial event of ADK."""
    from google.adk.events import Event
    from google.genai.types import Content, Part

    from greenroom.integrations.google_adk import _EventWriter

    content = Content(role="model", parts=[Part(text="word ")])
    return _EventWriter(out).write, Event(author="speaker", content=content, partial=True)


CASES: tuple[Case, ...] = (
    *(text, pydantic_ai, langgraph, openai_agents, claude_agent_sdk, google_adk),
)


async def nothing(delta: object) -> None:
    """The loop alone."""


async def cpu_of(write: Write, deltas: Sequence[object]) -> float:
    """Seconds of this thread's CPU."""
    begun = time.thread_time()
    for place, delta in enumerate(deltas):
        await write(delta)
        if place % 50 == 0:
            await asyncio.sleep(0)
    return time.thread_time() - begun


async def cost(runtime: aio.Runtime, case: Case, count: int) -> float:
    """Microseconds per delta."""
    async with runtime.run(user="alice") as run, RunWriter(run) as out:
        write, delta = case(out)
        await write(delta)
        deltas = [delta] * count
        return (await cpu_of(write, deltas) - await cpu_of(nothing, deltas)) / count * 1e6


async def paced(count: int) -> AsyncIterator[str]:
    """One each millisecond."""
    for _ in range(count):
        yield "word "
        await asyncio.sleep(0.001)


async def events_a_second(runtime: aio.Runtime, count: int) -> float:
    """Of a run of paced deltas."""
    async with runtime.run(user="bob") as run:
        begun = time.monotonic()
        await write_deltas(run, paced(count))
        took = time.monotonic() - begun
        pieces = [e for e in await run.history() if e.kind is greenroom.Kind.PARTIAL_RESULT]
    return len(pieces) / took


async def main(arguments: argparse.Namespace) -> None:
    async with aio.open_runtime(SETTINGS) as runtime:
        for case in CASES:
            try:
                costs = [await cost(runtime, case, arguments.deltas) for _ in range(ROUNDS)]
            except ImportError as missing:
                print(f"{case.__name__}: not installed ({missing})")
                continue
            low, high = min(costs), max(costs)
            print(f"{case.__name__}: {statistics.median(costs):.2f} µs ({low:.2f} to {high:.2f})")
        rate = await events_a_second(runtime, arguments.paced)
        print(f"{arguments.paced:,} deltas, one each ms: {rate:.1f} events/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deltas", type=int, default=10_000)
    parser.add_argument("--paced", type=int, default=2_000)
    asyncio.run(main(parser.parse_args()))
