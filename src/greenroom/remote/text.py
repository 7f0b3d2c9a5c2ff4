"""Streams of text that another process writes token by token."""

from __future__ import annotations

from collections.abc import AsyncIterable
from types import TracebackType
from typing import Final

import anyio

from greenroom.actors.errors import GreenroomError, another
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.delivery.run.pressure import Pressure
from greenroom.delivery.run.text_buffer import BUFFER_BYTES, PACE, TextBuffer
from greenroom.delivery.run.text_stream import write_parts
from greenroom.remote.lane import LaneEntry
from greenroom.remote.life import LAST_SECONDS, RemoteLife
from greenroom.remote.receipt import RemoteReceipt

LOOK_SECONDS: Final = 0.05

_KINDS: Final = {"text": Kind.PARTIAL_RESULT, "thoughts": Kind.AGENT_THINKING}


class RemoteText:
    """Text that is written token by token, as `TextStream`: many tokens are one request, and leave
    the server together with others.

    An error while text is being sent ends the stream: from then on each method raises it.
    """

    def __init__(self, life: RemoteLife, kind: str, name: str) -> None:
        self._life = life
        self._kind = kind
        self._name = name
        self._buffer = TextBuffer(_KINDS[kind])
        self._waiting: LaneEntry | None = None
        self._open = self._entered = False
        self._error: GreenroomError | None = None
        self._not_kept = ""
        self.receipt: RemoteReceipt | None = None
        """The receipt of the last piece that was kept, once there is one, by `flush` or the end."""

    @property
    def not_kept(self) -> str:
        """After an error: the text that was written and that the server did not take."""
        return self._not_kept + (self._buffer.text() if self._error is not None else "")

    @property
    def is_ahead(self) -> bool:
        """Whether `drain` would wait."""
        return self._buffer.size > BUFFER_BYTES // 2 or self._life.pressure is Pressure.SOME

    def write(self, text: str) -> None:
        """Write the next token. Does not block. Raises as `TextStream.write`."""
        self._check()
        if not self._open:
            raise OutOfOrder(
                f"{self._kind}: text can be written only inside of the stream's block",
                advice="write within `async with run.text() as text`",
            )
        self._buffer.add(text)
        if self._waiting is None or self._waiting.buffer is None:
            data: dict[str, object] = {"stream": self._name}
            self._waiting = LaneEntry(self._kind, data, self._buffer, self._refused)  # type: ignore[arg-type]  # JSON
            self._life.lane.put_text(self._waiting)
        elif self._buffer.size >= PACE.bytes:
            self._life.lane.more_text()

    async def write_all(self, texts: AsyncIterable[str]) -> None:
        """Write what comes, in parts if it is long, waiting as `drain` does."""
        await write_parts(self, self._kind, texts)

    async def drain(self) -> None:
        """Wait until half of the buffer is free and no client of the user is far behind."""
        await anyio.lowlevel.checkpoint()
        self._check()
        while self._buffer.size > BUFFER_BYTES // 2:
            await anyio.sleep(LOOK_SECONDS)
            self._check()
        while self._life.pressure is Pressure.SOME and self._open:
            await anyio.sleep(LOOK_SECONDS)
            await self._life.look()

    async def flush(self) -> None:
        """Send what was written, and wait until all of it is kept."""
        await self._send(flush=True)

    async def wait_received(self, timeout: float | None = None) -> None:
        """Wait until a client of the user acknowledged all that was written. Raises
        `NotReceived` after `timeout` seconds."""
        await self.flush()
        if self.receipt is not None:
            await self.receipt.wait_received(timeout)

    async def __aenter__(self) -> RemoteText:
        if self._entered:
            raise OutOfOrder(f"{self._kind}: the block of a stream can be entered once")
        self._open = self._entered = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """What was written is kept, also if this is cancelled."""
        self._open = False
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + LAST_SECONDS):
            try:
                await self._send(end=True)
            except GreenroomError:
                if error is None and not self._life.cancelled:
                    raise
        if error is None:
            self._buffer.end()

    async def _send(self, *, flush: bool | None = None, end: bool | None = None) -> None:
        self._check()
        said = await self._life.lane.put(self._kind, stream=self._name, flush=flush, end=end)
        self._check()
        if "event" in said:
            self.receipt = self._life.receipt(said)

    def _refused(self, error: GreenroomError) -> None:
        self._error = self._error or error
        if self._waiting is not None:
            self._not_kept += str(self._waiting.data.get("text", ""))

    def _check(self) -> None:
        if self._error is not None:
            raise another(self._error)
