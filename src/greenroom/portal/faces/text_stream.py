"""What a text stream's face says and takes without waiting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Never

from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.delivery.run.text_stream import TextStream
from greenroom.portal.call import Lane
from greenroom.portal.host_text import NEVER, HostText
from greenroom.portal.visit import Visit, same


class TextFacts:
    """The part of a text stream's face that is the same in every host."""

    def __init__(self, lane: Lane, make: Callable[[], TextStream], kind: Kind) -> None:
        self._lane = lane
        self._kind = kind
        self._text = HostText(lane, make, kind)
        self._visit: Visit[HostText] = Visit(lane, partial(same, self._text))

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
        crossing = self._text
        if not crossing.is_open:
            self._refuse()
        with crossing.lock:
            crossing.buffer.add(text)
            if crossing.buffer.size < crossing.wakes_at:
                return
            crossing.wakes_at = NEVER
        self._post(crossing.arrived)

    def _post(self, callback: Callable[[], object]) -> None:
        """Have it called in the trio thread."""
        self._lane.border.post(callback)

    def _refuse(self) -> Never:
        self._text.check()
        raise OutOfOrder(
            f"{self._kind}: text can be written only inside of the stream's block",
            advice="enter the block of `run.text()` first",
        )

    def _end(self) -> None:
        """The block was left without an error: raises what is still to be raised."""
        self._text.check()
        self._text.buffer.end()
