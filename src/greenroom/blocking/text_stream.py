"""Text streams in synchronous code."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType

from greenroom.blocking.blocks import enter, leave
from greenroom.blocking.crossing import BlockingReceipt
from greenroom.blocking.waiting import cross
from greenroom.delivery.run.text_stream import parts_of
from greenroom.portal.faces.text_stream import TextFacts


class BlockingTextStream(TextFacts, AbstractContextManager["BlockingTextStream"]):
    """A `greenroom.TextStream` in synchronous code: `with run.text() as text: text.write(token)`.

    Tokens wait on this side of the border, and cross together. An error of a text that has crossed
    is raised by the next call, and by the end of the block.
    """

    @property
    def receipt(self) -> BlockingReceipt | None:
        """The receipt of the last piece that was kept, if there is one."""
        receipt = self._text.receipt
        return None if receipt is None else BlockingReceipt(receipt, self._lane)

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
            self._end()
