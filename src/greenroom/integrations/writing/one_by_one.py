"""Messages that several models write at once, one after another (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final

import attrs

MOST_WAITING: Final = 1024 * 1024
"""Characters that wait at most. Beyond them all are let through as they came."""


class Does(enum.Enum):
    """What a step does to the output."""

    TEXT = "text"
    THOUGHT = "thought"
    END_THOUGHT = "end_thought"
    PAUSE = "pause"


@attrs.frozen
class Step:
    """A piece of a message, or a boundary."""

    does: Does
    text: str = ""


PAUSE: Final = Step(Does.PAUSE)


class OneByOne:
    """Lets the message that began first through as it comes; the others wait for its end."""

    def __init__(self) -> None:
        self._speaking: str | None = None
        self._waiting: dict[str, list[Step]] = {}
        self._ended: set[str] = set()
        self._size = 0

    def take(self, message: str, step: Step) -> Iterator[Step]:
        """What comes through now."""
        if self._speaking is None:
            self._speaking = message
        if self._speaking == message:
            yield step
            return
        self._waiting.setdefault(message, []).append(step)
        self._size += len(step.text)
        if self._size > MOST_WAITING:
            yield from self.flush()

    def end(self, message: str) -> Iterator[Step]:
        """A message is whole: if it was the first, the next one comes through."""
        if message != self._speaking:
            self._ended |= {message} & self._waiting.keys()
            return
        self._speaking = None
        yield PAUSE
        while self._speaking is None and self._waiting:
            yield from self._next()

    def flush(self) -> Iterator[Step]:
        """All that waits."""
        self._speaking = None
        while self._waiting:
            yield PAUSE
            yield from self._next()
            self._speaking = None

    def _next(self) -> Iterator[Step]:
        message = next(iter(self._waiting))
        steps = self._waiting.pop(message)
        self._size -= sum(len(step.text) for step in steps)
        yield from steps
        if message in self._ended:
            self._ended.discard(message)
            yield PAUSE
        else:
            self._speaking = message
