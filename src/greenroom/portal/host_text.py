"""The host's end of a text stream: a token waits on this side of the border for others.

`TextFacts.write` appends to a buffer, and the trio thread takes what is in it: soon after the first
token, then at intervals while more comes, when there is much of it, and before any call of the run
begins. So a token does not cross alone, and is in the stream before what its run emits after it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
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

NEVER: Final = BUFFER_BYTES + 1
"""More than can wait: the trio thread was woken, and has not come."""

IDLE_INTERVALS: Final = 20
"""Intervals without a token, after which the next one has to wake the trio thread."""


class HostText:
    """Text on its way into the stream of `make()`. `lane`: that of the run.

    Two threads use the `buffer`, under the `lock`: the host appends (`TextFacts.write`), and the
    trio thread takes. The rest of it is the trio thread's.
    """

    def __init__(self, lane: Lane, make: Callable[[], TextStream], kind: Kind) -> None:
        self.buffer: TextBuffer = TextBuffer(kind)
        self.lock: AbstractContextManager[bool] = Lock()
        self.wakes_at: int = 0
        """Bytes that have to wait before the trio thread is woken for them."""
        self.is_open: bool = False
        """Whether text may be written: inside of the block, before an error."""
        self.stream: TextStream | None = None
        self._lane = lane
        self._make = make
        self._kind = kind
        self._idle = 0  # looks that found nothing
        self._error: GreenroomError | None = None
        self._held = ""  # taken, and there was no room for it
        self._refused = ""
        self._has_settled: trio.Event | None = None

    def check(self) -> None:
        """Raise the error of a text that has crossed."""
        if self._error is not None:
            raise another(self._error)

    @property
    def is_ahead(self) -> bool:
        """Whether `drain` would wait: half of the buffer is in use, or clients are far behind."""
        return (
            bool(self._held)
            or self.buffer.size > BUFFER_BYTES // 2
            or (self.stream is not None and self.stream.is_ahead)
        )

    @property
    def not_kept(self) -> str:
        """After an error: what was written and is not kept."""
        kept_back = "" if self.stream is None else self.stream.not_kept
        if self._error is None and not kept_back:
            return ""
        with self.lock:
            return kept_back + self._refused + self._held + self.buffer.text()

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the last piece that was kept, if there is one."""
        return None if self.stream is None else self.stream.receipt

    # In the trio thread

    async def __aenter__(self) -> HostText:
        self.stream = self._make()
        await self.stream.__aenter__()
        self.is_open = True
        self._lane.texts[self] = None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_open = False
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

    def arrived(self) -> None:
        """The trio thread was woken: take what waits, and look at intervals for more."""
        self.wakes_at = MUCH
        self.take()
        self._lane.border.pull(self)

    def pull(self) -> bool:
        """Take what was written in an interval; False if there was nothing for some of them."""
        with self.lock:
            self._idle = 0 if self.buffer.size else self._idle + 1
            if self._idle > IDLE_INTERVALS or not self.is_open:
                self._idle = self.wakes_at = 0
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
        with self.lock:
            text = self.buffer.text()
            self.buffer.clear()
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
            self._fail(error)
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
            self._fail(error)

    def _fail(self, error: GreenroomError) -> None:
        self._error, self.is_open = error, False
