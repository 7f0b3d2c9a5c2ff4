"""What is known of an event that a user perhaps did not see: by the journal, and by a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from greenroom.delivery.errors import UnknownEvent, UnknownUser
from greenroom.delivery.events.ids import (
    BadId,
    EventId,
    RunId,
    UserId,
    named,
    type_of,
)
from greenroom.delivery.events.kinds import Event, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.events.threads import ERASED_THREAD
from greenroom.delivery.history.timeline import EventReports, Moment, timeline
from greenroom.delivery.journal.paging import PAGE_BYTES
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.outbox.feed import ConnectionStanding
from greenroom.delivery.user.past_connections import PastConnection

LOOKED_THROUGH: Final = 100
"""The newest events of a user, and reports on one event, that are looked through."""

Subject: TypeAlias = EventId | RunId | UserId


def subject_of(text: str) -> Subject:
    """What an operator asks about: an event (a reference is its id), a run or a user. Raises
    `BadId` for other ids, for what is no id, and for those of what was erased."""
    kind = type_of(text)
    if kind is EventId or kind is RunId:
        return named(kind.parse(text))
    if kind is not None:
        raise BadId("event, run or user", kind.kind, text)
    return UserId.parse(text)


@attrs.frozen
class UserCrash:
    """A crash of one of the user's actors: its report's id, and the error in one line. `at` in
    seconds since the Unix epoch."""

    id: str
    at: float
    path: str
    summary: str


@attrs.frozen
class LiveUser:
    """What a running server knows of a user now.

    `unready`: connections that are not ready yet. `past`: how the latest ended, oldest first.
    `banned_until`: in seconds since the Unix epoch. `trouble`: why the journal cannot be written;
    empty if it can.
    """

    connections: tuple[ConnectionStanding, ...] = ()
    unready: int = 0
    past: tuple[PastConnection, ...] = ()
    banned_until: float | None = None
    crashes: tuple[UserCrash, ...] = ()
    trouble: str = ""


@attrs.frozen
class EventEvidence:
    """`chosen`: which event is explained; `last`: the last event of its run; `is_open`: the run
    goes on. `is_erased`: only the event's place is left. `was_received`: by some session, perhaps
    one that is forgotten. `now` in ms since the Unix epoch. `live` is None where no server was
    asked."""

    subject: Subject
    user: UserId
    moment: Moment
    chosen: str
    last: Event
    is_open: bool
    is_erased: bool
    was_received: bool
    now: int
    live: LiveUser | None = None

    @property
    def event(self) -> Event:
        return self.moment.event

    @property
    def is_of_event(self) -> bool:
        """Whether it was asked about one event."""
        return isinstance(self.subject, EventId)


@attrs.frozen
class ReadEventEvidence(Question[EventEvidence]):
    """What a journal knows of an event. Asked about a run or a user, it is the first event for the
    user, of the run or of the user's newest one, that no session received, otherwise the newest.

    Raises `UnknownEvent` for an event or a run that it does not have, and `UnknownUser`.
    """

    subject: Subject
    now: int

    def answer(self, reads: Reads) -> EventEvidence:
        record, chosen = self._record(reads)
        last = _last_of_run(record, reads)
        return EventEvidence(
            self.subject,
            record.user,
            _moment(record, reads),
            chosen,
            Event.decode(last.body),
            any(each.run == record.run for each in reads.open_runs(record.user)),
            record.thread == ERASED_THREAD,
            reads.received_through(record.user, record.offset - 1) >= record.offset,
            self.now,
        )

    def _record(self, reads: Reads) -> tuple[Record, str]:
        """The event, and the words for which one it is."""
        subject = self.subject
        if isinstance(subject, EventId):
            if (record := reads.find(subject)) is None:
                raise UnknownEvent(
                    f"there is no event {subject}", advice="it may have been trimmed or erased"
                )
            return record, "the event that was asked about"
        if isinstance(subject, RunId):
            if (record := reads.runs.first(subject)) is None:
                raise UnknownEvent(
                    f"there is no event of {subject}",
                    advice="it may have been trimmed or erased: ask about its user",
                )
            return _choice(reads, _of_run(_page(reads, record.user), subject) or [record])
        if page := _page(reads, subject):
            return _choice(reads, _of_run(page, page[-1].parent or page[-1].run))
        return _place_of_erased(reads, subject), "the last event of the user"


def _page(reads: Reads, user: UserId) -> list[Record]:
    return list(reads.history(user, None, None, LOOKED_THROUGH, PAGE_BYTES).records)


def _of_run(records: Sequence[Record], run: RunId) -> list[Record]:
    """Those of a run and its sub-runs that are for the user; if there are none, what the user
    said."""
    mine = [each for each in records if run in (each.run, each.parent)]
    return [each for each in mine if each.kind is not Kind.USER_SAID] or mine


def _choice(reads: Reads, records: Sequence[Record]) -> tuple[Record, str]:
    first, newest = records[0], records[-1]
    received = reads.received_through(first.user, first.offset - 1)
    for record in records:
        if record.offset > received:
            return record, f"the first event of {record.run} that no tab received"
    return newest, f"the newest event of {newest.run}"


def _place_of_erased(reads: Reads, user: UserId) -> Record:
    """What is left of the last event of a user whose threads were all erased."""
    last = reads.bounds(user).last
    for record in reads.read(user, last - 1, 1, PAGE_BYTES):
        return record
    raise UnknownUser(f"nothing is kept of {user}", advice="check the user's id")


def _last_of_run(record: Record, reads: Reads) -> Record:
    of_run = [each for each in _page(reads, record.user) if each.run == record.run]
    return (of_run or [record])[-1]


def _moment(record: Record, reads: Reads) -> Moment:
    user, offset = record.user, record.offset
    letter = reads.dead_letter(record.id)
    marks = reads.marks(user, offset - 1, LOOKED_THROUGH)
    reports = EventReports(
        reads.sent_to(user, offset, LOOKED_THROUGH),
        [mark for mark in marks if mark.offset == offset],
        reads.attempts(user, offset, offset, LOOKED_THROUGH),
        [] if letter is None else [letter],
    )
    return timeline(record.run, [record], reports).moments[0]


def of_kind(event: Event) -> str:
    """The kind of an event, with the tool's name where it is of one."""
    data: Mapping[str, object] = event.data
    name = data.get("tool_name")
    return f"{event.kind} {name}" if isinstance(name, str) else str(event.kind)
