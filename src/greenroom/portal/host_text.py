"""The host's end of a text stream: a token waits on this side of the border for others.

`write` appends to a buffer, and the trio thread takes what is in it: soon after the first token,
then at intervals while more comes, when there is much of it, and before any call of the run begins.
So a token does not cross alone, and is in the stream before what its run emits after it.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Final

import trio

from greenroom.actors.errors import GreenroomError, another
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.text_buffer import BUFFER_BYTES, StreamFull, TextBuffer
from greenroom.delivery.run.text_stream import TextStream
from greenroom.portal.call import Call, Lane, ignore

MUCH: Final = 2048
"""Bytes that are worth a crossing of their own."""

IDLE_INTERVALS: Final = 20
"""Intervals without a token, after which the next one has to wake the trio thread."""


class HostText:
    """Text on its way into the stream of `make()`. `lane`: that of the run. `post`: posts to the
    border."""

    def __init__(
        self,
        lane: Lane,
        make: Callable[[], TextStream],
        kind: Kind,
        post: Callable[[Callable[[], object]], object],
    ) -> None:
        self._post = post
        self.stream: TextStream | None = None
        self._lane = lane
        self._make = make
        self._kind = kind
        self._buffer = TextBuffer(kind)
        self._lock = Lock()  # two threads use the buffer: appends here, the taking there
        self._is_awaited = self._is_hurried = False
        self._idle = 0
        self._is_open = False
        self._held = ""  # taken, and there was no room for it
        self._refused = ""
        self._error: GreenroomError | None = None
        self._has_settled: trio.Event | None = None

    # On the host's side

    def write(self, text: str) -> None:
        """Append a token. Raises as `TextStream.write`; an error of a text that has crossed is
        raised by the next call."""
        if not self._is_open or self._error is not None:
            self.check()
            raise OutOfOrder(
                f"{self._kind}: text can be written only inside of the stream's block",
                advice="enter the block of `run.text()` first",
            )
        with self._lock:
            self._buffer.add(text)
            waits = self._is_awaited and (self._is_hurried or self._buffer.size < MUCH)
            if not waits:
                self._is_awaited = self._is_hurried = True
        if not waits:
            self._post(self._arrived)

    def check(self) -> None:
        """Raise the error of a text that has crossed."""
        if self._error is not None:
            raise another(self._error)

    @property
    def is_ahead(self) -> bool:
        """Whether `drain` would wait: half of the buffer is in use, or clients are far behind."""
        return (
            bool(self._held)
            or self._buffer.size > BUFFER_BYTES // 2
            or (self.stream is not None and self.stream.is_ahead)
        )

    @property
    def not_kept(self) -> str:
        """After an error: what was written and is not kept."""
        kept_back = "" if self.stream is None else self.stream.not_kept
        if self._error is None and not kept_back:
            return ""
        with self._lock:
            return kept_back + self._refused + self._held + self._buffer.text()

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the last piece that was kept, if there is one."""
        return None if self.stream is None else self.stream.receipt

    def end(self) -> None:
        """The block was left without an error: raises what is still to be raised."""
        self.check()
        self._buffer.end()

    # In the trio thread

    async def __aenter__(self) -> HostText:
        self.stream = self._make()
        await self.stream.__aenter__()
        self._is_open = True
        self._lane.texts[self] = None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        self._lane.texts.pop(self, None)
        self.take()
        await self.opened.__aexit__(kind, error, trace)

    @property
    def opened(self) -> TextStream:
        """The stream itself. Raises `OutOfOrder` before the block is entered."""
        if self.stream is None:
            raise OutOfOrder(
                f"{self._kind}: the block of the stream has not begun",
                advice="enter the block of `run.text()` first",
            )
        return self.stream

    async def drain(self) -> None:
        """As `TextStream.drain`, also for what has not crossed."""
        await self._settle()
        await self.opened.drain()

    async def flush(self) -> None:
        """As `TextStream.flush`, also for what has not crossed."""
        await self._settle()
        await self.opened.flush()

    async def wait_received(self, timeout: float | None = None) -> None:
        """As `TextStream.wait_received`."""
        await self._settle()
        await self.opened.wait_received(timeout)

    async def settled(self) -> None:
        """Wait until all that was written is in the stream."""
        self.take()
        if self._has_settled is not None:
            await self._has_settled.wait()

    async def _settle(self) -> None:
        await self.settled()
        self.check()

    def _arrived(self) -> None:
        self._is_hurried = False
        self.take()
        self._lane.border.pull(self)

    def pull(self) -> bool:
        """Take what was written in an interval; False if there was nothing for some of them."""
        with self._lock:
            self._idle = 0 if self._buffer.size else self._idle + 1
            if self._idle > IDLE_INTERVALS or not self._is_open:
                self._idle, self._is_awaited = 0, False
                return False
        self.take()
        return True

    def take(self) -> None:
        """Move what was written into the stream, unless a task waits to do that."""
        if self._has_settled is None:
            self._move_waiting()
            if self._held:
                self._has_settled = trio.Event()
                lane = Lane(self._lane.border)
                # what it raises is of a portal that stops
                lane.border.spawn(Call(self._move_when_there_is_room, lane, ignore))

    def _move_waiting(self) -> None:
        with self._lock:
            text = self._buffer.text()
            self._buffer.clear()
        self._move(text)

    def _move(self, text: str) -> None:
        if not text or self._error is not None:
            self._refused += text
            return
        try:
            self.opened.write(text)
        except StreamFull:
            self._held = text
        except GreenroomError as error:
            self._error = error
            self._refused += text

    async def _move_when_there_is_room(self) -> None:
        try:
            while self._held:
                await self._make_room()
                text, self._held = self._held, ""
                self._move(text)
                if not self._held:
                    self._move_waiting()
        finally:
            if self._has_settled is not None:
                self._has_settled.set()
                self._has_settled = None

    async def _make_room(self) -> None:
        try:
            await self.opened.flush()
        except GreenroomError as error:
            self._error = error
