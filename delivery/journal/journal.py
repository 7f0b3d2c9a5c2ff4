"""The journal: what is kept, what can be asked of it, and what every backend promises (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

import attrs

from greenroom.delivery.events.ids import (
    EventId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.record import (
    Attempt,
    Bounds,
    Cursor,
    DeadLetter,
    Entry,
    Mark,
    OpenRun,
    Page,
    Record,
    Said,
    ThreadSummary,
)
from greenroom.delivery.journal.undelivered import OverdueUsers, Reached, SearchedTo

PAGE_BYTES: Final = 256 * 1024
"""What a page of history has at most, unless it is told otherwise: as a frame of events."""

MOST_REPORTS: Final = 1_000
"""Sessions, or attempts, that are told of one event."""


@attrs.frozen
class JournalStatistics:
    """Counted since the journal was opened; `waiting` and `peak_waiting` are calls, not entries.

    `bytes` is what the journal takes now: on disk where there is one, else the bodies in memory.
    `trouble`: in words for everybody, why nothing can be written now; empty when it can.
    """

    appends: int
    entries: int
    failures: int
    waiting: int
    peak_waiting: int
    bytes: int
    trouble: str = ""


class Journal(Protocol):
    """Where events, cursors and marks are kept. Any task of one trio run may call it.

    Every method raises `JournalClosed` after `aclose`, or another `JournalError` when the
    storage fails; after a failure the journal is as it was before the call. A limit below 1 is
    a `ValueError`, an id of the wrong kind in an entry a `BadId`.
    """

    @property
    def epoch(self) -> str:
        """A token made once, with the journal: another epoch means other offsets."""
        ...

    async def append(self, entries: Sequence[Entry]) -> None:
        """Keep the entries: all of them, durable when this returns, or none.

        A cancelled caller stops waiting; its entries may still be kept. Raises `OutOfSequence`
        when a record does not continue its user's last one, `JournalFull` without room.
        """
        ...

    async def bounds(self, user: UserId) -> Bounds:
        """The user's first and last offset."""
        ...

    async def read(self, user: UserId, *, after: int, limit: int, max_bytes: int) -> list[Record]:
        """Records past `after`, ascending: as many as fit both limits, and one at least."""
        ...

    async def history(
        self,
        user: UserId,
        *,
        thread: ThreadId | None,
        before: int | None,
        limit: int,
        max_bytes: int = PAGE_BYTES,
    ) -> Page:
        """The last records before offset `before` (None: the end), of a thread or all: as many
        as fit both limits, and one at least where there are any."""
        ...

    async def said(self, user: UserId, say: str) -> Said | None:
        """What the user's first `user_said` with this key started; None when trimmed or new."""
        ...

    async def open_runs(self, user: UserId) -> list[OpenRun]:
        """Runs begun (`user_said`, `agent_started`) and not ended, oldest first; trim keeps them.

        A run ends with `agent_completed` or `agent_failed`.
        """
        ...

    async def cursor(self, user: UserId, session: SessionId) -> Cursor | None:
        """How far the session has got; None for one that never was here."""
        ...

    async def event_at(self, user: UserId, offset: int) -> EventId | None:
        """The id of the event at this offset; None where there is none, or it is trimmed."""
        ...

    async def agrees_through(self, user: UserId, *, offset: int, event: EventId) -> int:
        """How far the user's log is the one in which `event` had `offset`: see `agreed_through`."""
        ...

    async def sent_to(
        self, user: UserId, offset: int, *, limit: int = MOST_REPORTS
    ) -> list[Cursor]:
        """The cursors of `limit` sessions that were sent this offset, by session. Where there
        are more, those that received it come before the others."""
        ...

    async def received_through(self, user: UserId, after: int) -> int:
        """The furthest offset such that all past `after` was received, by one session or another;
        `after` itself if the next one was not."""
        ...

    async def reached(self, user: UserId, *, after: int, limit: int) -> list[Reached]:
        """How far the events past `after` got, ascending: `limit` of them at most."""
        ...

    async def find(self, event: EventId) -> Record | None:
        """The record of this id; None when trimmed or unknown."""
        ...

    async def marks(self, user: UserId, *, after: int, limit: int) -> list[Mark]:
        """Marks on records past `after`, by offset, session and stage.

        Ends with the offset that reaches `limit`: an offset's marks are never split, so a reader
        goes on from the last offset it got.
        """
        ...

    async def attempts(
        self, user: UserId, first: int, last: int | None = None, *, limit: int = MOST_REPORTS
    ) -> list[Attempt]:
        """The first redeliveries of these offsets (or of `first` alone), in the order they were
        kept; gone once settled."""
        ...

    async def settled(self, user: UserId) -> Mapping[EventClass, int]:
        """How far the events of each class have their outcome; 0 where none has."""
        ...

    async def overdue(
        self, event_class: EventClass, *, before: int, after: SearchedTo | None = None, limit: int
    ) -> OverdueUsers:
        """Users with an event of the class that has no outcome and could be delivered since before
        `before` (ms), the longest waiting first. `after`: where an earlier call ended.

        Those whose event is of the future, by a clock that was set back, come last. Looks at
        `limit` users at most, and may find fewer. A user whose oldest event without an
        outcome is of another class may be named, too: settling tells.
        """
        ...

    async def alive(self, now: int, *, after: int) -> None:
        """A server is at work now (ms by its wall clock), `after` ms of work since this was said
        last; 0 as it starts.

        What more has passed by the clock, or less, is a pause: in it nobody could have come for
        what is kept by now, so it does not count towards any event's time to live.
        """
        ...

    async def dead_letters(
        self, *, user: UserId | None = None, after: EventId | None = None, limit: int
    ) -> list[DeadLetter]:
        """Dead letters by event id, so by birth to the ms; past `after`, of one user or all."""
        ...

    async def dead_letter(self, event: EventId) -> DeadLetter | None:
        """The dead letter of this event, if it is one."""
        ...

    async def drop_dead_letter(self, event: EventId) -> bool:
        """Forget a dead letter; False when there is none."""
        ...

    async def threads(self, user: UserId) -> list[ThreadSummary]:
        """The user's threads by their first kept record."""
        ...

    async def trim(self, user: UserId, *, through: int) -> int:
        """Forget records and marks through an offset; how many records went. Numbering goes on."""
        ...

    def statistics(self) -> JournalStatistics:
        """A look from outside; waits for nothing."""
        ...

    async def aclose(self) -> None:
        """Finish what was accepted and close. Doing it again is fine."""
        ...


def agreed_through(
    offset: int, event: EventId, bounds: Bounds, event_at: Callable[[int], EventId]
) -> int:
    """How far a log is the one in which `event` had `offset`; `offset` when it all is.

    A journal restored from a backup gives its offsets out again. What it kept after that is younger
    than what any client had seen before, and ids sort by birth: so the logs are the same through
    every event that is older than `event`. Of an offset that is trimmed nobody knows.
    """
    first = max(1, bounds.first)
    if offset < first or (offset <= bounds.last and event_at(offset) == event):
        return offset
    suspects = range(first, min(offset - 1, bounds.last) + 1)
    return first - 1 + bisect_left(suspects, event, key=event_at)


def check_limit(limit: int) -> None:
    """Raise `ValueError` for a limit below 1."""
    if limit < 1:
        raise ValueError(f"a limit is 1 or more, not {limit}")


def within(max_bytes: int, records: Iterable[Record]) -> Iterator[Record]:
    """The records whose bodies fit in `max_bytes` together, and the first whatever its size."""
    size = 0
    for number, record in enumerate(records):
        size += len(record.body)
        if number and size > max_bytes:
            return
        yield record
