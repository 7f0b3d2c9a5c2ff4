"""Agents of the OpenAI Agents SDK: one hands off to another, which the user sees as a sub-run.

    pip install 'greenroom[openai-agents]'
    python examples/frameworks/openai_handoffs.py

Open the link it prints, which signs you in, and say something. The models are fakes: leave
`model` out for real ones. Ctrl-C stops it.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import secrets

from agents import Agent, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call

import greenroom
from greenroom import aio
from greenroom.integrations.openai_agents import run_agent
from greenroom.transport.auth.tokens import sign_token

SETTINGS = greenroom.Settings(port=0, journal=":memory:", secret=secrets.token_urlsafe(32))
set_tracing_disabled(True)


def triage() -> Agent:
    """An agent that knows whom to ask. Each run needs its own fakes: they play their steps once."""
    billing: Agent = Agent(
        name="billing", model=ScriptedModel([[assistant_message("You owe us nothing.")]])
    )
    transfer = function_call("transfer_to_billing", {}, call_id="1")
    return Agent(name="triage", model=ScriptedModel([[transfer]]), handoffs=[billing])


async def support(run: aio.Run, said: greenroom.JSON) -> None:
    """Answers one message."""
    await run_agent(run, triage(), str(said))


async def main() -> None:
    """Serve until Ctrl-C."""
    async with aio.open_runtime(SETTINGS, support) as runtime:
        port = await runtime.listen()
        token = sign_token(SETTINGS.secret or "", "alice", 3600)
        print(f"http://127.0.0.1:{port}/#token={token}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("stopped")
