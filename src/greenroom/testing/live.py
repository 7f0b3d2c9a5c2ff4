"""A runtime in memory, and clients of its real connections without a network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import attrs
import trio
from trio.testing import memory_stream_pair
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.run.run import Agent
from greenroom.runtime import Runtime, open_runtime
from greenroom.settings import Settings
from greenroom.settings.keys import authenticator_of
from greenroom.settings.settings import MEMORY
from greenroom.transport.auth.tokens import sign_token
from greenroom.transport.door.front_door import FrontDoor
from greenroom.transport.protocol.wire import SUBPROTOCOL
from greenroom.transport.server import Server

SECRET = "a secret for tests, known to everyone"
TOKEN_SECONDS = 24 * 3600.0

JsonFrame: TypeAlias = dict[str, JSON]


@asynccontextmanager
async def open_test_runtime(
    agents: Mapping[str, Agent] | Agent | None = None,
) -> AsyncIterator[Runtime]:
    """A runtime with a journal in memory, which reads no configuration and opens no port."""
    settings = Settings(secret=SECRET, journal=Path(MEMORY))
    async with open_runtime(settings, agents, journal=MemoryJournal()) as runtime:
        yield runtime


@attrs.define
class Tab:
    """A client that speaks greenroom.v1 by hand: frames are dicts. `ready` is the server's."""

    _socket: WebSocketConnection
    ready: JsonFrame = attrs.field(factory=dict)

    async def send(self, type: str, **fields: JSON) -> None:  # noqa: A002  # the wire's word
        """Send a frame."""
        await self._socket.send_message(json.dumps({"type": type, **fields}))

    async def receive(self, *types: str) -> JsonFrame:
        """The next frame, or the next of these types; pings are answered and passed over.

        Raises trio-websocket's `ConnectionClosed` once the server has closed.
        """
        while True:
            frame: JsonFrame = json.loads(await self._socket.get_message())
            if frame["type"] == "ping":
                await self.send("pong")
            elif not types or frame["type"] in types:
                return frame

    async def events(self, count: int) -> list[JsonFrame]:
        """The next `count` events, from as many frames as that takes.

        What comes again (nothing was acknowledged) is not counted again. Raises `AssertionError`
        with what did come if the server closes before.
        """
        found: dict[JSON, JsonFrame] = {}
        try:
            while len(found) < count:
                frame = await self.receive("events")
                events = frame["events"]
                assert isinstance(events, list), "receive() gave a frame of events"
                found |= {each["id"]: each for each in events if isinstance(each, dict)}
        except ConnectionClosed as closed:
            kinds = ", ".join(str(event["kind"]) for event in found.values()) or "none"
            raise AssertionError(
                f"only {len(found)} of {count} events came, then {closed.reason}: {kinds}"
            ) from closed
        return list(found.values())

    async def close(self) -> None:
        """Close the connection."""
        await self._socket.aclose()


@attrs.frozen
class InMemoryDoor:
    """The type of the fixture `connect`."""

    _server: Server
    _nursery: trio.Nursery

    async def __call__(self, user: str, *, hello: bool = True, **fields: JSON) -> Tab:
        """A client of `user` through the real front door and connection actor.

        `fields` are those of its `hello` (session, epoch, offset); without `hello` none is sent.
        """
        ours, theirs = memory_stream_pair()
        self._nursery.start_soon(self._server.welcome, theirs)
        token = sign_token(SECRET, user, TOKEN_SECONDS)
        socket = await wrap_client_stream(
            self._nursery,
            ours,  # type: ignore[arg-type]  # annotated narrower than "an arbitrary stream"
            "testserver",
            "/live",
            subprotocols=[SUBPROTOCOL],
            extra_headers=[(b"Authorization", f"Bearer {token}".encode())],
        )
        tab = Tab(socket)
        if hello:
            await tab.send("hello", **fields)
            tab.ready = await tab.receive("ready")
        return tab


@asynccontextmanager
async def open_door(runtime: Runtime) -> AsyncIterator[InMemoryDoor]:
    """A front door to the runtime that takes connections in memory."""
    authenticator = authenticator_of(runtime.settings)
    door = FrontDoor(authenticator=authenticator, bans=runtime.listening.bans)
    async with trio.open_nursery() as nursery:
        yield InMemoryDoor(runtime.listening.server(door), nursery)
        nursery.cancel_scope.cancel()
