"""A WebSocket client by hand (RFC 6455), so cheap that it does not hide what it measures.

It masks with zeros, which the RFC forbids real clients (§5.3) and no server can tell.
"""

from __future__ import annotations

import struct
import sys
from functools import cache
from typing import Any, ClassVar

import attrs
import orjson
import trio

from greenroom.transport.auth.tokens import sign_token

Frame = dict[str, Any]

SECRET = "a secret of the benchmark, 32 bytes or more"
LOOK = "a token of its observers, 32 bytes or more"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
SHORT, LONG = 126, 127
READ_BYTES = 65_536
REQUEST = (
    "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Protocol: greenroom.v1\r\nAuthorization: Bearer {token}\r\n\r\n"
)


class Refused(Exception):
    """The server answered the upgrade with something else, or closed."""


@cache
def token_of(number: int) -> str:
    """A token of the user of that number."""
    return sign_token(SECRET, f"user-{number}", 3600)


@attrs.define(eq=False)
class Client:
    """One socket, from `connect` (up to `ready`) to `close`."""

    TARGET: ClassVar = "/live"

    _stream: trio.SocketStream
    _buffer: bytearray = attrs.field(factory=bytearray)
    ready: Frame = attrs.field(factory=dict)
    _sending: trio.Lock = attrs.field(factory=trio.Lock)

    @classmethod
    async def connect(
        cls, port: int, token: str, *, receive_buffer: int | None = None, **hello: object
    ) -> Client:
        """Say hello and wait for `ready`. Raises `Refused` or `OSError`."""
        client = cls(await _open_stream(port, receive_buffer))
        try:
            await client._upgrade(token)
            await client.send(type="hello", **hello)
            client.ready = await client.wait_for("ready")
        except BaseException:
            await client.close()
            raise
        return client

    async def send(self, **frame: object) -> None:
        await self._write(TEXT, orjson.dumps(frame))

    async def wait_for(self, kind: str) -> Frame:
        """The next frame of this type; pings before it are answered."""
        while (frame := await self.receive())["type"] != kind:
            pass
        return frame

    async def receive(self) -> Frame:
        """The next frame; a ping is answered and skipped. Raises `Refused` at the end."""
        frame: Frame = orjson.loads(await self._receive_text())
        if frame["type"] == "ping":
            await self.send(type="pong")
        return frame

    async def close(self) -> None:
        """Hang up, without a word."""
        await trio.aclose_forcefully(self._stream)

    async def _upgrade(self, token: str) -> None:
        await self._stream.send_all(REQUEST.format(target=self.TARGET, token=token).encode())
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            await self._read()
        if b" 101 " not in self._buffer[:20]:
            raise Refused(self._buffer.split(b"\r\n")[0].decode())
        del self._buffer[: end + 4]

    async def _write(self, opcode: int, data: bytes) -> None:
        size = len(data)
        length = bytes([0x80 | size]) if size < SHORT else struct.pack("!BH", 0x80 | SHORT, size)
        async with self._sending:
            await self._stream.send_all(bytes([0x80 | opcode]) + length + bytes(4) + data)

    async def _receive_text(self) -> bytes:
        while True:
            while (found := self._next()) is None:
                await self._read()
            opcode, payload = found
            if opcode == TEXT:
                return payload
            if opcode == PING:
                await self._write(PONG, payload)

    async def _read(self) -> None:
        try:
            data = await self._stream.receive_some(READ_BYTES)
        except trio.BrokenResourceError as error:
            raise Refused("the connection broke") from error
        if not data:
            raise Refused("the server hung up")
        self._buffer += data

    def _next(self) -> tuple[int, bytes] | None:
        """Opcode and payload of the next whole frame in the buffer; unmasked and uncut."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1], 2
        if size == SHORT and len(buffer) >= 4:
            size, start = struct.unpack_from("!H", buffer, 2)[0], 4
        elif size == LONG and len(buffer) >= 10:
            size, start = struct.unpack_from("!Q", buffer, 2)[0], 10
        if (size >= SHORT and start == 2) or len(buffer) < start + size:
            return None
        opcode, payload = buffer[0] & 15, bytes(buffer[start : start + size])
        del buffer[: start + size]
        if opcode == CLOSE:
            raise Refused(f"closed with {int.from_bytes(payload[:2])}")
        return opcode, payload


class SocketIoClient(Client):
    """The same frames in socket.io's (protocol 5 in Engine.IO 4), without its polling."""

    TARGET: ClassVar = "/socket.io/?EIO=4&transport=websocket"

    async def send(self, **frame: object) -> None:
        await self._write(TEXT, b'42["frame",%b]' % orjson.dumps(frame))

    async def receive(self) -> Frame:
        """The next frame; Engine.IO's pings are answered. Raises `Refused` at the end."""
        while not (text := await self._receive_text()).startswith(b"42"):
            if text == b"2":
                await self._write(TEXT, b"3")
        frame: Frame = orjson.loads(text[2:])[1]
        return frame

    async def _upgrade(self, token: str) -> None:
        await super()._upgrade(token)
        await self._receive_text()  # 0: open
        await self._write(TEXT, b"40")
        await self._receive_text()  # 40: connected


async def _open_stream(port: int, receive_buffer: int | None) -> trio.SocketStream:
    """With a small buffer, what is not read is soon not sent either."""
    opened = trio.socket.socket()
    if receive_buffer is not None:
        opened.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, receive_buffer)
    await opened.connect(("127.0.0.1", port))
    return trio.SocketStream(opened)


def show(words: str) -> None:
    """Say how far it is, on a terminal, in place of what was said before."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)
