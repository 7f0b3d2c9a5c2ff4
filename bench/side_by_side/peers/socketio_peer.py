"""python-socketio, as it comes: its JSON is the standard library's."""

from __future__ import annotations

from functools import partial

import socketio

from side_by_side.peers.conversation import Conversation, Frame
from side_by_side.peers.uvicorn_peer import LOOP, serve

server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
conversations: dict[str, Conversation] = {}


@server.event
async def connect(session: str, environment: object) -> None:
    send = partial(server.emit, "frame", to=session)
    conversations[session] = Conversation(send, LOOP)


@server.event
async def disconnect(session: str, reason: object = None) -> None:
    del conversations[session]


@server.event
async def frame(session: str, frame: Frame) -> None:
    await conversations[session].take(frame)


if __name__ == "__main__":
    serve(socketio.ASGIApp(server))
