"""The causes of failures that a journal in memory keeps (pure)."""

from __future__ import annotations

from collections.abc import Set

from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.record import CAUSES_KEPT, FailureCause


class CausesKept:
    """The newest causes, by the event that tells of each."""

    def __init__(self) -> None:
        self._causes: dict[EventId, FailureCause] = {}

    def find(self, event: EventId) -> FailureCause | None:
        return self._causes.get(event)

    def keep(self, cause: FailureCause) -> None:
        self._causes[cause.event] = cause
        if len(self._causes) > CAUSES_KEPT:
            del self._causes[next(iter(self._causes))]

    def erase(self, user: UserId, runs: Set[RunId] | None) -> None:
        """Forget the causes of the user's runs: of some, or of all."""
        for event, cause in list(self._causes.items()):
            if cause.user == user and (runs is None or cause.run in runs):
                del self._causes[event]
