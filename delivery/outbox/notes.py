"""Entries that travel to the journal with the next events, or alone a little later (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from greenroom.delivery.events.draft import Draft
from greenroom.delivery.events.record import Entry, Record

LAZY_SECONDS: Final = 1.0
"""Seconds that cursors, marks and notes may wait to be written together with events."""

_beside_of: Final = attrgetter("beside")


class Notes:
    """Entries other than events; `waiting`: those to be written. A failed append loses none."""

    __slots__ = ("_in_flight", "waiting")

    def __init__(self) -> None:
        self.waiting: list[Entry] = []
        self._in_flight: Sequence[Entry] = ()

    def add(self, entries: Iterable[Entry]) -> None:
        self.waiting += entries

    def take(self) -> Sequence[Entry]:
        """The entries to write now; then call `kept` or `not_kept`."""
        if self.waiting:
            self._in_flight, self.waiting = tuple(self.waiting), []
        return self._in_flight

    def kept(self) -> Sequence[Entry]:
        """The entries that are durable now."""
        done, self._in_flight = self._in_flight, ()
        return done

    def not_kept(self) -> None:
        self.waiting, self._in_flight = [*self._in_flight, *self.waiting], ()


def beside(drafts: Sequence[Draft], records: Sequence[Record]) -> list[Entry]:
    """What is kept with the events of these drafts, which became these records."""
    if not any(map(_beside_of, drafts)):
        return []
    return [
        entry
        for draft, record in zip(drafts, records, strict=True)
        if draft.beside is not None
        for entry in draft.beside.entries(record)
    ]
