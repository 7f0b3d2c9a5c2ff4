"""What a text stream has written and not sent yet, and the numbers of its pieces (pure)."""

from __future__ import annotations

from typing import ClassVar, Final

import attrs

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.event_fields import checked_text

BUFFER_BYTES: Final = 128 * 1024
"""Bytes of text (UTF-8) that may wait in one stream. JSON escapes make six bytes of one at most
(RFC 8259 §7), so a piece always fits into one event."""


@attrs.frozen
class TextPace:
    """How long the text of a stream waits for more, in seconds, and how much of it may wait before
    it leaves, in bytes of UTF-8."""

    interval: float = 0.04
    bytes: int = 2048


PACE: Final = TextPace()


class StreamFull(GreenroomError):
    """More text waits in the stream than it may hold. Nothing of this text was written."""

    temporary: ClassVar[bool] = True


class TextBuffer:
    """The texts that wait, in order; `size` is their length in bytes of UTF-8.

    Half a surrogate pair at the end of a text waits for its other half in the next one: some
    tokenizers cut emoji in two.
    """

    __slots__ = ("_half", "_kind", "_texts", "size")

    def __init__(self, kind: Kind) -> None:
        self.size: int = 0
        self._kind = kind
        self._half = ""
        self._texts: list[str] = []

    def add(self, text: str) -> None:
        """Raises `BadEvent` for what is no text, and `StreamFull`."""
        if type(text) is str and text.isascii() and not self._half:
            size, half = len(text), ""
        else:
            text, half = self._mended(text)
            size = len(text.encode())
        if self.size + size > BUFFER_BYTES:
            raise self._full(size)
        self._texts.append(text)
        self.size += size
        self._half = half

    def text(self) -> str:
        """All of it, in one piece."""
        return "".join(self._texts)

    def clear(self) -> None:
        """It was sent. A half waits on for the next text."""
        self._texts.clear()
        self.size = 0

    def end(self) -> None:
        """No text follows. Raises `BadEvent` if a half is left over, and drops it."""
        half, self._half = self._half, ""
        if half:
            raise self._torn()

    def _mended(self, given: object) -> tuple[str, str]:
        """The text with its pairs of halves joined, and the half at its end, if there is one."""
        text = self._half + checked_text(self._kind, "text", given)
        body, half = (text[:-1], text[-1]) if "\ud800" <= text[-1:] <= "\udbff" else (text, "")
        try:
            return body.encode("utf-16-le", "surrogatepass").decode("utf-16-le"), half
        except UnicodeDecodeError as error:
            self._half = ""
            raise self._torn() from error

    def _torn(self) -> BadEvent:
        return BadEvent(
            f"{self._kind}: `text` must be text, not half a surrogate pair",
            advice="write its two halves one after the other",
        )

    def _full(self, size: int) -> GreenroomError:
        if size > BUFFER_BYTES:
            return BadEvent(
                f"{self._kind}: `text` must have at most {BUFFER_BYTES:,} bytes, not {size:,}",
                advice="write it in parts, or let `run.stream` write it",
            )
        return StreamFull(
            f"{self._kind}: {self.size:,} bytes wait to be sent, and {size:,} more exceed the "
            f"{BUFFER_BYTES:,} of a stream",
            advice="call `await text.drain()` between writes, or let `run.stream` write",
        )


class PieceNumbers:
    """The numbers of pieces, from `first`, without gaps although pieces may be refused."""

    __slots__ = ("_next",)

    def __init__(self, first: int = 0) -> None:
        self._next = first

    def take(self) -> int:
        self._next += 1
        return self._next - 1

    def give_back(self, number: int) -> None:
        """The piece of this number was not kept: the number is free again if none came after."""
        if self._next == number + 1:
            self._next = number
