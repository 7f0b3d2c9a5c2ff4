"""The steps of retention in a journal in memory: a user's events, or all sessions, at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.memory_store import MemoryStore
from greenroom.delivery.journal.retention.cutoffs import (
    Cutoffs,
    SweepTally,
    Swept,
    SweptTo,
    forgettable_through,
)

EVENTS: Final = 256
"""The most events that are forgotten between two looks at the clock."""


class MemorySweeper:
    """Carries out steps of retention; see `SqliteSweeper`."""

    def __init__(self, store: MemoryStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock

    def sweep(self, cutoffs: Cutoffs, place: SweptTo, seconds: float) -> Swept:
        """One step from `place` on, which begins nothing more after `seconds`."""
        began, worked, tally = self._clock(), time.thread_time(), SweepTally()
        goes_on: SweptTo | None = place
        while goes_on is not None and self._clock() - began < seconds:
            goes_on = self._step(cutoffs, goes_on, tally)
        return tally.swept(goes_on, self._clock() - began, time.thread_time() - worked)

    def _step(self, cutoffs: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo | None:
        after = None if place.part == "events" and not cutoffs.forgets_events else place.user
        user = None if after is None else self._store.user_after(after)
        if place.part == "events":
            return (
                SweptTo("sessions") if user is None else self._events(user, cutoffs, place, tally)
            )
        if user is None or cutoffs.sessions_before is None:
            return None
        tally.sessions += self._store.forget_sessions(user, cutoffs.sessions_before)
        return SweptTo("sessions", user)

    def _events(self, user: UserId, cutoffs: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo:
        store = self._store
        oldest = [(each.offset, each.at, each.run) for each in store.oldest(user, EVENTS)]
        through = forgettable_through(
            oldest,
            cutoffs,
            last=store.bounds(user).last,
            settled=min(store.settled(user).values()),
            open_runs={each.run for each in store.open_runs(user)},
        )
        if through:
            tally.trim(user, through, store.trim(user, through))
        all_of_them = len(oldest) == EVENTS and through == oldest[-1][0]
        return place if all_of_them else SweptTo("events", user)
