"""Clients' reports that events were received, displayed or confirmed.

`Reports` notes them in the outbox or refuses them, `Account` counts them for the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Final, Literal, TypeAlias

from greenroom.actors.reply import Reply
from greenroom.delivery.events.ids import ConnectionId, UserId
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import Mark, Record
from greenroom.delivery.observer import Observer
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.messages import Acked, ConfirmedThere, DisplayedThere
from greenroom.delivery.user.parts import UserParts

Report: TypeAlias = Acked | DisplayedThere | ConfirmedThere
MarkStage: TypeAlias = Literal["displayed", "confirmed"]

_offset_of: Final = attrgetter("offset")
_kind_and_time_of: Final = attrgetter("kind", "at")

UNRECEIVED = 10_000
"""Events of a user, the newest, that are counted when they are first received."""

MARKS = 512
"""Displayed or confirmed events of a user, the newest, that are not counted again."""


class Reports:
    """A part of the user actor. A client reports for its own session, about events it was sent."""

    __slots__ = ("_account", "_outbox", "_parts", "_user")

    def __init__(
        self, user: UserId, parts: UserParts, outbox: Outbox[Reply[Record]], account: Account
    ) -> None:
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._account = account

    def take(self, report: Report) -> str | None:
        """Note a report. Returns the message to the client if the report must be refused."""
        if isinstance(report, Acked):
            return self._ack(report.connection, report.offset)
        match report:
            case DisplayedThere(connection, offsets):
                refused = [
                    self._mark(connection, each, "displayed", None, None) for each in offsets
                ]
                return next(filter(None, refused), None)
            case ConfirmedThere(connection, offset, verdict, note):
                return self._mark(connection, offset, "confirmed", verdict, note)

    def resumed(self, connection: ConnectionId, before: int | None) -> None:
        """By resuming, a session that had received through `before` reports what it has now."""
        session = self._outbox.session_of(connection)
        through = self._outbox.cursor(session) if session else None
        if before is not None and through is not None and through > before:
            self._account.received(before, through, self._parts.now_ms())

    def _ack(self, connection: ConnectionId, offset: int) -> str | None:
        session = self._outbox.session_of(connection)
        before = self._outbox.cursor(session) if session else None
        if self._outbox.ack(connection, offset):
            if before is not None and offset > before:
                self._account.received(before, offset, self._parts.now_ms())
            return None
        self._parts.observer.report_refused("received")
        return f"ack: offset {offset} was not sent; report only events that were sent"

    def _mark(
        self,
        connection: ConnectionId,
        offset: int,
        stage: MarkStage,
        verdict: JSON,
        note: str | None,
    ) -> str | None:
        session = self._outbox.session_of(connection)
        if session is None:
            return None
        mark = Mark(self._user, session, offset, stage, verdict, note, self._parts.now_ms())
        if self._outbox.mark(connection, mark):
            self._account.marked(mark, self._outbox.recall(offset))
            return None
        self._parts.observer.report_refused(stage)
        return f"{stage}: offset {offset} was not sent; report only events that were sent"


class Account:
    """Remembers the kind and time of events until the first session acknowledges them.

    It remembers the newest `UNRECEIVED` events and the newest `MARKS` displayed or confirmed ones;
    older events are not counted. An event that was received by a session of an earlier process and
    is sent again to a new session counts once more.
    """

    __slots__ = ("_marked", "_observer", "_unreceived")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._unreceived: dict[int, tuple[Kind, int]] = {}
        self._marked: dict[tuple[int, str], None] = {}

    def kept(self, records: Sequence[Record]) -> None:
        """These records are durable now."""
        if len(records) == 1:  # nearly always
            record, waiting = records[0], self._unreceived
            waiting[record.offset] = record.kind, record.at
            if len(waiting) > UNRECEIVED:
                self._forget_oldest()
        else:
            self._await(records)
        self._observer.accepted(records)

    def replayed(self, records: Iterable[Record], received: Callable[[int], bool]) -> None:
        """These records were accepted earlier; those with `received(offset)` count already."""
        self._await([record for record in records if not received(record.offset)])

    def received(self, after: int, through: int, now: int) -> None:
        """A session has acknowledged the events after `after` through `through`. `now` in ms."""
        if through == after + 1:  # nearly always
            if event := self._unreceived.pop(through, None):
                self._observer.received(event[0], _seconds(event[1], now), 1)
            return
        got: dict[tuple[Kind, int], int] = {}
        for offset in self._within(after, through):
            event = self._unreceived.pop(offset, None)
            if event is not None:
                got[event] = got.get(event, 0) + 1
        for (kind, at), events in got.items():
            self._observer.received(kind, _seconds(at, now), events)

    def marked(self, mark: Mark, record: Record | None) -> None:
        """A session displayed or confirmed an event; not counted if `record` is None."""
        key = (mark.offset, mark.stage)
        if record is None or key in self._marked:
            return
        if len(self._marked) >= MARKS:
            del self._marked[next(iter(self._marked))]
        self._marked[key] = None
        tell = self._observer.displayed if mark.stage == "displayed" else self._observer.confirmed
        tell(record.kind, _seconds(record.at, mark.at))

    def _within(self, after: int, through: int) -> Iterable[int]:
        if through - after <= len(self._unreceived):
            return range(after + 1, through + 1)
        return [offset for offset in self._unreceived if after < offset <= through]

    def _await(self, records: Sequence[Record]) -> None:
        kinds_and_times = map(_kind_and_time_of, records)
        self._unreceived.update(zip(map(_offset_of, records), kinds_and_times, strict=True))
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        waiting = self._unreceived
        while len(waiting) > UNRECEIVED:
            del waiting[next(iter(waiting))]


def _seconds(since: int, now: int) -> float:
    """The seconds between two times of a wall clock in ms, which may have been set back."""
    return max(0, now - since) / 1000
