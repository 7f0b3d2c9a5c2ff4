"""Bare trio-websocket."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import orjson
import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from side_by_side.order import Gate
from side_by_side.peers.conversation import Conversation, Frame, Loop


async def nothing() -> None:
    """trio-websocket lets others run with each message."""


async def main() -> None:
    gate = Gate(trio.Event(), trio.sleep)

    async def welcome(request: WebSocketRequest) -> None:
        socket = await request.accept(subprotocol="greenroom.v1")

        async def send(frame: Frame) -> None:
            with suppress(ConnectionClosed):
                await socket.send_message(orjson.dumps(frame).decode())

        conversation = Conversation(send, Loop(gate, trio.Event, nursery.start_soon, nothing))
        with suppress(ConnectionClosed):
            while True:
                await conversation.take(orjson.loads(await socket.get_message()))

    async with trio.open_nursery() as nursery:
        listening = partial(serve_websocket, welcome, "127.0.0.1", 0, None)
        server = await nursery.start(listening)
        print(f"http://127.0.0.1:{server.port}/", flush=True)


if __name__ == "__main__":
    trio.run(main)
