"""Many users at once, each with a socket of the `websockets` package, in one asyncio loop."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable, Mapping

import attrs
from websockets.asyncio.client import ClientConnection, connect

from tests.protocol.client import Json

PATIENCE = 20.0


def crowd(
    port: int, tokens: Mapping[str, str], epoch: str, *, events: int
) -> dict[str, list[Json]]:
    """All connect at once, from the beginning of their logs; what each saw until it had so many."""

    async def everybody() -> dict[str, list[Json]]:
        async with asyncio.timeout(PATIENCE):
            seen = [stay(port, token, epoch, events) for token in tokens.values()]
            return dict(zip(tokens, await asyncio.gather(*seen), strict=True))

    return asyncio.run(everybody())


def dial(port: int, token: str) -> connect:
    """An opening handshake: awaited, or entered, it is a socket."""
    return connect(
        f"ws://127.0.0.1:{port}/live",
        subprotocols=["greenroom.v1"],  # type: ignore[list-item]  # a plain str will do
        additional_headers={"Authorization": f"Bearer {token}"},
        ping_interval=None,
        proxy=None,
        open_timeout=60,  # 200 open at once, and another half of the suite may run beside
    )


async def stay(port: int, token: str, epoch: str, events: int) -> list[Json]:
    seen: list[Json] = []
    async with dial(port, token) as socket:
        await socket.send(json.dumps({"type": "hello", "epoch": epoch, "offset": 0}))
        while len(seen) < events:
            seen += await news(socket)
    return seen


async def news(socket: ClientConnection) -> list[Json]:
    """The events of the next frame, acknowledged; [] for a frame of another type."""
    frame = json.loads(await socket.recv())
    if frame["type"] != "events":
        return []
    await socket.send(json.dumps({"type": "ack", "offset": frame["events"][-1]["offset"]}))
    events: list[Json] = frame["events"]
    return events


@attrs.define
class Browser:
    """One browser on a shared desk: whoever signs in, it says what the last one left in it."""

    port: int
    left: Json = attrs.field(factory=dict)
    heard: list[tuple[str, Json]] = attrs.field(factory=list)
    """Each event, beside who was signed in."""

    async def visit(self, user: str, token: str, frames: int, *, politely: bool) -> None:
        """Sign in, read so many frames with events, leave."""
        socket = await dial(self.port, token)
        try:
            await socket.send(json.dumps({"type": "hello", **self.left}))
            ready = json.loads(await socket.recv())
            assert (ready["type"], ready["user"]) == ("ready", user)
            self.left = {"session": ready["session"], "epoch": ready["epoch"], "offset": 0}
            while frames:
                events = await news(socket)
                self.heard += [(user, event) for event in events]
                frames -= bool(events)
        finally:
            if politely:
                await socket.close()
            else:
                socket.transport.abort()


def at_shared_desks(
    port: int, tokens: Mapping[str, str], *, browsers: int, visits: int, seed: int
) -> list[Browser]:
    """Users sign in and out at a few browsers, all at once; the browsers, with what they heard."""
    chance = random.Random(seed)
    desks = [Browser(port) for _ in range(browsers)]
    plans = [
        [(chance.choice([*tokens]), chance.randrange(4), visit % 2 == 0) for visit in range(visits)]
        for _ in desks
    ]

    async def work(desk: Browser, plan: list[tuple[str, int, bool]]) -> None:
        for user, frames, politely in plan:
            await desk.visit(user, tokens[user], frames, politely=politely)

    async def everybody() -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*map(work, desks, plans))

    asyncio.run(everybody())
    return desks


def storm(port: int, tokens: Iterable[str]) -> list[str]:
    """All connect at once and say hello; the type of the first frame that each got."""

    async def first(token: str) -> str:
        async with dial(port, token) as socket:
            await socket.send('{"type": "hello"}')
            return str(json.loads(await socket.recv())["type"])

    async def everybody() -> list[str]:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(*map(first, tokens))

    return asyncio.run(everybody())
