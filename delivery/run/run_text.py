"""What a run says in text: its thoughts and its answer, as single events or as streams."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Final

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.errors import NotDisplayed
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.run.emitter import Emitter
from greenroom.delivery.run.event_fields import checked_text
from greenroom.delivery.run.grammar import Progress
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.text_buffer import PieceNumbers, TextPace
from greenroom.delivery.run.text_sender import Pieces, TextSender
from greenroom.delivery.run.text_stream import TextStream

THINKING: Final = Progress("agent_thinking")
PARTIAL: Final = Progress("partial_result")


class RunText:
    """The part of `Run` that thinks and answers."""

    def __init__(self, emitter: Emitter, pace: TextPace, attempt: RunAttempt) -> None:
        self._emitter = emitter
        self._texts = TextSender(emitter, pace, PieceNumbers(attempt.pieces))
        self._thoughts = PieceNumbers(attempt.thoughts)

    async def agent_thinking(self, *, text: str) -> Receipt:
        """What the agent is thinking, for the user to follow."""
        data: JSON = {"text": checked_text(Kind.AGENT_THINKING, "text", text)}
        return await self._emitter.emit(THINKING, Kind.AGENT_THINKING, data)

    async def partial_result(self, *, text: str) -> Receipt:
        """The next piece of the answer; pieces are numbered from 0."""
        kind, numbers = Kind.PARTIAL_RESULT, self._texts.numbers
        piece = checked_text(kind, "text", text)
        if self._emitter.unsent is not None:
            await self._emitter.send_text()  # its pieces have lower numbers
        index = numbers.take()
        try:
            return await self._emitter.emit(PARTIAL, kind, {"text": piece, "index": index})
        except NotDisplayed:  # the event is kept
            raise
        except GreenroomError:
            numbers.give_back(index)
            raise

    def text(self) -> TextStream:
        """The answer, token by token: `async with run.text() as text: text.write(token)`."""
        return TextStream(self._texts, Pieces(Kind.PARTIAL_RESULT, self._texts.numbers, {}))

    def thoughts(self) -> TextStream:
        """One thought, token by token: `async with run.thoughts() as text: text.write(token)`."""
        common: dict[str, JSON] = {"thought": self._thoughts.take()}
        return TextStream(self._texts, Pieces(Kind.AGENT_THINKING, PieceNumbers(), common))

    async def stream(self, tokens: AsyncIterable[str]) -> TextStream:
        """Write the answer from any async iterable of str, no faster than the user's clients can
        take it (see `TextStream.drain`). Returns the stream once all of it is kept.

        Raises what the methods of `TextStream` raise, and what `tokens` raises.
        """
        async with self.text() as text:
            await text.write_all(tokens)
        return text
