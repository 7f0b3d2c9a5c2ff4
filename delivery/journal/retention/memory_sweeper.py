"""The steps of retention in a journal in memory: a user's events, or all sessions, at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.journal.memory_store import MemoryStore
from greenroom.delivery.journal.retention.cutoffs import (
    Cutoffs,
    Due,
    SweepTally,
    Swept,
    SweptTo,
    forgettable_through,
)

EVENTS: Final = 256
"""The most events that are forgotten between two looks at the clock."""

_FOLLOWING: Final = {
    "events": SweptTo("progress"),
    "progress": SweptTo("sessions"),
    "sessions": None,
    "space": None,
}


class MemorySweeper:
    """Carries out steps of retention; see `SqliteSweeper`."""

    def __init__(self, store: MemoryStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._parts = {
            "events": self._events,
            "progress": self._progress,
            "sessions": self._sessions,
        }

    def sweep(self, cutoffs: Cutoffs, place: SweptTo, seconds: float) -> Swept:
        """One step from `place` on, which begins nothing more after `seconds`."""
        began, worked, tally = self._clock(), time.thread_time(), SweepTally()
        goes_on: SweptTo | None = place
        while goes_on is not None and self._clock() - began < seconds:
            goes_on = self._step(cutoffs, goes_on, tally)
        return tally.swept(goes_on, self._clock() - began, time.thread_time() - worked)

    def _step(self, cutoffs: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo | None:
        part = self._parts.get(place.part)
        user = self._store.user_after(place.user) if part and cutoffs.limits(place.part) else None
        if part is None or user is None:
            return _FOLLOWING[place.part]
        return SweptTo(place.part, user) if part(user, cutoffs, tally) else place

    def _events(self, user: UserId, cutoffs: Cutoffs, tally: SweepTally) -> bool:
        """Whether all that is due of this user has gone."""
        due = self._due(user, cutoffs, after=0)
        if due.through:
            self._store.trim(user, due.through)
            tally.trim(user, due.through, due.events)
        return not due.more

    def _progress(self, user: UserId, cutoffs: Cutoffs, tally: SweepTally) -> bool:
        due = self._due(user, cutoffs.of_progress, after=self._store.forgotten(user))
        if due.through:
            tally.events += self._store.forget_progress(user, due.through)
        return not due.more

    def _sessions(self, user: UserId, cutoffs: Cutoffs, tally: SweepTally) -> bool:
        before = cutoffs.sessions_before or 0
        tally.sessions += self._store.forget_sessions(user, before)
        return True

    def _due(self, user: UserId, cutoffs: Cutoffs, *, after: int) -> Due:
        oldest = self._store.oldest(user, EVENTS, after=after)
        through = forgettable_through(
            [(each.offset, each.at, each.run) for each in oldest],
            cutoffs,
            last=self._store.bounds(user).last,
            settled=min(self._store.settled(user).values()),
            open_runs={each.run for each in self._store.open_runs(user)},
        )
        whole = (each for each in oldest if each.kind is not Kind.SUPERSEDED)
        more = len(oldest) == EVENTS and through == oldest[-1].offset
        return Due(through, sum(each.offset <= through for each in whole), more)
