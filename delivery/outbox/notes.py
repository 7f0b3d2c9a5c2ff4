"""Entries that travel to the journal with the next events, or alone a little later (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from greenroom.delivery.events.record import Entry


class Notes:
    """What waits to be written besides events. A failed append loses nothing of it."""

    def __init__(self) -> None:
        self._waiting: list[Entry] = []
        self._in_flight: list[Entry] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, entries: Iterable[Entry]) -> None:
        self._waiting += entries

    def take(self) -> Sequence[Entry]:
        """What to write now; `written` or `not_written` says how it went."""
        self._in_flight, self._waiting = self._waiting, []
        return self._in_flight

    def written(self) -> Sequence[Entry]:
        """What is durable now."""
        done, self._in_flight = self._in_flight, []
        return done

    def not_written(self) -> None:
        self._waiting, self._in_flight = self._in_flight + self._waiting, []
