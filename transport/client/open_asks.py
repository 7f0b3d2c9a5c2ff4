"""The open questions, as a client knows them (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from greenroom.delivery.events.kinds import ASK_ENDS, Event, Kind
from greenroom.transport.client.frames import Ready


class OpenAsks:
    """Follows `ready` and the events that arrive."""

    def __init__(self) -> None:
        self._open: Mapping[str, Event] = {}
        self._known_through = 0

    @property
    def events(self) -> tuple[Event, ...]:
        """The `input_requested` of each open question, oldest first."""
        return tuple(self._open.values())

    def ready(self, ready: Ready) -> None:
        """The server knows: a question up to its last offset that it does not name has ended."""
        self._open = {str(event.data["ask"]): event for event in ready.asks}
        self._known_through = ready.offset

    def arrived(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind is Kind.INPUT_REQUESTED and event.offset > self._known_through:
                self._open = {**self._open, str(event.data["ask"]): event}
            elif event.kind in ASK_ENDS:
                ended = event.data["ask"]
                self._open = {ask: each for ask, each in self._open.items() if ask != ended}
