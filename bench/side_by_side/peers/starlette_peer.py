"""Starlette."""

from __future__ import annotations

from contextlib import suppress

import orjson
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from side_by_side.peers.conversation import Conversation, Frame
from side_by_side.peers.uvicorn_peer import LOOP, serve


async def welcome(socket: WebSocket) -> None:
    async def send(frame: Frame) -> None:
        with suppress(WebSocketDisconnect):
            await socket.send_text(orjson.dumps(frame).decode())

    await socket.accept(subprotocol="greenroom.v1")
    conversation = Conversation(send, LOOP)
    with suppress(WebSocketDisconnect):
        while True:
            await conversation.take(orjson.loads(await socket.receive_text()))


if __name__ == "__main__":
    serve(Starlette(routes=[WebSocketRoute("/live", welcome)]))
