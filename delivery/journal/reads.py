"""Questions to a journal: what may be read, and reads that have a name (pure).

A question is an object of its own class, so that logs, tests and a debugger can say what is asked.
It is answered in one piece, from one state of the journal, beside other users' questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Generic, Protocol, TypeVar, cast

import attrs

from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.exported import ExportPiece, ExportPlace
from greenroom.delivery.events.going_on import GoingOn
from greenroom.delivery.events.ids import AskId, EventId, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import RunPolicy
from greenroom.delivery.events.record import (
    Attempt,
    Bounds,
    Cursor,
    DeadLetter,
    FailureCause,
    KeptCrash,
    Mark,
    OpenRun,
    Page,
    Record,
    Said,
    ThreadSummary,
)
from greenroom.delivery.events.threads import MOST_THREADS, Thread, ThreadsPage
from greenroom.delivery.files.entries import KeptFile, PendingFiles
from greenroom.delivery.journal.node import Node, NoticePage
from greenroom.delivery.journal.paging import PAGE_BYTES, check_limit
from greenroom.delivery.journal.undelivered import OverdueUsers, Reached, SearchedTo

R = TypeVar("R")


class RunReads(Protocol):
    """What may be read of open runs."""

    def going_on(self, user: UserId) -> list[GoingOn]:
        """The user's open runs that go on, oldest first."""
        ...

    def users_going_on(self, after: UserId | None, limit: int) -> list[UserId]:
        """At most `limit` users past `after` with runs that go on, sorted."""
        ...

    def elsewhere(self, user: UserId) -> Set[RunId]:
        """The user's open runs that other nodes have."""
        ...

    def step_result(self, user: UserId, run: RunId, key: str) -> str | None:
        """The result, as JSON, that the open run has for the step; None if it has none."""
        ...

    def step_results(self, user: UserId, run: RunId) -> int:
        """How many results the open run has."""
        ...

    def first(self, run: RunId) -> Record | None:
        """The run's first event that is kept, if that was born within a minute of the run."""
        ...


class ThreadReads(Protocol):
    """What may be read of a user's threads."""

    def page(
        self, user: UserId, before: int | ThreadId | None, limit: int, *, archived: bool
    ) -> ThreadsPage:
        """At most `limit` of the threads that are archived, or of those that are not, the most
        recently used first: those after the thread `before`, or last used before that time (ms).
        Raises `UnknownThread` for a thread that does not exist."""
        ...

    def find(self, user: UserId, thread: ThreadId) -> Thread | None:
        """The thread; None if it is unknown or erased."""
        ...

    def owner(self, thread: ThreadId) -> UserId | None:
        """Whose thread it is, if an event of that user which is kept was born within a minute of
        the thread."""
        ...


class UserReads(Protocol):
    """What may be read of users, whoever they are."""

    def page(self, begins: str, after: UserId | None, limit: int) -> Sequence[UserId]:
        """At most `limit` users past `after` whose id begins so, sorted: those who have, or had, an
        event or a session."""
        ...

    def sessions(self, user: UserId, limit: int) -> Sequence[Cursor]:
        """At most `limit` of the user's sessions, those that were heard of last first."""
        ...


class AskReads(Protocol):
    """What may be read of questions to users."""

    def opened(self, user: UserId) -> list[Record]:
        """The `input_requested` of each question without an end, oldest first, unless trimmed."""
        ...

    def end(self, user: UserId, ask: AskId) -> Record | None:
        """The first `input_answered` or `input_closed` of a question; None if it is open, unknown,
        or ended in a record that was trimmed."""
        ...


class CrashReads(Protocol):
    """What may be read of crashes of this process and earlier ones."""

    def all(self) -> list[KeptCrash]:
        """The crashes that are kept, oldest first, with an empty `report`."""
        ...

    def find(self, crash: str) -> KeptCrash | None:
        """The crash with this id; None if it is not kept, or no longer."""
        ...


class FileReads(Protocol):
    """What may be read of files that users send."""

    def find(self, user: UserId, file: str) -> KeptFile | None:
        """How much of a file is kept; None if nothing is."""
        ...

    def waiting(self, user: UserId, since: int, but: str) -> PendingFiles:
        """The user's files without a message that had a part at `since` (ms) or later; all but
        one."""
        ...

    def part(self, user: UserId, file: str, start: int) -> bytes:
        """The part that begins at `start`; nothing if there is none."""
        ...


class Reads(Protocol):
    """What a question may read. Each method answers as the one of `Journal` with its name.

    Limits are those of `Journal`; a question checks them.
    """

    def bounds(self, user: UserId) -> Bounds: ...

    def read(self, user: UserId, after: int, limit: int, max_bytes: int) -> list[Record]: ...

    def history(
        self,
        user: UserId,
        thread: ThreadId | None,
        before: int | None,
        limit: int,
        max_bytes: int = PAGE_BYTES,
    ) -> Page: ...

    def said(self, user: UserId, say: str) -> Said | None: ...

    def open_runs(self, user: UserId) -> list[OpenRun]: ...

    @property
    def runs(self) -> RunReads: ...

    @property
    def asks(self) -> AskReads: ...

    @property
    def files(self) -> FileReads: ...

    def cursor(self, user: UserId, session: SessionId) -> Cursor | None: ...

    def event_at(self, user: UserId, offset: int) -> EventId | None: ...

    def agrees_through(self, user: UserId, offset: int, event: EventId) -> int: ...

    def sent_to(self, user: UserId, offset: int, limit: int) -> list[Cursor]: ...

    def received_through(self, user: UserId, after: int) -> int: ...

    def reached(self, user: UserId, after: int, limit: int) -> list[Reached]: ...

    def find(self, event: EventId) -> Record | None: ...

    def marks(self, user: UserId, after: int, limit: int) -> list[Mark]: ...

    def attempts(self, user: UserId, first: int, last: int, limit: int) -> list[Attempt]: ...

    def settled(self, user: UserId) -> Mapping[EventClass, int]: ...

    def overdue(
        self, event_class: EventClass, before: int, after: SearchedTo | None, limit: int
    ) -> OverdueUsers: ...

    def dead_letters(
        self, user: UserId | None, after: EventId | None, limit: int
    ) -> list[DeadLetter]: ...

    def dead_letter(self, event: EventId) -> DeadLetter | None: ...

    def bans(self, after: UserId | None, limit: int) -> list[Ban]: ...
    def run_policies(self, user: UserId) -> list[RunPolicy]:
        """The policies of the user's runs that have not all of their outcomes."""

    def policies_due(self, before: int, limit: int) -> list[UserId]: ...

    def cause(self, event: EventId) -> FailureCause | None: ...

    @property
    def crashes(self) -> CrashReads: ...

    def threads(self, user: UserId) -> list[ThreadSummary]: ...

    def keeps_user(self, user: UserId) -> bool:
        """Whether there is any row of the user."""

    def user_rows(self, user: UserId, place: ExportPlace | None) -> ExportPiece:
        """All rows of the user, a piece at a time; `place`: where the last piece ended."""
        ...

    def lasts(self, users: Sequence[UserId]) -> Mapping[UserId, int]:
        """The last offset of each of these users."""
        ...

    def nodes(self) -> list[Node]:
        """The nodes that share the journal, oldest first; none if it has one writer."""
        ...

    def notices(self, place: object, limit: int) -> NoticePage:
        """The notices of other nodes since `place`, each once; none if there is one writer."""
        ...

    @property
    def thread_list(self) -> ThreadReads: ...

    @property
    def user_list(self) -> UserReads: ...


class Question(Generic[R]):
    """Derive a frozen attrs class from it, with what it must know as fields.

    Keep it short: a few reads, each bounded in count and bytes; split a longer one into pieces.
    """

    def answer(self, reads: Reads) -> R:
        """Answer from the journal, perhaps in another thread. What it raises, its asker raises."""
        raise NotImplementedError


@attrs.frozen
class Read(Question[R]):
    """A question that is one method of `Reads`, by its name."""

    method: Callable[..., R]
    values: Sequence[object]
    named: Mapping[str, object]

    def answer(self, reads: Reads) -> R:
        return cast(R, getattr(reads, self.method.__name__)(*self.values, **self.named))


@attrs.frozen
class ReadPast(Question[list[Record]]):
    """The user's records past an offset, for a connection."""

    user: UserId
    after: int
    limit: int
    max_bytes: int

    def answer(self, reads: Reads) -> list[Record]:
        return reads.read(self.user, self.after, self.limit, self.max_bytes)


@attrs.frozen
class ReadHistory(Question[Page]):
    """A page of a user's history, of one thread or of all. A limit below 1 raises `ValueError`."""

    user: UserId
    thread: ThreadId | None
    before: int | None
    limit: int

    def answer(self, reads: Reads) -> Page:
        check_limit(self.limit)
        return reads.history(self.user, self.thread, self.before, self.limit)


@attrs.frozen
class ReadSaid(Question[Said | None]):
    """What the first message with this key started."""

    user: UserId
    say: str

    def answer(self, reads: Reads) -> Said | None:
        return reads.said(self.user, self.say)


@attrs.frozen
class ReadThreads(Question[ThreadsPage]):
    """A page of a user's threads. A limit below 1 or above 100 raises `ValueError`."""

    user: UserId
    before: int | ThreadId | None
    limit: int
    archived: bool

    def answer(self, reads: Reads) -> ThreadsPage:
        check_limit(self.limit)
        if self.limit > MOST_THREADS:
            raise ValueError(f"`limit` must be {MOST_THREADS} or less, not {self.limit}")
        user, before, limit = self.user, self.before, self.limit
        return reads.thread_list.page(user, before, limit, archived=self.archived)


@attrs.frozen
class ReadThread(Question[Thread | None]):
    """A thread; None if it is unknown or erased."""

    user: UserId
    thread: ThreadId

    def answer(self, reads: Reads) -> Thread | None:
        return reads.thread_list.find(self.user, self.thread)


@attrs.frozen
class ReadThreadOwner(Question[UserId | None]):
    """Whose thread it is; None if it is unknown or erased, or began long after its id was made."""

    thread: ThreadId

    def answer(self, reads: Reads) -> UserId | None:
        return reads.thread_list.owner(self.thread)


@attrs.frozen
class ReadOpenAsks(Question[list[Record]]):
    """The open questions to a user."""

    user: UserId

    def answer(self, reads: Reads) -> list[Record]:
        return reads.asks.opened(self.user)


@attrs.frozen
class ReadAskEnd(Question[Record | None]):
    """How a question ended; None if it is open or unknown."""

    user: UserId
    ask: AskId

    def answer(self, reads: Reads) -> Record | None:
        return reads.asks.end(self.user, self.ask)
