"""Text streams under asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from greenroom.aio.blocks import enter, leave
from greenroom.aio.host_loop import HostLoop, cross, host_loop
from greenroom.aio.receipt import AioReceipt
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.text_stream import TextStream, write_parts
from greenroom.portal.call import Lane
from greenroom.portal.faces.text_stream import TextFacts


class AioTextStream(TextFacts, AbstractAsyncContextManager["AioTextStream"]):
    """A `greenroom.TextStream` under asyncio: `async with run.text() as text: text.write(token)`.

    Tokens wait on this side of the border, and cross together. An error of a text that has crossed
    is raised by the next call, and by the end of the block.
    """

    def __init__(self, lane: Lane, make: Callable[[], TextStream], kind: Kind) -> None:
        super().__init__(lane, make, kind)
        self._host: HostLoop | None = None

    def _post(self, callback: Callable[[], object]) -> None:
        if self._host is not None and self._host.is_here:
            self._host.append(callback)
        else:  # in another thread, or on another loop
            super()._post(callback)

    @property
    def receipt(self) -> AioReceipt | None:
        """The receipt of the last piece that was kept, if there is one."""
        receipt = self._text.receipt
        return None if receipt is None else AioReceipt(receipt, self._lane)

    async def write_all(self, texts: AsyncIterable[str]) -> None:
        """As `greenroom.TextStream.write_all`."""
        await write_parts(self, self._kind, texts)

    async def drain(self) -> None:
        """As `greenroom.TextStream.drain`."""
        await cross(self._lane, self._text.drain, "text.drain()")

    async def flush(self) -> None:
        """As `greenroom.TextStream.flush`."""
        await cross(self._lane, self._text.flush, "text.flush()")

    async def wait_received(self, timeout: float | None = None) -> None:
        """As `greenroom.TextStream.wait_received`."""

        await self.flush()
        if receipt := self.receipt:
            await receipt.wait_received(timeout)

    async def __aenter__(self) -> AioTextStream:
        self._host = host_loop(self._lane.border, "run.text()")
        await enter(self._visit, self._lane, "run.text()")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await leave(self._visit, self._lane, error)
        if error is None:
            self._end()
