"""Text streams in synchronous code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import TracebackType

from greenroom.blocking.blocks import enter, leave
from greenroom.blocking.crossing import BlockingReceipt
from greenroom.blocking.waiting import cross
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.text_stream import TextStream, parts_of
from greenroom.portal.call import Lane
from greenroom.portal.host_text import HostText
from greenroom.portal.visit import Visit


class BlockingTextStream(AbstractContextManager["BlockingTextStream"]):
    """A `greenroom.TextStream` in synchronous code: `with run.text() as text: text.write(token)`.

    Tokens wait on this side of the border, and cross together. An error of a text that has crossed
    is raised by the next call, and by the end of the block.
    """

    def __init__(self, lane: Lane, make: Callable[[], TextStream], kind: Kind) -> None:
        self._lane = lane
        self._text = HostText(lane, make, kind, lane.border.post)
        self._visit: Visit[HostText] = Visit(lane, self._itself)

    def _itself(self) -> HostText:
        return self._text

    @property
    def receipt(self) -> BlockingReceipt | None:
        """The receipt of the last piece that was kept, if there is one."""
        stream = self._text.stream
        receipt = None if stream is None else stream.receipt
        return None if receipt is None else BlockingReceipt(receipt, self._lane)

    @property
    def not_kept(self) -> str:
        """After an error: the text that was written and is not kept."""
        return self._text.not_kept

    @property
    def is_ahead(self) -> bool:
        """Whether `drain` would wait: half of the buffer is in use, or a client is far behind."""
        return self._text.is_ahead

    def write(self, text: str) -> None:
        """Write the next token. Does not block. Raises as `greenroom.TextStream.write`."""
        self._text.write(text)

    def write_all(self, texts: Iterable[str]) -> None:
        """As `greenroom.TextStream.write_all`, of any iterable of str."""
        for text in texts:
            for part in parts_of(text):
                self.write(part)
                if self.is_ahead:
                    self.drain()

    def drain(self) -> None:
        """As `greenroom.TextStream.drain`."""
        cross(self._lane, self._text.drain, "text.drain()")

    def flush(self) -> None:
        """As `greenroom.TextStream.flush`."""
        cross(self._lane, self._text.flush, "text.flush()")

    def wait_received(self, timeout: float | None = None) -> None:
        """As `greenroom.TextStream.wait_received`."""
        self.flush()
        if receipt := self.receipt:
            receipt.wait_received(timeout)

    def __enter__(self) -> BlockingTextStream:
        enter(self._visit, self._lane, "run.text()")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave(self._visit, self._lane, error)
        if error is None:
            self._text.end()
