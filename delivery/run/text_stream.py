"""Text streams: a token costs a list append, and many of them leave as one event."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol

import trio

from greenroom.actors.errors import another
from greenroom.actors.reactors.own_thread import check_thread
from greenroom.actors.text.wording import kind_of
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.grammar import OutOfOrder, Progress, RunStage
from greenroom.delivery.run.life import last_words
from greenroom.delivery.run.pressure import Pressure, pressure_of
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.text_buffer import BUFFER_BYTES

if TYPE_CHECKING:
    from greenroom.delivery.run.text_sender import Pieces, TextSender


PART: Final = BUFFER_BYTES // 8
"""Characters of a part that fits into half of the buffer: one takes four bytes at most."""

BLOCKS: Final = {
    Kind.PARTIAL_RESULT: Progress("run.text()"),
    Kind.AGENT_THINKING: Progress("run.thoughts()"),
}


class TextStream:
    """Text that is written token by token: `async with run.text() as text: text.write(token)`.

    The first text leaves at once. What follows leaves as one event after `text_interval` seconds or
    `text_bytes` bytes (see the settings), before anything else that the run emits, and at the end
    of the block, however it ends: what was written before an error or a cancellation is sent, too.

    An error while the text is being kept ends the stream: from then on each method raises it, and
    so does the end of the block. What was kept is a beginning of what was written; `not_kept` has
    the rest.
    """

    def __init__(self, sender: TextSender, pieces: Pieces) -> None:
        self._sender = sender
        self._emitter = sender.emitter
        self._pieces = pieces
        self._buffer = pieces.buffer
        self._bytes = sender.pace.bytes
        self._open = self._entered = False
        self._thread = sender.emitter.thread

    def __repr__(self) -> str:
        return f"<TextStream of {self._pieces.kind}s of {self._emitter.context.run}>"

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the last piece that was kept, if there is one."""
        kept = self._pieces.kept
        return Receipt.of(kept, self._emitter.user.leased) if kept else None

    @property
    def not_kept(self) -> str:
        """After an error: the text that was written and is not kept. After `ActorStopped` the
        first piece of it may have been kept."""
        return self._pieces.not_kept

    @property
    def is_ahead(self) -> bool:
        """Whether `drain` would wait: half of the buffer is in use, or a client is far behind."""
        return self._is_half_full or self._is_far_behind

    def write(self, text: str) -> None:
        """Write the next token. Does not block.

        Raises `StreamFull` when too much text waits (see `drain`), `BadEvent` for what is no text,
        and `OutOfOrder` outside of the block or after the final report: then nothing of this text
        was written. Raises the error that ended the stream (see above), and `WrongThread` (see
        `Ref`).
        """
        pieces = self._pieces
        if get_ident() != self._thread:
            self._check_thread()
        if not self._open or self._emitter.spoken.stage is not RunStage.RUNNING or pieces.error:
            self._refuse()
        self._buffer.add(text)
        if not pieces.waits or self._buffer.size >= self._bytes:
            self._sender.wrote(pieces)

    async def write_all(self, texts: AsyncIterable[str]) -> None:
        """Write what comes, in parts if it is long, waiting as `drain` does. Raises what `write`
        raises."""
        await write_parts(self, self._pieces.kind, texts)

    async def drain(self) -> None:
        """Wait until half of the buffer is free and no client of the user is far behind.

        A client that is closed as too slow, or gives up, is no longer waited for. Raises the error
        that ended the stream.
        """
        self._check_thread()
        await trio.lowlevel.checkpoint()
        self._check()
        while self._is_half_full:
            await self._sender.changed()
            self._check()
        while self._is_far_behind:  # noqa: ASYNC110  # the gauge is read, it announces nothing
            await trio.sleep(self._sender.pace.interval)

    async def flush(self) -> None:
        """Send what was written, and wait until all of it is kept. Raises the error that ended the
        stream."""
        self._check_thread()
        await self._sender.send_all()
        while self._pieces.sent is not None:
            await self._sender.changed()
        self._check()

    async def wait_received(self, timeout: float | None = None) -> None:
        """Wait until a client of the user acknowledged all that was written, at most `timeout`
        seconds from when it is kept.

        Raises `NotReceived`; the text stays kept all the same. Raises what `flush` raises.
        """
        await self.flush()
        if receipt := self.receipt:
            await receipt.wait_received(timeout)

    async def __aenter__(self) -> TextStream:
        self._check_thread()
        if self._entered:
            raise OutOfOrder(
                f"{self._pieces.kind}: the block of a stream can be entered once",
                advice=f"call {BLOCKS[self._pieces.kind].words} again for another stream",
            )
        self._emitter.spoken = self._emitter.spoken.after(BLOCKS[self._pieces.kind])
        self._open = self._entered = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """What was written is kept, also if this is cancelled."""
        try:
            if error is None:
                await self._end()
        finally:
            self._open = False
            if self._pieces.waits or self._pieces.sent is not None:
                with last_words(self):
                    await self.flush()

    async def _end(self) -> None:
        await self.flush()
        self._buffer.end()
        if receipt := self.receipt:
            await self._emitter.requirement.check(receipt)

    @property
    def _is_half_full(self) -> bool:
        return self._buffer.size > BUFFER_BYTES // 2

    @property
    def _is_far_behind(self) -> bool:
        return pressure_of(self._emitter.user.gauge) is Pressure.SOME

    def _check(self) -> None:
        if self._pieces.error is not None:
            raise another(self._pieces.error)

    def _check_thread(self) -> None:
        check_thread(self._thread, self)

    def _refuse(self) -> None:
        self._check()
        if not self._open:
            raise OutOfOrder(
                f"{self._pieces.kind}: text can be written only inside of the stream's block",
                advice="write within `async with run.text() as text`",
            )
        self._emitter.spoken.after(BLOCKS[self._pieces.kind])


class Writable(Protocol):
    """A stream of any host's that takes text, and may ask to wait."""

    @property
    def is_ahead(self) -> bool:
        """Whether `drain` would wait."""
        ...

    def write(self, text: str) -> None:
        """Take the next token."""

    async def drain(self) -> None:
        """Wait until there is room."""


async def write_parts(stream: Writable, kind: str, texts: AsyncIterable[str]) -> None:
    """Write all `texts` into a stream of this kind, as `TextStream.write_all`."""
    if not hasattr(texts, "__aiter__"):
        raise BadEvent(f"{kind}: a stream must be an async iterable of str, not {kind_of(texts)}")
    async for text in texts:
        for part in parts_of(text):
            stream.write(part)
            if stream.is_ahead:
                await stream.drain()


def parts_of(text: str) -> Iterable[str]:
    """A long text in parts; anything else as it is."""
    if not isinstance(text, str) or len(text) <= PART:
        return (text,)
    return (text[start : start + PART] for start in range(0, len(text), PART))
