"""The steps of retention, in SQL: short in rows, bytes and time. Used on the journal's thread."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, TypeAlias, cast

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.journal.retention.cutoffs import (
    Cutoffs,
    Due,
    SweepTally,
    Swept,
    SweptTo,
    forgettable_through,
)
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sql.tables.sessions import SETTLED, forget_sessions
from greenroom.delivery.journal.sql.tables.trims import FORGOTTEN_THROUGH

EVENTS, EVENT_BYTES, SESSIONS = 16, 64 * 1024, 64
"""The most that is forgotten between two looks at the clock."""

MARK_BYTES: Final = 512
"""To forget a mark takes as long as this many bytes of an event."""

_OLDEST_AT: Final = "SELECT at FROM log ORDER BY number LIMIT 1"

_NEXT_USER: Final = "SELECT min(user) FROM log WHERE user > ?"
_OLDEST: Final = f"""
    SELECT "offset", at, run, kind != 'superseded', length(body) + {MARK_BYTES} * (
        SELECT count(*) FROM mark WHERE mark.user = log.user AND mark."offset" = log."offset")
        + (SELECT coalesce(sum(received), 0) FROM file
           WHERE file.user = log.user AND file.run = log.run AND log.kind = 'user_said')
    FROM log WHERE user = ? AND "offset" > ? AND "offset" <= ? ORDER BY "offset" LIMIT {EVENTS}
"""
_NEXT_SESSIONS: Final = f"""
    SELECT user, session, start, "offset", sent, at FROM cursor
    WHERE (user, session) > (?, ?) ORDER BY user, session LIMIT {SESSIONS}
"""

_OldestRow: TypeAlias = tuple[int, int, str, int, int]


class SqlSweeper(ABC):
    """Carries out steps of retention with the connection of the store that writes."""

    def __init__(
        self,
        database: Database,
        store: SqlStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._parts = {
            "events": self._events,
            "progress": self._progress,
            "sessions": self._sessions,
            "space": self._space,
        }

    def sweep(self, cutoffs: Cutoffs, place: SweptTo, seconds: float) -> Swept:
        """One step from `place` on, which begins nothing more after `seconds`."""
        began, worked, tally = self._clock(), time.thread_time(), SweepTally()
        goes_on: SweptTo | None = place
        with self._lightly():
            while goes_on is not None and self._clock() - began < seconds:
                goes_on = self._parts[goes_on.part](cutoffs, goes_on, tally)
        return tally.swept(goes_on, self._clock() - began, time.thread_time() - worked)

    def use(self) -> tuple[int, int | None]:
        """The bytes of free pages in the file, and when the oldest event was accepted (ms)."""
        return 0, cast("int | None", self._value(_OLDEST_AT))

    def _events(self, cutoffs: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo:
        """The oldest events of the next user, as often as there are more to forget."""
        if not cutoffs.limits("events") or (found := self._value(_NEXT_USER, place.user)) is None:
            return SweptTo("progress")
        user = UserId.trusted(str(found))
        due = self._due(user, cutoffs, after=0)
        if due.through and self._store.cut_file(user, (1, due.through)):
            return place
        if due.through:
            self._store.trim(user, due.through)
            tally.trim(user, due.through, due.events)
        return place if due.more else SweptTo("events", user)

    def _progress(self, cutoffs: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo:
        """As `_events`, from the first event on that no pass has looked at."""
        if not cutoffs.limits("progress") or (found := self._value(_NEXT_USER, place.user)) is None:
            return SweptTo("sessions")
        user = UserId.trusted(str(found))
        after = cast(int, self._value(FORGOTTEN_THROUGH, user))
        due = self._due(user, cutoffs.of_progress, after=after)
        if due.through:
            tally.events += self._store.forget_progress(user, due.through)
        return place if due.more else SweptTo("progress", user)

    def _due(self, user: UserId, cutoffs: Cutoffs, *, after: int) -> Due:
        settled = self._settled(user)
        rows = cast("list[_OldestRow]", self._rows(_OLDEST, user, after, settled))
        oldest: list[tuple[int, int, RunId]] = []
        size = 0
        for offset, at, run, _, length in rows:
            size += length
            if oldest and size > EVENT_BYTES:
                break
            oldest.append((offset, at, RunId.trusted(run)))
        if not oldest:
            return Due(0)
        through = forgettable_through(
            oldest,
            cutoffs,
            last=self._store.bounds(user).last,
            settled=settled,
            open_runs={each.run for each in self._store.open_runs(user)},
        )
        whole = sum(is_whole for offset, _, _, is_whole, _ in rows if offset <= through)
        return Due(through, whole, more=through == oldest[-1][0] < settled)

    def _sessions(self, cutoffs: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo:
        before = cutoffs.sessions_before
        if before is None:
            return SweptTo("space")
        rows = cast(
            "list[tuple[str, str, int, int, int, int]]",
            self._rows(_NEXT_SESSIONS, place.user, place.session),
        )
        unseen = [
            (user, session, start, offset)
            for user, session, start, offset, sent, at in rows
            if at < before and max(offset, sent) <= self._settled(user)
        ]
        if unseen:
            forget_sessions(self._database, unseen)
            tally.sessions += len(unseen)
        if len(rows) < SESSIONS:
            return SweptTo("space")
        user, session, *_ = rows[-1]
        return SweptTo("sessions", user, session)

    @abstractmethod
    def _space(self, _: Cutoffs, place: SweptTo, tally: SweepTally) -> SweptTo | None:
        """Give back the room of what was forgotten."""

    @abstractmethod
    def _lightly(self) -> AbstractContextManager[None]:
        """A step need not be durable when it returns."""

    def _settled(self, user: str) -> int:
        return cast(int, self._value(SETTLED, user))

    def _rows(self, sql: str, *values: str | int) -> list[tuple[object, ...]]:
        return cast("list[tuple[object, ...]]", self._database.execute(sql, values).fetchall())

    def _value(self, sql: str, *values: str | int) -> object:
        return self._database.execute(sql, values).get
