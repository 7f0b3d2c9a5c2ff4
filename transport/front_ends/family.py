"""A run with its sub-runs, among the other events of its user (pure)."""

from __future__ import annotations

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import TERMINAL, Event, Kind


class Family:
    """Which events are the run's or its sub-runs'. Must see them in order."""

    def __init__(self, run: RunId) -> None:
        self.run = run
        self._runs = {run}

    def has(self, event: Event) -> bool:
        if event.parent in self._runs:
            self._runs.add(event.run)
        return event.run in self._runs and event.kind is not Kind.SUPERSEDED

    def is_end(self, event: Event) -> bool:
        """Whether the run itself ends by it."""
        return event.run == self.run and event.kind in TERMINAL
