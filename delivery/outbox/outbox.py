"""A user's outbox: the one sequence of events, and how far each connection has got in it (pure).

Every connection is a cursor over the user's log. Its next records come from memory when it is near
the end and from the journal when it is behind; so a replay and live events cannot overlap, and
there is no queue per connection to overflow. A connection is handed at most two frames beyond what
it reports as written to its socket.

Offsets are assigned when a batch leaves for the journal, one batch in flight at a time: a batch
that fails returns its offsets, and a connection is only ever handed durable records.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from greenroom.delivery.events.ids import ConnectionId, SessionId, UserId
from greenroom.delivery.events.record import Bounds, Cursor, Entry, Mark, Record, size_of
from greenroom.delivery.events.stages import Standing, furthest
from greenroom.delivery.events.standings import standings
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.delivery.outbox.drafts import Drafts
from greenroom.delivery.outbox.feed import (
    ConnectionStanding,
    Feed,
    GivenUp,
    OutboxCommand,
    OutboxLimits,
    SocketGauge,
    Superseded,
    TooSlow,
)
from greenroom.delivery.outbox.notes import LAZY_SECONDS, Notes, beside
from greenroom.delivery.outbox.pump import Pump
from greenroom.delivery.outbox.redelivery import Circuit, Redelivery
from greenroom.delivery.outbox.resumption import Log, Resumption
from greenroom.delivery.outbox.retries import Retries
from greenroom.delivery.outbox.sessions import Reach, Sessions
from greenroom.delivery.outbox.tail import Tail

T = TypeVar("T")


class Outbox(Drafts[T]):
    """One user's sequence. `T` is the caller's token for a draft, returned with its record."""

    def __init__(
        self,
        user: UserId,
        epoch: str,
        bounds: Bounds,
        limits: OutboxLimits | None = None,
        reach: dict[SessionId, Reach] | None = None,
        *,
        clock: Callable[[], float] = lambda: 0.0,
        observer: Observer = NO_OBSERVER,
    ) -> None:
        """`reach`: left behind by an earlier outbox of the user, if any. `clock` is monotonic, in
        seconds."""
        super().__init__()
        self.user = user
        self.epoch = epoch
        self.first = max(1, bounds.first)
        self.last = bounds.last
        self._limits = limits or OutboxLimits()
        self.tail = self._tail = Tail(self._limits)
        self._feeds: dict[ConnectionId, Feed] = {}
        self._marks_in_flight: Sequence[Mark] = ()
        self._beside_in_flight: Sequence[Entry] = ()
        self._more_in_flight = False  # than events
        self._sessions = Sessions(self._limits.sessions, {} if reach is None else reach, self.last)
        self._notes = Notes()
        self.notes_kept: Sequence[Entry] = ()
        """The entries of `note`, and those beside events, in the last durable batch."""
        self._retries = Retries(user, self._limits, self._sessions, self._notes, clock, observer)
        self._pump = Pump(self._limits, self._tail, self._retries, observer)
        self._marks: dict[tuple[int, SessionId, str], Mark] = {}
        self._clock = clock
        self._lazy_since = -math.inf  # what waits to be written lazily came after this time
        self._cursors_due = -math.inf  # not before this time are cursors written beside events

    # Events in

    def next_append(self, at: int, *, lazily: bool = False) -> Sequence[Entry] | None:
        """The entries to append now; None while a batch is in flight or if there are none.

        Cursors and marks are written with the next events, or alone if `lazily`. `at`: ms.
        """
        user, drafts = self.user, self._waiting
        if self._in_flight is not None or not (drafts or (lazily and self.has_lazy)):
            return None
        records = [
            draft.record(user, offset, at) for offset, draft in enumerate(drafts, self.last + 1)
        ]
        self._in_flight = records
        self._drafts_in_flight, self._waiting = drafts, []
        self._tokens_in_flight, self._tokens = self._tokens, []
        self._beside_in_flight = beside(drafts, records)
        more = lazily or self._marks or self._notes.waiting or self._sessions.has_received
        if not (more or self._beside_in_flight):
            return records
        self._more_in_flight = True
        return [*records, *self._take_lazy(at, lazily=lazily), *self._beside_in_flight]

    def _take_lazy(self, at: int, *, lazily: bool) -> Iterable[Entry]:
        """The cursors, marks and notes that are written now."""
        cursors: Iterable[Cursor] = ()
        if lazily or (self._sessions.has_received and self._clock() >= self._cursors_due):
            self._note_sent()
            cursors = self._sessions.take_cursors(self.user, at, lazily=lazily)
            self._cursors_due = self._clock() + self._limits.cursor_interval
            if not self._sessions.moved:
                self._lazy_since = self._clock()
        if self._marks:
            self._marks_in_flight, self._marks = tuple(self._marks.values()), {}
        return (*cursors, *self._marks_in_flight, *self._notes.take())

    def lazy_due_in(self) -> float | None:
        """The seconds until what waits must be written by itself; None if nothing waits."""
        left = self._lazy_since + LAZY_SECONDS - self._clock()
        return max(0.0, left) if self.has_lazy else None

    def appended(self) -> tuple[Sequence[Record], Sequence[T], list[OutboxCommand]]:
        """The batch in flight is durable: return its records and tokens, and the next commands."""
        records, tokens, self._in_flight = self._in_flight or (), self._tokens_in_flight, None
        self._drafts_in_flight = self._tokens_in_flight = ()
        self.notes_kept = ()
        if self._more_in_flight:
            self._more_in_flight, self._marks_in_flight = False, ()
            self._sessions.kept()
            self.notes_kept = (*self._notes.kept(), *self._beside_in_flight)
        return records, tokens, self.followed(records)

    def append_failed(self) -> list[T]:
        """The batch in flight is lost: return its tokens. Its offsets will be assigned again."""
        lost, self._more_in_flight, self._lazy_since = super().append_failed(), False, -math.inf
        marks, self._marks_in_flight = self._marks_in_flight, ()
        self._marks = {_key(mark): mark for mark in marks} | self._marks
        self._notes.not_kept()
        self._sessions.not_kept()
        return lost

    def followed(self, records: Sequence[Record]) -> list[OutboxCommand]:
        """These durable records continue the log: return the next commands. If another node
        appended them, call it while the outbox holds."""
        before, size = self.last, size_of(records)
        self.last += len(records)
        self._tail.add(records, size)
        commands: list[OutboxCommand] = []
        for feed in tuple(self._feeds.values()):
            if handed := self._pump.forward(feed, before, records, size):
                commands.append(handed)
            elif feed.live and self._pump.falls_behind(feed, before, size):
                self.detach(feed.connection)
                commands.append(TooSlow(feed.connection))
            else:
                commands += self._pump.go_on(feed, self.last)
        return commands

    def trimmed(self, through: int) -> None:
        """The journal has forgotten everything through this offset: to ask for it is too late."""
        self.first = max(self.first, through + 1)

    # Connections

    @property
    def connections(self) -> int:
        return len(self._feeds)

    def look(self) -> tuple[ConnectionStanding, ...]:
        """How far each connection is."""
        feeds, acked = self._feeds.values(), self._sessions.acked
        return tuple(feed.standing(acked(feed.session)) for feed in feeds)

    def full_for(self, session: SessionId | None) -> bool:
        """True if no other connection is allowed, except one that takes over `session`."""
        others = sum(feed.session != session for feed in self._feeds.values())
        return others >= self._limits.connections

    def position(
        self,
        epoch: str | None,
        offset: int | None,
        cursor: int | None,
        session: SessionId | None = None,
        known: Cursor | None = None,
        agreed: int | None = None,
    ) -> Resumption:
        """Where a `hello` resumes: at its epoch and offset, or else at its session's cursor. A
        `session` that claims more than it was sent resumes after what it was sent; `known`: its
        cursor in the journal. `agreed`: the offset through which the client's log equals this one,
        None if unknown; if it is below `offset`, the cursor refers to the common part."""
        log = Log(self.epoch, self.first, self.last)
        if agreed is not None and offset is not None and agreed < offset:
            return log.parted(agreed, cursor)
        claimed = log.claimed(epoch, offset, cursor)
        if claimed is None:
            return Resumption(self.last, recovered=False)
        if session is not None:
            claimed = min(claimed, self._believable(session, known))
        return log.behind(claimed)

    def attach(
        self,
        connection: ConnectionId,
        session: SessionId,
        position: Resumption,
        known: Cursor | None = None,
        gauge: SocketGauge | None = None,
        *,
        noticed: bool = True,
    ) -> list[OutboxCommand]:
        """Start feeding a connection; an older connection of the same session is superseded.

        `known`: the cursor in the journal of a session not remembered here; `noticed`: see `Feed`.
        """
        superseded = [
            Superseded(feed.connection) for feed in self._feeds.values() if feed.session == session
        ]
        for command in superseded:
            self.detach(command.connection)
        redelivery = Redelivery(self._limits.patience)
        gauge = gauge or SocketGauge()
        feed = Feed(connection, session, position.offset, self.last, redelivery, gauge, noticed)
        self._feeds[connection] = feed
        self._retries.began(feed)
        self._resume(session, position, known)
        return [*superseded, *self._pump.go_on(feed, self.last)]

    def attached_elsewhere(self, session: SessionId, newer: ConnectionId) -> list[OutboxCommand]:
        """A notice says that the session has this connection. At another node, it supersedes those
        here whose own notice came before: clocks of nodes differ, the order of notices does not."""
        if newer in self._feeds:
            self._feeds[newer].noticed = True
        known = [each for each in self._feeds.values() if each.session == session]
        older = [each.connection for each in known if each.noticed and newer not in self._feeds]
        for connection in older:
            self.detach(connection)
        return [Superseded(connection) for connection in older]

    def detach(self, connection: ConnectionId) -> None:
        feed = self._feeds.pop(connection, None)
        if feed is not None:
            self._sessions.send(feed.session, feed.gauge.sent)
            self._sessions.hand(feed.session, feed.handed)
            self._retries.ended(feed)

    def written(self, connection: ConnectionId, through: int) -> Iterable[OutboxCommand]:
        """The connection wrote everything up to `through` to its socket: hand it more."""
        feed = self._feeds.get(connection)
        if feed is None:
            return ()
        feed.written(through)
        return self._pump.go_on(feed, self.last) if feed.handed < self.last else ()

    def page(self, connection: ConnectionId, records: Sequence[Record]) -> Iterable[OutboxCommand]:
        """The answer to a `ReadPage`. Records that were trimmed meanwhile are skipped: the client
        sees the gap, and gets `recovered: false` when it resumes. Records past `last`, which are
        durable but not `appended` yet, are left to that."""
        feed = self._feeds.get(connection)
        if feed is None or feed.reading_until is None:
            return ()
        known = [record for record in records if record.offset <= self.last]
        self._note_trimmed(feed, known[0].offset if known else feed.reading_until + 1)
        feed.reading_until = None
        if feed.redelivery.circuit is not Circuit.CLOSED:
            return ()  # the circuit opened meanwhile: the page is read again when it closes
        return [*self._pump.hand(feed, known), *self._pump.go_on(feed, self.last)]

    # Redelivery

    @property
    def next_due(self) -> float | None:
        """The clock time at which to call `redeliver` next; None if nothing is due."""
        due = [feed.redelivery.due for feed in self._feeds.values()]
        return min((each for each in due if each is not None), default=None)

    def redeliver(self, at: int) -> list[OutboxCommand]:
        """Send again events not acknowledged in time, or give their connection up. `at`: ms."""
        commands: list[OutboxCommand] = []
        for feed in self._retries.late(self._feeds.values()):
            commands += self._retries.time_out(feed, at, self._tail.after)
        for command in commands:
            if type(command) is GivenUp:
                self.detach(command.connection)
        return commands

    def again(self, connection: ConnectionId, records: Sequence[Record]) -> Iterable[OutboxCommand]:
        """The answer to a `ReadAgain`."""
        feed = self._feeds.get(connection)
        return () if feed is None else self._retries.again(feed, records)

    def circuit(self, connection: ConnectionId) -> Circuit | None:
        """The state of a connection's breaker; None for an unknown connection."""
        feed = self._feeds.get(connection)
        return feed.redelivery.circuit if feed else None

    # What clients report

    def ack(self, connection: ConnectionId, offset: int) -> bool:
        """Note that the client received up to `offset`. False if that was never handed over."""
        feed = self._feeds.get(connection)
        if feed is None or not 0 <= offset <= feed.handed:
            return False
        if self._sessions.receive(feed.session, offset):
            self._retries.acked(feed, offset)
        return True

    def wake(self, connection: ConnectionId) -> Iterable[OutboxCommand]:
        """Hand over what has waited, now that the connection's circuit is closed again."""
        feed = self._feeds.get(connection)
        if feed is None or feed.handed == self.last:
            return ()
        return self._pump.go_on(feed, self.last)

    def mark(self, connection: ConnectionId, mark: Mark) -> bool:
        """Note a displayed or confirmed event. False if the event was never handed over."""
        feed = self._feeds.get(connection)
        if feed is None or not 1 <= mark.offset <= feed.handed:
            return False
        self._marks[_key(mark)] = mark
        return True

    def note(self, entries: Iterable[Entry]) -> None:
        """Write these entries to the journal, with the next events or lazily."""
        self._notes.add(entries)

    def received(self, offset: int) -> bool:
        """True if a session of the user has received this event."""
        return self._sessions.received(offset)

    def standing(self, offset: int) -> Standing:
        """How far an event got, as far as this outbox knows; the journal may know more."""
        self._note_sent()
        marks = [*self._marks.values(), *self._marks_in_flight]
        sessions = standings(offset, self._sessions.cursors(self.user, 0), marks)
        return Standing(furthest(sessions), sessions)

    def cursor(self, session: SessionId) -> int | None:
        """The offset a remembered session has received through; None for other sessions."""
        return self._sessions.cursor(session)

    @property
    def has_lazy(self) -> bool:
        """True if cursors, marks or notes wait to be written."""
        if self._sessions.moved or self._marks or self._notes.waiting:
            return True
        self._note_sent()
        return self._sessions.moved

    @property
    def is_written(self) -> bool:
        """True if every event is durable, and written to the sockets of all connections."""
        return not self.busy and all(feed.is_written(self.last) for feed in self._feeds.values())

    @property
    def furthest_behind(self) -> int:
        """The number of events not yet handed to the slowest connection."""
        return max((self.last - feed.handed for feed in self._feeds.values()), default=0)

    @property
    def bytes_behind(self) -> int:
        """The bytes not yet handed to live connections, summed over all of them."""
        return sum(feed.bytes_behind for feed in self._feeds.values())

    def recall(self, offset: int) -> Record | None:
        """The record at `offset`, or None if it is not in memory."""
        return self._tail.at(offset)

    def session_of(self, connection: ConnectionId) -> SessionId | None:
        feed = self._feeds.get(connection)
        return feed.session if feed else None

    # Inside

    def _believable(self, session: SessionId, known: Cursor | None) -> int:
        live = [feed.handed for feed in self._feeds.values() if feed.session == session]
        return max([self._sessions.believable(session, known), *live])

    def _resume(self, session: SessionId, position: Resumption, known: Cursor | None) -> None:
        attached = [feed.session for feed in self._feeds.values()]
        if position.recovered:
            self._sessions.resume(session, position.offset, attached, known)
        else:
            self._sessions.begin(session, position.offset, attached)

    def _note_sent(self) -> None:
        for feed in self._feeds.values():
            self._sessions.send(feed.session, feed.gauge.sent)

    def _note_trimmed(self, feed: Feed, next_kept: int) -> None:
        if next_kept > feed.handed + 1:
            self.trimmed(next_kept - 1)
            feed.skip_to(next_kept)


def _key(mark: Mark) -> tuple[int, SessionId, str]:
    return mark.offset, mark.session, mark.stage
