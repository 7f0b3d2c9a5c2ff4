"""What a text stream's face says and takes without waiting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.text_stream import TextStream
from greenroom.portal.call import Lane
from greenroom.portal.host_text import HostText
from greenroom.portal.visit import Visit, same


class TextFacts:
    """The part of a text stream's face that is the same in every host. `post`: posts to the
    border."""

    def __init__(
        self,
        lane: Lane,
        make: Callable[[], TextStream],
        kind: Kind,
        post: Callable[[Callable[[], object]], object],
    ) -> None:
        self._lane = lane
        self._text = HostText(lane, make, kind, post)
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
        self._text.write(text)
