"""What a user saw of a run."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from greenroom.delivery.events.kinds import JSON, TERMINAL, Event, Kind
from greenroom.testing.same import same


@attrs.frozen
class Seen:
    """The events of one run, as its user's client received them."""

    events: Sequence[Event]

    @property
    def text(self) -> str:
        """The answer."""
        return "".join(str(event.data["text"]) for event in self.of(Kind.PARTIAL_RESULT))

    @property
    def thoughts(self) -> list[str]:
        """Each thought, whole."""
        thoughts: dict[JSON, str] = {}
        for event in self.of(Kind.AGENT_THINKING):
            number = event.data.get("thought", event.offset)
            thoughts[number] = thoughts.get(number, "") + str(event.data["text"])
        return list(thoughts.values())

    @property
    def results(self) -> dict[JSON, JSON]:
        """The result of each tool call, or its error, by its arguments as text."""
        called = {
            event.data["tool_call"]: str(event.data.get("arguments"))
            for event in self.of(Kind.TOOL_EXECUTING)
        }
        return {
            called[event.data["tool_call"]]: event.data.get("error", event.data.get("result"))
            for event in self.of(Kind.TOOL_COMPLETED)
        }

    @property
    def end(self) -> Event:
        """How it ended. Raises `AssertionError` unless it has one end, and nothing after it."""
        ends = [place for place, event in enumerate(self.events) if event.kind in TERMINAL]
        same(ends, [len(self.events) - 1], "the places of the ends of the run")
        return self.events[-1]

    @property
    def how(self) -> JSON:
        """In one word: ok, cancelled, crash, timeout, lost."""
        return self.end.data.get("outcome", self.end.data.get("reason"))

    def of(self, *kinds: Kind) -> list[Event]:
        """The events of these kinds."""
        return [event for event in self.events if event.kind in kinds]

    def hides(self, *words: str) -> None:
        """Raises `AssertionError` if one of the words is in an event."""
        everything = " ".join(str(event.data) for event in self.events)
        same([word for word in words if word in everything], [], "what users must not see")
