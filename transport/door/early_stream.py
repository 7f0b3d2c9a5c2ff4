"""A stream whose first bytes were read before it was made."""

from __future__ import annotations

from collections.abc import Callable

import trio

from greenroom.actors.reply import Reply
from greenroom.transport.connection.socket.ordered_writer import writer_of
from greenroom.transport.connection.socket.traffic import Traffic, unsent

IGNORED_BYTES, IGNORED_AT_ONCE = 256 * 1024, 64 * 1024
"""Bytes read and dropped of a peer that floods, so that it can read why it is closed."""


class ReplayStream(trio.abc.HalfCloseableStream):
    """Gives `head`, and what follows only once an answer to it is being sent.

    wsproto forgets bytes that reach it between the upgrade request and its acceptance
    (`H11Handshake._accept` starts a new parser without them), yet trio-websocket reads on while
    the application decides. A client may speak as soon as it has *our* 101, so nothing waits
    without need; a client that speaks sooner (RFC 6455 §4.1 forbids it) loses nothing.

    All that is sent goes through `writer`, in order. `last_words()` is sent before it closes: see
    `CountedSocket`.
    """

    def __init__(self, stream: trio.abc.Stream, head: bytes, early: bytes = b"") -> None:
        self._stream = stream
        self._head = head
        self._early = early
        self._answered: Reply[None] = Reply()
        self._ignores = False
        self.last_words: Callable[[], bytes] = bytes
        self.writer = writer_of(stream)
        self._came = 0

    def __repr__(self) -> str:
        return f"<ReplayStream of {self._stream!r}>"

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._head:
            await trio.lowlevel.checkpoint()
            given, self._head = _cut(self._head, max_bytes)
            return given
        if not self._answered.is_set:
            await self._answered.wait()
        if self._early:
            await trio.lowlevel.checkpoint()
            given, self._early = _cut(self._early, max_bytes)
            return given
        if self._ignores:
            return await self._ignored()
        data = await self._stream.receive_some(max_bytes)
        self._came += len(data)
        return data

    def traffic(self) -> Traffic:
        """The bytes up to now. What is being sent waits, be it here or in the system's queue."""
        waiting = unsent(self._stream)  # of the piece that is being sent some is there already
        left = self.writer.taken - waiting
        return Traffic(self._came, left, self.writer.given - left)

    def ignore_rest(self) -> None:
        """Show nothing more of what the peer sends but its end."""
        self._ignores, self._early = True, b""

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
        self._answered.succeed(None)
        self.writer.write(bytes(data))
        await self.writer.flush()

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Say that nothing more is sent, where the stream below can (TLS cannot)."""
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self._stream.send_eof()

    async def aclose(self) -> None:
        self._head = self._early = b""
        self._answered.succeed(None)
        unsaid, self.last_words = self.last_words(), bytes
        try:
            if unsaid:
                await self.send_all(unsaid)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass  # the peer is gone
        finally:
            await self._stream.aclose()


def _cut(data: bytes, at: int | None) -> tuple[bytes, bytes]:
    return (data, b"") if at is None else (data[:at], data[at:])
