"""The journal's interface, and the guarantees that every backend gives (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Never, Protocol, TypeVar

import attrs

from greenroom.delivery.events.ban import Ban
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
    FailureCause,
    Mark,
    OpenRun,
    Page,
    Record,
    Said,
    ThreadSummary,
)
from greenroom.delivery.journal.paging import PAGE_BYTES
from greenroom.delivery.journal.retention.cutoffs import Cutoffs, Swept, SweptTo
from greenroom.delivery.journal.undelivered import OverdueUsers, Reached, SearchedTo

if TYPE_CHECKING:
    from greenroom.actors.ref import Ref
    from greenroom.actors.reply import Reply
    from greenroom.delivery.journal.nodes import Nodes
    from greenroom.delivery.journal.reads import Question
    from greenroom.delivery.observer import Observer

R = TypeVar("R")

MOST_REPORTS: Final = 1_000
"""The maximum number of sessions, or of attempts, reported for one event."""


@attrs.frozen
class JournalStatistics:
    """Counted since the journal was opened; `waiting` counts calls, not entries.

    `bytes` is the journal's present size: its files on disk, or the bodies in memory. `free_bytes`:
    those of its file's pages that are free to be used again. `oldest_at`: when the oldest event was
    accepted, in ms since the Unix epoch; None if there is none. Both may be a second old.
    `trouble`: why the journal cannot be written now, in words for the public; empty if it can.
    """

    appends: int
    entries: int
    failures: int
    waiting: int
    bytes: int
    trouble: str = ""
    free_bytes: int = 0
    oldest_at: int | None = None


class Journal(Protocol):
    """Where events, cursors and marks are kept. Any task of one trio run may call it.

    Every method raises `JournalClosed` after `aclose`, or another `JournalError` when the
    storage fails; a failed call leaves the journal as it was. A limit below 1 raises
    `ValueError`, an id of the wrong kind in an entry raises `BadId`.
    """

    @property
    def epoch(self) -> str:
        """A token generated with the journal. Offsets of different epochs are unrelated."""
        ...

    def append_soon(self, entries: Sequence[Entry]) -> Reply[None]:
        """Begin to keep all of the entries or none. Never waits; raises nothing.

        The reply is set when these entries and the caller's earlier ones are durable; so an append
        without entries waits for the earlier ones. Its error is the one of this caller's entries,
        whatever is committed together with them: `AlreadySaid` if a key of an `Unsaid` was said
        before, `OutOfSequence` if a record does not continue its user's last one, `JournalFull` if
        the disk is full, `JournalBusy` if too many appends wait.
        """
        ...

    async def append(self, entries: Sequence[Entry]) -> None:
        """As `append_soon`; when this returns, the entries are durable. Waits for room if too many
        calls wait. A cancelled caller stops waiting; its entries may still be kept."""
        ...

    def ask(
        self,
        question: Question[R],
        *,
        whose: Hashable = None,
        asker: Ref[Never] | None = None,
    ) -> Reply[R]:
        """Ask a question. Never waits; what the question raises is the reply's error.

        The answer sees all that was durable when it was asked, in one consistent state. Askers
        (`whose`) take turns: one's long question, or many, make no other wait. More than 1,000 of
        one asker that wait are refused with `MailboxFull`. A question whose `asker` has ended by
        its turn is dropped, and so is one whose waiter was cancelled.
        """
        ...

    def report_to(self, observer: Observer) -> None:
        """Tell the observer of each commit and each answer from now on."""
        ...

    async def bounds(self, user: UserId) -> Bounds:
        """The user's first and last offset."""
        ...

    async def read(self, user: UserId, *, after: int, limit: int, max_bytes: int) -> list[Record]:
        """Records past `after`, ascending: as many as fit both limits, but at least one."""
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
        """The last records before offset `before` (None: the end), of one thread or of all: as
        many as fit both limits, but at least one if there are any."""
        ...

    async def said(self, user: UserId, say: str) -> Said | None:
        """The run that the first `user_said` with this key started; None if trimmed or new."""
        ...

    async def open_runs(self, user: UserId) -> list[OpenRun]:
        """Runs that have begun and not ended, oldest first; `trim` does not forget them.

        A run begins with `user_said` or `agent_started`, and ends with `agent_completed` or
        `agent_failed`.
        """
        ...

    async def cursor(self, user: UserId, session: SessionId) -> Cursor | None:
        """The session's cursor; None for an unknown session."""
        ...

    async def event_at(self, user: UserId, offset: int) -> EventId | None:
        """The id of the event at this offset; None if there is no event or it is trimmed."""
        ...

    async def agrees_through(self, user: UserId, *, offset: int, event: EventId) -> int:
        """The offset through which the user's log is the one in which `event` had `offset`.

        See `agreed_through`.
        """
        ...

    async def sent_to(
        self, user: UserId, offset: int, *, limit: int = MOST_REPORTS
    ) -> list[Cursor]:
        """The cursors of at most `limit` sessions that were sent this offset, sorted by session.
        If there are more, sessions that received it are preferred."""
        ...

    async def received_through(self, user: UserId, after: int) -> int:
        """The furthest offset such that every event past `after` was received by some session;
        `after` itself if the next event was not."""
        ...

    async def reached(self, user: UserId, *, after: int, limit: int) -> list[Reached]:
        """The stages of at most `limit` events past `after`, ascending."""
        ...

    async def find(self, event: EventId) -> Record | None:
        """The record of the event; None if trimmed or unknown."""
        ...

    async def marks(self, user: UserId, *, after: int, limit: int) -> list[Mark]:
        """Marks on records past `after`, sorted by offset, session and stage.

        Ends with the offset that reaches `limit`. The marks of an offset are never split: to read
        on, pass the last offset returned.
        """
        ...

    async def attempts(
        self, user: UserId, first: int, last: int | None = None, *, limit: int = MOST_REPORTS
    ) -> list[Attempt]:
        """The first `limit` redeliveries of these offsets (or of `first` alone), in the order they
        were appended; forgotten once the offsets are settled."""
        ...

    async def settled(self, user: UserId) -> Mapping[EventClass, int]:
        """For each class, the offset through which events have their outcome; 0 if none has."""
        ...

    async def overdue(
        self, event_class: EventClass, *, before: int, after: SearchedTo | None = None, limit: int
    ) -> OverdueUsers:
        """Users with an event of the class that has no outcome and has been deliverable since
        before `before` (ms), longest waiting first. `after`: where an earlier call ended.

        Users whose event lies in the future, because a clock was set back, come last. Examines at
        most `limit` users, and may return fewer. May include a user whose oldest event without an
        outcome is of another class; settling finds that out.
        """
        ...

    async def alive(self, now: int, *, after: int) -> None:
        """Note that a server is at work at `now` (ms, wall clock), after `after` ms of work since
        the previous call (0 at its start).

        Any difference between the clock and the work is a pause. No client could receive the kept
        events in a pause, so it does not count towards their time to live.
        """
        ...

    async def dead_letters(
        self, *, user: UserId | None = None, after: EventId | None = None, limit: int
    ) -> list[DeadLetter]:
        """Dead letters past `after`, of one user or all, sorted by event id and so by age."""
        ...

    async def dead_letter(self, event: EventId) -> DeadLetter | None:
        """The dead letter of this event; None if there is none."""
        ...

    async def bans(self, *, after: UserId | None = None, limit: int) -> list[Ban]:
        """The newest ban of each user past `after`, sorted by user. One that was over when another
        was kept is forgotten."""

    async def policies_due(self, *, before: int, limit: int) -> list[UserId]:
        """The users of the `limit` policies of runs whose next outcome has been due longest, and
        before `before` (ms), longest due first."""
        ...

    async def cause(self, event: EventId) -> FailureCause | None:
        """Why this event says that something failed; None if it is not kept, or no longer. The
        newest `CAUSES_KEPT` are."""
        ...

    async def drop_dead_letter(self, event: EventId) -> bool:
        """Forget a dead letter; False if there is none."""
        ...

    async def threads(self, user: UserId) -> list[ThreadSummary]:
        """The user's threads, sorted by their first kept record."""
        ...

    def change_thread_soon(
        self,
        user: UserId,
        thread: ThreadId,
        *,
        title: str | None = None,
        archived: bool | None = None,
    ) -> Reply[bool]:
        """Begin to set a thread's title, archive it or take it back. Never waits; raises nothing.
        The answer is False for an unknown thread."""
        ...

    def erase_thread_soon(self, user: UserId, thread: ThreadId, *, through: int) -> Reply[bool]:
        """Begin to erase a thread's events through an offset, with their marks and dead letters.

        What was there is a `superseded` with the same offset, id and time. Never waits; raises
        nothing. A step at a time: call it again while the answer is True. The thread's runs must
        have ended, and the user's appends must have been answered.
        """
        ...

    def erase_user_soon(self, user: UserId) -> Reply[bool]:
        """Begin to erase all that is kept of a user. Never waits; raises nothing.

        A step at a time: call it again while the answer is True. The user's next event has the
        offset 1.
        """
        ...

    async def trim(self, user: UserId, *, through: int) -> int:
        """Forget records, marks and dead letters through an offset, and return the number of
        forgotten records. Numbering goes on."""
        ...

    async def sweep(self, cutoffs: Cutoffs, place: SweptTo) -> Swept:
        """One short step of retention: forget some of what is due from `place` on.

        It never delays an append that is due. Only events that have their outcome go, and none of a
        run that has not ended, each user's from the first on; of sessions, those that were sent
        nothing without an outcome. A step cannot be lost halfway; one that returned may be undone
        by a power cut, and is done again by the next pass.
        """
        ...

    @property
    def nodes(self) -> Nodes | None:
        """The servers that share the journal; None if it has one writer."""
        ...

    @property
    def is_appending(self) -> bool:
        """Whether an append is not yet durable. An append without entries waits for it."""
        ...

    @property
    def trouble(self) -> str:
        """As in `statistics`, but cheap enough for every connection."""
        ...

    def statistics(self) -> JournalStatistics:
        """The journal's statistics; never waits."""
        ...

    async def aclose(self) -> None:
        """Finish the accepted calls and close. May be called again."""
        ...


def agreed_through(
    offset: int, event: EventId, bounds: Bounds, event_at: Callable[[int], EventId]
) -> int:
    """The offset through which a log is the one in which `event` had `offset`; at most `offset`.

    A journal restored from a backup assigns offsets again. Events that it kept afterwards are
    younger than every event that a client saw before, and ids sort by birth: the logs are
    therefore the same through every event older than `event`. A trimmed offset is unknown.
    """
    first = max(1, bounds.first)
    if offset < first or (offset <= bounds.last and event_at(offset) == event):
        return offset
    suspects = range(first, min(offset - 1, bounds.last) + 1)
    return first - 1 + bisect_left(suspects, event, key=event_at)


def within(max_bytes: int, records: Iterable[Record]) -> Iterator[Record]:
    """The first records whose bodies fit in `max_bytes` together, but at least one."""
    size = 0
    for number, record in enumerate(records):
        size += len(record.body)
        if number and size > max_bytes:
            return
        yield record
