"""Servers that say what a test wants, behind the real front door and over real sockets."""

import time
from contextlib import asynccontextmanager, suppress
from functools import partial

import orjson
import trio
import trio_websocket
from wsproto.connection import Connection, ConnectionType

from greenroom.delivery.events.ids import EventId, IdSource, RequestId, RunId, SessionId, ThreadId
from greenroom.transport.auth.tokens import JwtAuthenticator, sign_token
from greenroom.transport.client.client import connect
from greenroom.transport.door.front_door import FrontDoor

SECRET = "a secret of more than thirty-two bytes"
TOKEN = sign_token(SECRET, "alice", 3600)


def expired_token(user: str) -> str:
    return sign_token(SECRET, user, 60, now=time.time() - 120)


NEW = IdSource()
SESSION, RUN, THREAD = NEW.new(SessionId), NEW.new(RunId), NEW.new(ThreadId)
REQUEST, EVENT = NEW.new(RequestId), NEW.new(EventId)


class Peer:
    """The server's end of one socket."""

    def __init__(self, socket):
        self._socket = socket

    async def send(self, type_, **fields):
        await self._socket.send_message(orjson.dumps({"type": type_, **fields}).decode())

    async def frame(self):
        """The next frame, whatever it is."""
        return orjson.loads(await self._socket.get_message())

    async def next(self):
        """The next frame but acks and pongs."""
        while (frame := orjson.loads(await self._socket.get_message()))["type"] in ("ack", "pong"):
            pass
        return frame

    async def hear(self, type_):
        """The next frame of a type; others before it are passed over."""
        while True:
            frame = orjson.loads(await self._socket.get_message())
            if frame["type"] == type_:
                return frame

    async def welcome(self, offset=0, *, recovered=False, heartbeat=25_000, **more):
        hello = await self.hear("hello")
        fields = {
            "session": SESSION,
            "connection": "conn",
            "user": "alice",
            "epoch": "e",
            "offset": offset,
            "recovered": recovered,
            "heartbeat": heartbeat,
            "features": [],
        }
        await self.send("ready", **{**fields, **more})
        return hello

    async def send_events(self, *offsets):
        await self.send("events", epoch="e", events=[event(offset) for offset in offsets])

    async def cut(self):
        """Break the connection, without a closing handshake."""
        await trio.aclose_forcefully(self._socket._stream)

    async def close(self, code):
        await self._socket.aclose(code)

    async def closed_with(self):
        """Wait until the client closes; its code."""
        try:
            while True:
                await self._socket.get_message()
        except trio_websocket.ConnectionClosed as closed:
            return closed.reason.code


def event(offset):
    return {
        "offset": offset,
        "id": EVENT,
        "kind": "agent_thinking",
        "class": "progress",
        "thread": THREAD,
        "run": RUN,
        "request": REQUEST,
        "at": 0,
        "data": {"text": "…"},
    }


@asynccontextmanager
async def server(*scripts, tls=None):
    """Serve one script per socket, in order; gives the URL. A script gets a `Peer`; `None` stands
    for hanging up at once, bytes for what is answered. Leaving waits until every script has run.
    `tls`: an SSL context for a `wss` server."""
    door = FrontDoor(authenticator=JwtAuthenticator.from_secret(SECRET))
    waiting = list(scripts)
    done = trio.Event()

    async def handle(stream):
        with suppress(trio.BrokenResourceError):  # the client does not trust our certificate
            await serve_one(stream)

    async def serve_one(stream):
        async with stream:
            script = waiting.pop(0) if waiting else None
            if script is None:
                return
            if isinstance(script, bytes):
                await stream.receive_some()
                await stream.send_all(script)
                return
            upgrade = await door.admit(stream)
            if upgrade is None:
                return
            async with trio.open_nursery() as nursery:
                await upgrade.stream.send_all(upgrade.acceptance)
                connection = Connection(ConnectionType.SERVER)
                socket = trio_websocket.WebSocketConnection(upgrade.stream, connection)
                nursery.start_soon(socket._reader_task)
                await script(Peer(socket))
                if not waiting:
                    done.set()
                await Peer(socket).closed_with()

    async with trio.open_nursery() as nursery:
        if tls is None:
            serve = partial(trio.serve_tcp, handle, 0, host="127.0.0.1")
            (listener,) = await nursery.start(serve)
            yield f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
        else:
            serve = partial(trio.serve_ssl_over_tcp, handle, 0, tls, host="127.0.0.1")
            (listener,) = await nursery.start(serve)
            yield f"wss://127.0.0.1:{listener.transport_listener.socket.getsockname()[1]}"
        with trio.fail_after(30):
            await done.wait()
        nursery.cancel_scope.cancel()


def join(url, **options):
    options = {"token": TOKEN, "uniform": lambda low, high: 0.0, **options}
    return connect(url, **options)


async def take(client, count, *, seconds=30):
    events = client.events()
    with trio.fail_after(seconds):
        return [(await anext(events)).offset for _ in range(count)]
