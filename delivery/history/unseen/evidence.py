"""What is known of an event that a user perhaps did not see: by the journal, and by a server."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from greenroom.delivery.events.ids import EventId, UserId
from greenroom.delivery.events.kinds import Event
from greenroom.delivery.events.record import Record
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.events.threads import ERASED_THREAD
from greenroom.delivery.history.timeline import EventReports, Moment, timeline
from greenroom.delivery.history.unseen.choice import (
    LOOKED_THROUGH,
    Subject,
    chosen_record,
    newest_of,
)
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.outbox.feed import ConnectionStanding
from greenroom.delivery.user.past_connections import PastConnection


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
    def it(self) -> str:
        """The event, as sentences name it."""
        return f"event {self.event.offset} ({self.kind})"

    @property
    def kind(self) -> str:
        return "erased" if self.is_erased else of_kind(self.event)

    @property
    def stage(self) -> ReceiptStage:
        """How far it got. The journal learns only after a while what connections were sent."""
        sent = (
            [each.sent >= self.event.offset for each in self.live.connections] if self.live else []
        )
        return max(self.moment.stage, ReceiptStage.SENT if any(sent) else ReceiptStage.ACCEPTED)

    @property
    def is_of_event(self) -> bool:
        """Whether it was asked about one event."""
        return isinstance(self.subject, EventId)


@attrs.frozen
class ReadEventEvidence(Question[EventEvidence]):
    """What a journal knows of an event. Asked about a run, or a user or thread and so the newest
    run there, it is the first event for the user that no session received, otherwise the newest.

    Raises `UnknownEvent` for an event or a run that it does not have, `UnknownThread`, and
    `UnknownUser`.
    """

    subject: Subject
    now: int

    def answer(self, reads: Reads) -> EventEvidence:
        record, chosen = chosen_record(reads, self.subject)
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


def _last_of_run(record: Record, reads: Reads) -> Record:
    of_run = [each for each in newest_of(reads, record.user) if each.run == record.run]
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
