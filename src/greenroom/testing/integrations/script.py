"""What a model does in a test of a framework: a list of turns, which a fake model plays."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from greenroom.delivery.events.kinds import JSON


class ModelFailed(Exception):
    """What the model raises in a test."""


@attrs.frozen
class Think:
    """A thought, whole or in pieces."""

    deltas: tuple[str, ...]


@attrs.frozen
class Speak:
    """Text, in pieces."""

    deltas: tuple[str, ...]


@attrs.frozen
class CallTool:
    """One call of one of the tools in `SuiteTools`. Several in a turn are called at once."""

    call: str
    tool_name: str
    arguments: Mapping[str, JSON]

    @property
    def json(self) -> str:
        """The arguments as a model writes them."""
        return json.dumps(dict(self.arguments))


@attrs.frozen
class Wait:
    """The model does not go on. The fake must await `script.wait(part)`."""

    cleans_up: bool = False
    goes_on: bool = False
    """It swallows its cancellation."""


@attrs.frozen
class Fail:
    """The model raises. The fake must raise `ModelFailed(part.words)`."""

    words: str = "the model is out of order: key sk-123"


Part: TypeAlias = Think | Speak | CallTool | Wait | Fail
Turn: TypeAlias = tuple[Part, ...]


@attrs.define
class Script:
    """The turns of a model, and what became of it. Each call of the model plays the next turn."""

    turns: tuple[Turn, ...]
    input_tokens: int = 7
    output_tokens: int = 5
    calls: int = 0
    is_waiting: threading.Event = attrs.field(factory=threading.Event)
    was_cancelled: bool = False
    cleaned_up: bool = False

    def next_turn(self) -> Turn:
        """The turn of this call of the model; an empty one after the last."""
        self.calls += 1
        return self.turns[self.calls - 1] if self.calls <= len(self.turns) else ()

    async def wait(self, part: Wait) -> None:
        """Wait until the call is cancelled."""
        self.is_waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            if part.cleans_up:
                await self._clean_up()
            if not part.goes_on:
                raise

    async def _clean_up(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        self.cleaned_up = True
