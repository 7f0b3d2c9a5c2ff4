"""An agent of pydantic-ai, with a tool that asks its user first.

    pip install 'greenroom[pydantic-ai]'
    python examples/frameworks/pydantic_ai_chat.py

Open the link it prints, which signs you in, and say something. The model is a fake: put the
name of a real one in its place. Ctrl-C stops it.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

import greenroom
from greenroom import aio
from greenroom.integrations.pydantic_ai import run_agent
from greenroom.transport.auth.tokens import sign_token

SETTINGS = greenroom.Settings(port=0, journal=":memory:", secret=secrets.token_urlsafe(32))


async def model(
    messages: list[ModelMessage], info: AgentInfo
) -> AsyncIterator[str | DeltaToolCalls]:
    """A fake: it waters what it hears of, and reports what the tool said."""
    if not any(isinstance(message, ModelResponse) for message in messages):
        said = str(messages[-1].parts[-1].content)
        yield {0: DeltaToolCall("water", f'{{"plant": "{said}"}}', tool_call_id="1")}
        return
    for word in f"The garden says: {messages[-1].parts[-1].content}.".split():
        yield f"{word} "
        await asyncio.sleep(0.05)


gardener = Agent(FunctionModel(stream_function=model), output_type=[str, DeferredToolRequests])


@gardener.tool_plain(requires_approval=True)
async def water(plant: str) -> str:
    """Water a plant."""
    return f"{plant} is watered"


async def garden(run: aio.Run, said: greenroom.JSON) -> None:
    """Answers one message."""
    await run_agent(run, gardener, str(said))


async def main() -> None:
    """Serve until Ctrl-C."""
    async with aio.open_runtime(SETTINGS, garden) as runtime:
        port = await runtime.listen()
        token = sign_token(SETTINGS.secret or "", "alice", 3600)
        print(f"http://127.0.0.1:{port}/#token={token}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("stopped")
