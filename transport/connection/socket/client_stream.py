"""The stream below a WebSocket: it hands over whole texts, and keeps what is sent in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from greenroom.transport.connection.socket.frame_splitter import FrameSplitter
from greenroom.transport.connection.socket.ordered_writer import writer_of
from greenroom.transport.connection.socket.reading import reader_of
from greenroom.transport.connection.socket.traffic import Traffic, unsent

IGNORED_BYTES, IGNORED_AT_ONCE = 256 * 1024, 64 * 1024
"""Bytes read and dropped of a peer that floods, so that it can read why it is closed."""


class ClientStream(trio.abc.HalfCloseableStream):
    """Reads `early`, which came behind the request, and then the stream.

    Whole texts of at most `max_bytes` go to `on_text`, in the task that reads; it awaits what that
    returns, and gets everything else, in order with them. All that is sent goes through `writer`,
    in order. `last_words()` is sent before it closes: see `CountedSocket`.
    """

    def __init__(self, stream: trio.abc.Stream, early: bytes = b"", *, max_bytes: int = 0) -> None:
        self._stream = stream
        self._splitter = FrameSplitter(max_bytes)
        self._splitter.feed(early)
        self._other = b""
        self._ignores = False
        self.on_text: Callable[[str], Awaitable[None] | None] = _nobody
        self.last_words: Callable[[], bytes] = bytes
        self.writer = writer_of(stream)
        self._read = reader_of(stream)
        self._came = 0

    def __repr__(self) -> str:
        return f"<ClientStream of {self._stream!r}>"

    async def hear_texts(self) -> None:
        """Read texts, until something else comes or the end: `receive_some` returns that."""
        splitter = self._splitter
        while not (self._other or self._ignores):
            taken = splitter.take()
            if isinstance(taken, bytes) and not taken:
                if not (data := await self._read()):
                    return
                self._came += len(data)
                taken = splitter.split(data)
            if isinstance(taken, bytes):
                self._other = taken
            elif (wait := self.on_text(taken)) is not None:
                await wait

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await self.hear_texts()
        if self._ignores:
            return await self._ignored()
        other, self._other = self._other, b""
        return other

    def traffic(self) -> Traffic:
        """The bytes up to now. What is being sent waits, be it here or in the system's queue."""
        waiting = unsent(self._stream)  # of the piece that is being sent some is there already
        left = self.writer.taken - waiting
        return Traffic(self._came, left, self.writer.given - left)

    def ignore_rest(self) -> None:
        """Show nothing more of what the peer sends but its end."""
        self._ignores = True
        self._forget()

    async def _ignored(self) -> bytes:
        """Closing with bytes unread resets the connection (RFC 9112 §9.6), so read some."""
        left = IGNORED_BYTES
        while left > 0:
            data = await self._stream.receive_some(IGNORED_AT_ONCE)
            if not data:
                return b""
            left -= len(data)
        await trio.sleep_forever()
        raise AssertionError("never comes")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.writer.write(bytes(data))
        await self.writer.flush()

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Say that nothing more is sent, where the stream below can (TLS cannot)."""
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self._stream.send_eof()

    def _forget(self) -> None:
        self._splitter.clear()
        self._other = b""

    async def aclose(self) -> None:
        self._forget()
        self.on_text = _nobody
        self.writer.nursery = None  # it may be closed, and this waits for its own last words
        unsaid, self.last_words = self.last_words(), bytes
        try:
            if unsaid:
                await self.send_all(unsaid)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass  # the peer is gone
        finally:
            await self._stream.aclose()


def _nobody(text: str) -> None:
    """Hears nothing."""
