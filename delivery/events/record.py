"""The entries of a journal: records of events and of their delivery (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final, Literal, TypeAlias, cast

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.going_on import GoesOn, NotAgain, StepResult
from greenroom.delivery.events.ids import (
    ConnectionId,
    EventId,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import JSON, TERMINAL, EventClass, Kind
from greenroom.delivery.events.nodes.notice import Notice
from greenroom.delivery.events.policy import RunPolicy, RunSettled
from greenroom.delivery.files.entries import FileEntry

RUN_OPENS: Final = frozenset({Kind.USER_SAID, Kind.AGENT_STARTED})


RUN_ENDS: Final = TERMINAL

RUN_TURNS: Final = RUN_OPENS | RUN_ENDS
"""Events of all other kinds change nothing about which runs are open."""


@attrs.define(unsafe_hash=True)  # not frozen: that doubles what one costs
class Record:
    """An event as the journal keeps it. `body` is the event's JSON, sent to clients unchanged.
    Nothing changes one: many hold the same.

    Offsets count from 1 for each user, without gaps. `at` is in milliseconds since the epoch.
    `say` is an idempotency key: a client's, of its `user_said`; or a service's, of an event.
    """

    user: UserId
    offset: int
    id: EventId
    kind: Kind
    event_class: EventClass
    thread: ThreadId
    run: RunId
    parent: RunId | None
    request: RequestId
    at: int
    say: str | None
    body: bytes = attrs.field(metadata=SECRET)


body_of: Final = cast("Callable[[Record], bytes]", attrgetter("body"))


def size_of(records: Sequence[Record]) -> int:
    """The bytes of the bodies of these records."""
    if len(records) == 1:  # nearly always
        return len(records[0].body)
    return sum(map(len, map(body_of, records)))


@attrs.define(unsafe_hash=True)  # not frozen, as `Record`
class Cursor:
    """A session was sent the events past `start` through `sent`, and received those through
    `offset`. A cursor never goes back; a cursor that starts past the known `sent` replaces it.
    """

    user: UserId
    session: SessionId
    start: int
    offset: int
    sent: int
    at: int

    def after(self, known: Cursor | None) -> Cursor:
        """The cursor to keep when this one follows its session's `known` cursor."""
        if known is None or self.start > known.sent or self._covers(known):
            return self
        return Cursor(
            self.user,
            self.session,
            min(self.start, known.start),
            max(self.offset, known.offset),
            max(self.sent, known.sent),
            self.at,
        )

    def _covers(self, known: Cursor) -> bool:
        ahead = self.offset >= known.offset and self.sent >= known.sent
        return ahead and self.start <= known.start


@attrs.frozen
class Mark:
    """A session has displayed or confirmed a record. A later mark of the stage replaces it."""

    user: UserId
    session: SessionId
    offset: int
    stage: Literal["displayed", "confirmed"]
    verdict: JSON = attrs.field(metadata=SECRET)
    note: str | None = attrs.field(metadata=SECRET)
    at: int


@attrs.frozen
class Attempt:
    """A session was sent everything past `after` through `through` for the `number`-th time."""

    user: UserId
    session: SessionId
    connection: ConnectionId
    after: int
    through: int
    number: int
    at: int


@attrs.frozen
class DeadLetter:
    """An event that no client received in time, and each attempt to deliver it.

    A later letter for the same event replaces it. `at`: when delivery was given up, in ms since
    the epoch.
    """

    user: UserId
    offset: int
    event: EventId
    kind: Kind
    outcome: Literal["expired", "dead_lettered"]
    attempts: Sequence[Attempt]
    at: int


@attrs.frozen
class Settled:
    """Every event of the class through this offset has its outcome. It never goes back."""

    user: UserId
    event_class: EventClass
    through: int


@attrs.frozen
class Unsaid:
    """A condition and nothing to keep: the entries are refused if this key was said before."""

    user: UserId
    say: str


CAUSES_KEPT: Final = 5_000
"""The newest causes that a journal keeps."""

TEXT_CHARS, TRACEBACK_CHARS = 2_000, 6_000
"""Characters of a cause's text and, its end, of its traceback."""


@attrs.frozen
class FailureCause:
    """Why `event`, an `agent_failed` or a `tool_completed`, says that something failed.

    For operators: users see the event's id, as a reference. `type` is `module:Class`.
    """

    user: UserId
    event: EventId
    run: RunId
    at: int
    type: str
    text: str = attrs.field(metadata=SECRET)
    traceback: str = attrs.field(metadata=SECRET)


CRASHES_KEPT, CRASH_BYTES = 100, 16 * 1024 * 1024
"""The newest crash reports that a journal keeps: how many, and about how many bytes of them."""


@attrs.frozen
class KeptCrash:
    """A crash report as it is kept for later processes, the newest `CRASHES_KEPT` of them.

    `user`: whose part of the tree crashed, None outside of those. `crash` is the report's id; `at`
    and `began`, when the process `process` started, are in ms. `line` and `report` are JSON.
    """

    user: UserId | None
    crash: str
    at: int
    process: str
    began: int
    line: str = attrs.field(metadata=SECRET)
    report: str = attrs.field(metadata=SECRET)


Entry: TypeAlias = (
    Record
    | Cursor
    | Mark
    | Attempt
    | DeadLetter
    | Settled
    | Unsaid
    | GoesOn
    | NotAgain
    | StepResult
    | FailureCause
    | KeptCrash
    | Ban
    | Notice
    | RunPolicy
    | RunSettled
    | FileEntry
)


def bodies_of(entries: Sequence[Entry]) -> int:
    """The bytes of the bodies of the events among these entries."""
    if len(entries) == 1 and type(event := entries[0]) is Record:  # nearly always
        return len(event.body)
    return sum([len(entry.body) for entry in entries if type(entry) is Record])


@attrs.frozen
class Bounds:
    """The first and last offset of a user's records: (0, 0) if the user never had a record.

    `last` never goes back. When every record is trimmed, `first == last + 1`.
    """

    first: int
    last: int


@attrs.frozen
class Page:
    """Records in ascending order; `more`: there are older records."""

    records: list[Record]
    more: bool


@attrs.frozen
class Said:
    """The run and thread that a `say` started, and the body of its `user_said` record."""

    run: RunId
    thread: ThreadId
    body: bytes = attrs.field(metadata=SECRET)


@attrs.frozen
class OpenRun:
    """A run that began and has not ended."""

    run: RunId
    thread: ThreadId
    parent: RunId | None
    request: RequestId


@attrs.frozen
class ThreadSummary:
    """A thread's kept records: first and last offset, their number, the time of the last (ms)."""

    thread: ThreadId
    first: int
    last: int
    events: int
    at: int
