"""The texts of one run as parts that begin, grow and end, as chat protocols have them (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from greenroom.delivery.events.kinds import JSON, Event, Kind


class Does(enum.Enum):
    """What happens to a part."""

    BEGIN = "begin"
    ADD = "add"
    END = "end"


class As(enum.Enum):
    """What kind of text a part has."""

    TEXT = "text"
    THOUGHT = "thought"


@attrs.frozen
class TextStep:
    """`id` is the same each time the events of a run are read."""

    does: Does
    shown_as: As
    id: str
    text: str = ""


ENDS_TEXT: Final = frozenset(
    {
        Kind.AGENT_STARTED,  # of another attempt
        Kind.TOOL_EXECUTING,
        Kind.INPUT_REQUESTED,
        Kind.FINAL_REPORT,
        Kind.AGENT_COMPLETED,
        Kind.AGENT_FAILED,
    }
)


class Texts:
    """Which parts of a run are open, and how many there were."""

    def __init__(self) -> None:
        self._open: dict[str, As] = {}
        self._counts: dict[str, int] = {}

    @property
    def has_text(self) -> bool:
        """Whether the answer has any text."""
        return "text" in self._counts

    @property
    def open(self) -> Sequence[TextStep]:
        """The parts that are open, as they began."""
        return [TextStep(Does.BEGIN, shown_as, id_) for id_, shown_as in self._open.items()]

    def take(self, event: Event) -> Sequence[TextStep]:
        """The steps that an event comes to."""
        if event.kind is Kind.PARTIAL_RESULT:
            return self._piece(As.TEXT, "text", str(event.data["text"]))
        if event.kind is Kind.AGENT_THINKING:
            return self._thought(event)
        return self.end() if event.kind in ENDS_TEXT else ()

    def end(self, only: As | None = None) -> Sequence[TextStep]:
        """End what is open; of one kind, if it is named."""
        ended = [pair for pair in self._open.items() if only in (None, pair[1])]
        for id_, _ in ended:
            del self._open[id_]
        return [TextStep(Does.END, shown_as, id_) for id_, shown_as in ended]

    def _thought(self, event: Event) -> Sequence[TextStep]:
        text, thought = str(event.data["text"]), event.data.get("thought")
        if thought is None or event.data.get("index") is None:
            return whole(As.THOUGHT, f"thinking-{event.offset}", text)
        return self._piece(As.THOUGHT, f"thought-{thought}", text)

    def _piece(self, shown_as: As, name: str, text: str) -> Sequence[TextStep]:
        """The next piece of the part `name`. Where that had ended, the piece begins another."""
        count = self._counts.get(name, 0)
        last = f"{name}-{count - 1}"
        if last in self._open:
            return [TextStep(Does.ADD, shown_as, last, text)]
        id_, ended = f"{name}-{count}", self._ended_by(shown_as, count)
        self._counts[name] = count + 1
        self._open[id_] = shown_as
        begun = TextStep(Does.BEGIN, shown_as, id_)
        return [*ended, begun, TextStep(Does.ADD, shown_as, id_, text)]

    def _ended_by(self, shown_as: As, count: int) -> Iterable[TextStep]:
        if shown_as is As.TEXT:
            return self.end(As.THOUGHT)
        return () if count else self.end()


def whole(shown_as: As, id_: str, text: str) -> Sequence[TextStep]:
    """A text that is no piece of another."""
    return [
        TextStep(Does.BEGIN, shown_as, id_),
        TextStep(Does.ADD, shown_as, id_, text),
        TextStep(Does.END, shown_as, id_),
    ]


def with_reference(message: JSON, reference: JSON) -> str:
    """What a user may read of a failure, with what an operator finds its cause by."""
    return f"{message} Reference: {reference}" if reference else str(message)
