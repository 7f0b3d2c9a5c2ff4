"""Messages that several models write at once, one after another (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final

import attrs

MOST_WAITING: Final = 1024 * 1024
"""Characters that wait at most. Beyond them all are let through as they came."""


class PieceKind(enum.Enum):
    """What a piece is."""

    TEXT = "text"
    THOUGHT = "thought"
    END_THOUGHT = "end_thought"
    PAUSE = "pause"


@attrs.frozen
class MessagePiece:
    """A piece of a message, or a boundary."""

    kind: PieceKind
    text: str = ""


PAUSE: Final = MessagePiece(PieceKind.PAUSE)


class OneByOne:
    """Lets the message that began first through as it comes; the others wait for its end."""

    def __init__(self) -> None:
        self._speaking: str | None = None
        self._waiting: dict[str, list[MessagePiece]] = {}
        self._ended: set[str] = set()
        self._size = 0

    def may_speak(self, message: str) -> bool:
        """Whether its pieces come through."""
        if self._speaking is None:
            self._speaking = message
        return self._speaking == message

    def wait(self, message: str, piece: MessagePiece) -> Iterator[MessagePiece]:
        """Keep a piece of another message; what comes through now."""
        self._waiting.setdefault(message, []).append(piece)
        self._size += len(piece.text)
        if self._size > MOST_WAITING:
            yield from self.flush()

    def end(self, message: str) -> Iterator[MessagePiece]:
        """A message is whole: if it was the first, the next one comes through."""
        if message != self._speaking:
            self._ended |= {message} & self._waiting.keys()
            return
        self._speaking = None
        yield PAUSE
        while self._speaking is None and self._waiting:
            yield from self._next()

    def flush(self) -> Iterator[MessagePiece]:
        """All that waits."""
        self._speaking = None
        while self._waiting:
            yield PAUSE
            yield from self._next()
            self._speaking = None

    def _next(self) -> Iterator[MessagePiece]:
        message = next(iter(self._waiting))
        pieces = self._waiting.pop(message)
        self._size -= sum(len(piece.text) for piece in pieces)
        yield from pieces
        if message in self._ended:
            self._ended.discard(message)
            yield PAUSE
        else:
            self._speaking = message
