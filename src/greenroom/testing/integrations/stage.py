"""A runtime under asyncio, and a user at the other end of a real WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import trio

from greenroom.aio.loop_agent import AioAgent
from greenroom.aio.opening import open_runtime
from greenroom.delivery.events.kinds import TERMINAL, Event, Kind
from greenroom.runtime import Runtime
from greenroom.settings import Settings
from greenroom.testing.integrations.script import Script
from greenroom.testing.live import SECRET
from greenroom.testing.same import same
from greenroom.transport.auth.tokens import sign_token
from greenroom.transport.client import Client, connect

SETTINGS: Final = Settings(port=0, journal=":memory:", secret=SECRET)
TOKEN_SECONDS: Final = 600.0
PATIENCE: Final = 20.0
"""Seconds to wait for what must come."""

Reaction: TypeAlias = Callable[[Client, Event], Awaitable[None]]
"""What the user does about an event."""


async def ignore(client: Client, event: Event) -> None:
    """The user only reads."""


async def stop_in_wait(script: Script, client: Client, event: Event) -> None:
    """The user presses Stop once the answer has begun and the model waits."""
    if event.kind is Kind.PARTIAL_RESULT and event.data["index"] == 0:
        await trio.to_thread.run_sync(script.is_waiting.wait, PATIENCE)
        await client.cancel(event.run)


async def refuse(client: Client, event: Event) -> None:
    """The user answers *no*."""
    if event.kind is Kind.INPUT_REQUESTED:
        await client.answer(event, "no")


async def allow(client: Client, event: Event) -> None:
    """The user answers *yes*."""
    if event.kind is Kind.INPUT_REQUESTED:
        await client.answer(event, "yes")


def events_of(agent: AioAgent, react: Reaction = ignore) -> list[Event]:
    """The events of a run that answers its user, up to its end, as a client receives them."""

    async def main() -> list[Event]:
        async with open_runtime(SETTINGS, agent) as runtime:
            port = await runtime.listen(page=False)
            seen = await runtime.call(partial(_converse, port, react))
            (last,) = await runtime.receipts(user="alice", limit=1)
            same(last.kind, seen[-1].kind, "the last event that was kept, and that came")
            return seen

    return asyncio.run(main())


async def _converse(port: int, react: Reaction, _: Runtime) -> list[Event]:
    token = sign_token(SECRET, "alice", TOKEN_SECONDS)
    seen: list[Event] = []
    async with connect(f"ws://127.0.0.1:{port}", token=token) as client:
        said = await client.say("go")
        async for event in client.events():
            seen.append(event)
            await react(client, event)
            if event.kind in TERMINAL and event.run == said.run:
                break
    return seen
