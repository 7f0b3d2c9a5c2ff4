"""What a journal keeps: records of events, and of what became of them (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import attrs

from greenroom.actors.recording.redaction import SECRET
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

RUN_OPENS: Final = frozenset({Kind.USER_SAID, Kind.AGENT_STARTED})


RUN_ENDS: Final = TERMINAL


@attrs.frozen
class Record:
    """An event as it is kept. `body` is the whole event as JSON, sent to the wire unchanged.

    Offsets count from 1 for each user, without gaps. `at` is in milliseconds since the epoch.
    `say` is set on `user_said` alone: the client's idempotency key.
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


@attrs.frozen
class Cursor:
    """A session has received everything past `start` through `offset`, and was sent it through
    `sent`. A cursor never goes back; one that begins past the known one's `sent` takes its place.
    """

    user: UserId
    session: SessionId
    start: int
    offset: int
    sent: int
    at: int

    def after(self, known: Cursor | None) -> Cursor:
        """What is kept when this one follows the `known` one of its session."""
        if known is None or self.start > known.sent:
            return self
        return attrs.evolve(
            self,
            start=min(self.start, known.start),
            offset=max(self.offset, known.offset),
            sent=max(self.sent, known.sent),
        )


@attrs.frozen
class Mark:
    """A session has displayed or confirmed one record. The same mark again replaces it."""

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
    """An event that nobody received in its time, and each attempt to deliver it.

    The same letter again replaces it. `at`: when it was given up, in ms since the epoch.
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
    """Every event of the class through here has its outcome. It never goes back."""

    user: UserId
    event_class: EventClass
    through: int


Entry: TypeAlias = Record | Cursor | Mark | Attempt | DeadLetter | Settled


@attrs.frozen
class Bounds:
    """The offsets a user's records have: (0, 0) when there never was one.

    `last` never goes back. A journal trimmed bare has `first == last + 1`.
    """

    first: int
    last: int


@attrs.frozen
class Page:
    """Records in ascending order; `more` says that older ones are there."""

    records: list[Record]
    more: bool


@attrs.frozen
class Said:
    """The run and thread that a `say` started, and its `user_said` as it is kept."""

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
    """A thread's records still kept: first and last offset, how many, time of the last (ms)."""

    thread: ThreadId
    first: int
    last: int
    events: int
    at: int
