"""A bare client for system tests: what a browser tab does, on trio-websocket, nothing of ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

Frame = dict[str, Any]


@attrs.define
class Tab:
    """Keeps what it saw across connections, as PROTOCOL.md's "Client duties" want it."""

    host: str
    port: int
    token: str
    seen: list[Frame] = attrs.field(factory=list)
    session: str | None = None
    epoch: str | None = None
    offset: int | None = None
    began: int = 0
    readies: list[Frame] = attrs.field(factory=list)
    replies: dict[str, Frame] = attrs.field(factory=dict)
    other: list[Frame] = attrs.field(factory=list)
    is_over: bool = False
    pings: int = 0
    _socket: WebSocketConnection | None = None
    _news: trio.Event = attrs.field(factory=trio.Event)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Tab]:
        """A socket from `hello` to the end of the block, which cuts it without a word."""
        async with await _dial(self.host, self.port) as stream, trio.open_nursery() as nursery:
            self._socket = await wrap_client_stream(
                nursery,
                stream,
                self.host,
                "/live",
                subprotocols=["greenroom.v1"],
                extra_headers=[(b"Authorization", f"Bearer {self.token}".encode())],
                message_queue_size=64,
                max_message_size=1 << 24,
            )
            stream.is_upgraded = True
            await self.send(type="hello", **self.resume())
            connections, self.is_over = len(self.readies), False
            nursery.start_soon(self._read, self._socket)
            await self.until(lambda: len(self.readies) > connections or self.is_over)
            if self.is_over:
                raise ConnectionResetError("the connection ended before it was ready")
            yield self
            await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()

    def resume(self) -> Frame:
        known = {"session": self.session, "epoch": self.epoch, "offset": self.offset}
        return {name: value for name, value in known.items() if value is not None}

    async def send(self, **frame: Any) -> None:
        assert self._socket is not None
        await self._socket.send_message(json.dumps(frame))

    async def ask(self, **frame: Any) -> Frame:
        """Send a frame with an `id` and wait for its reply."""
        await self.send(**frame)
        await self.until(lambda: frame["id"] in self.replies)
        return self.replies[frame["id"]]

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(60):
            while not condition():
                self._news = trio.Event()
                await self._news.wait()

    async def until_offset(self, offset: int) -> None:
        await self.until(lambda: (self.offset or 0) >= offset)

    async def _read(self, socket: WebSocketConnection) -> None:
        try:
            while True:
                await self._take(json.loads(await socket.get_message()))
        except ConnectionClosed:
            pass
        finally:
            self.is_over = True
            self._news.set()

    async def _take(self, frame: Frame) -> None:
        match frame["type"]:
            case "ready":
                self.readies.append(frame)
                self.session, self.epoch = frame["session"], frame["epoch"]
                self.offset = frame["offset"] if self.offset is None else self.offset
                self.began = self.offset
            case "events":
                self.seen += self._fresh(frame)
                self.offset = max(self.offset or 0, frame["events"][-1]["offset"])
                await self._answer(type="ack", offset=self.offset)
            case "reply":
                self.replies[frame["id"]] = frame
            case "ping":
                self.pings += 1
                await self._answer(type="pong")
            case _:
                self.other.append(frame)
        self._news.set()

    async def _answer(self, **frame: Any) -> None:
        """What came before a close is read to its end, also if it can no longer be answered."""
        with suppress(ConnectionClosed):
            await self.send(**frame)

    def _fresh(self, frame: Frame) -> list[Frame]:
        """All of them, unless this connection is sent again what it was slow to acknowledge."""
        events: list[Frame] = frame["events"]
        known = self.offset or 0
        if events[0]["offset"] <= known:
            assert frame.get("replay"), f"{events[0]} came twice"
            assert events[0]["offset"] > self.began, f"{events[0]} was resumed from"
        return [event for event in events if event["offset"] > known]


class _Stream(trio.abc.Stream):
    """Its end during the handshake is an error: trio-websocket would wait for ever."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.is_upgraded = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        with self._honestly():
            data = await self._stream.receive_some(max_bytes)
        if not data and not self.is_upgraded:
            raise ConnectionResetError("the server hung up during the handshake")
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._honestly():
            await self._stream.send_all(data)

    @contextmanager
    def _honestly(self) -> Iterator[None]:
        try:
            yield
        except trio.BrokenResourceError as error:
            if self.is_upgraded:
                raise
            raise ConnectionResetError("the server broke off the handshake") from error

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _dial(host: str, port: int) -> _Stream:
    return _Stream(await trio.open_tcp_stream(host, port))
