"""What the tests of the border share: settings, a user in the trio thread, and waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import greenroom
from greenroom import aio
from greenroom.transport.auth.tokens import sign_token

SECRET = "a secret of the tests, 32 bytes long"
SETTINGS = greenroom.Settings(journal=":memory:", secret=SECRET, port=0)
ENDS = ("agent_completed", "agent_failed")

T = TypeVar("T")
Client = greenroom.Client


async def with_client(
    port: int, user: str, act: Callable[[Client], Awaitable[T]], _: greenroom.Runtime
) -> T:
    """For `runtime.call`: a client of the user's, in the trio thread."""
    token = sign_token(SECRET, user, 3600)
    async with greenroom.connect(f"ws://127.0.0.1:{port}", token=token) as client:
        return await act(client)


async def say(said: greenroom.JSON, client: Client) -> list[greenroom.Event]:
    """Say it, and return the run's events to its end."""
    await client.say(said)
    seen = []
    async for event in client.events():
        seen.append(event)
        if str(event.kind) in ENDS:
            return seen
    raise AssertionError("the client was closed")


async def say_and_stop(on: str, client: Client) -> list[greenroom.Event]:
    """Say something, stop the run at its first event of this kind, and return its events."""
    started = await client.say("go")
    seen = []
    async for event in client.events():
        seen.append(event)
        if str(event.kind) == on:
            await client.cancel(started.run)
        if str(event.kind) in ENDS:
            return seen
    raise AssertionError("the client was closed")


def said_to(agent: aio.Agent, act: Callable[[Client], Awaitable[T]], **options: object) -> T:
    """What `act` returns for a user of a runtime under asyncio with this agent."""

    async def main() -> T:
        async with aio.open_runtime(SETTINGS, agent, **options) as runtime:  # type: ignore[arg-type]
            port = await runtime.listen()
            return await runtime.call(partial(with_client, port, "alice", act))

    return asyncio.run(main(), debug=True)


def kinds(events: list[greenroom.Event]) -> list[str]:
    """The kinds of events, in order."""
    return [str(event.kind) for event in events]
