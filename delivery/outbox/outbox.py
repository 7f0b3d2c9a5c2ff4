"""A user's outbox: the one sequence of events, and how far each connection has got in it (pure).

Every connection is a cursor over the user's log. What it is handed next comes from memory when it
is near the end and from the journal when it is behind; so a replay and live events cannot
overlap, and there is no queue per connection to overflow. A connection is handed at most two
frames beyond what it says it has written to its socket.

Offsets are given out when a batch leaves for the journal, one batch in flight at a time: a batch
that fails gives its offsets back, and nothing that is not durable is ever handed to a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from greenroom.delivery.events.draft import Draft
from greenroom.delivery.events.ids import ConnectionId, RunId, SessionId, UserId
from greenroom.delivery.events.record import Bounds, Cursor, Entry, Mark, Record
from greenroom.delivery.events.stages import Standing, furthest, standings
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.delivery.outbox.feed import (
    Feed,
    GivenUp,
    HandOver,
    OutboxCommand,
    OutboxLimits,
    ReadPage,
    SocketGauge,
    Superseded,
    TooSlow,
)
from greenroom.delivery.outbox.folding import fold
from greenroom.delivery.outbox.notes import Notes
from greenroom.delivery.outbox.redelivery import Circuit, Redelivery
from greenroom.delivery.outbox.resumption import Log, Resumption
from greenroom.delivery.outbox.retries import Retries
from greenroom.delivery.outbox.sessions import Reach, Sessions
from greenroom.delivery.outbox.tail import Tail

T = TypeVar("T")


class Outbox(Generic[T]):
    """One user's sequence. `T` is the caller's token for an offered draft, given back with it."""

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
        """`reach` is what an earlier outbox of the user left behind, if there was one. `clock` is
        monotonic, in seconds."""
        self.user = user
        self.epoch = epoch
        self.first = max(1, bounds.first)
        self.last = bounds.last
        self._limits = limits or OutboxLimits()
        self._tail = Tail(self._limits)
        self._feeds: dict[ConnectionId, Feed] = {}
        self._waiting: list[tuple[Draft, T]] = []
        self._in_flight: list[tuple[Record, T]] | None = None
        self._marks_in_flight: list[Mark] = []
        self._sessions = Sessions(self._limits.sessions, {} if reach is None else reach, self.last)
        self._notes = Notes()
        self.durable: Sequence[Entry] = ()
        """The entries besides events that the last batch took along."""
        self._observer = observer
        self._retries = Retries(user, self._limits, self._sessions, self._notes, clock, observer)
        self._marks: dict[tuple[int, SessionId, str], Mark] = {}

    # Events in

    def offer(self, draft: Draft, token: T) -> None:
        """Take a draft; it gets its offset when the next batch leaves."""
        self._waiting.append((draft, token))

    def next_append(self, at: int, *, lazily: bool = False) -> list[Entry] | None:
        """What to append now, or None while a batch is in flight or there is nothing.

        Cursors and marks travel with the next events, or alone when `lazily`. `at`: ms.
        """
        if self._in_flight is not None or not (self._waiting or (lazily and self.has_lazy)):
            return None
        start = self.last + 1
        self._in_flight = [
            (draft.record(self.user, start + index, at), token)
            for index, (draft, token) in enumerate(self._waiting)
        ]
        self._waiting = []
        self._note_sent()
        self._marks_in_flight, self._marks = list(self._marks.values()), {}
        cursors = self._sessions.take_cursors(self.user, at)
        return [
            *(record for record, _ in self._in_flight),
            *cursors,
            *self._marks_in_flight,
            *self._notes.take(),
        ]

    def appended(self) -> tuple[list[tuple[Record, T]], list[OutboxCommand]]:
        """The batch in flight is durable: its records and tokens, and what to do now."""
        done, self._in_flight = self._in_flight or [], None
        self._marks_in_flight = []
        self.durable = self._notes.written()
        self._sessions.written()
        if done:
            self.last = done[-1][0].offset
            self._tail.add([record for record, _ in done])
        return done, [*self._fall_behind(done), *self._pump_all()]

    def append_failed(self) -> list[T]:
        """The batch in flight is lost: its tokens. Its offsets will be given out again."""
        lost, self._in_flight = self._in_flight or [], None
        marks, self._marks_in_flight = self._marks_in_flight, []
        self._marks = {_key(mark): mark for mark in marks} | self._marks
        self._notes.not_written()
        self._sessions.not_written()
        return [token for _, token in lost]

    def abandon(self) -> list[T]:
        """Give up what is not yet durable: its tokens, for when the outbox itself ends."""
        waiting, self._waiting = self._waiting, []
        return [*self.append_failed(), *(token for _, token in waiting)]

    def runs_under_way(self) -> set[RunId]:
        """The runs with an event that is not durable yet."""
        in_flight = {record.run for record, _ in self._in_flight or ()}
        return in_flight | {draft.run for draft, _ in self._waiting}

    # Connections

    @property
    def connections(self) -> int:
        return len(self._feeds)

    def full_for(self, session: SessionId | None) -> bool:
        """True when no further connection is allowed but one that takes over its session."""
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
        """Where a `hello` resumes: by its epoch and offset, else by its session's cursor. A
        `session` that says it is beyond what it was sent is served from there; `known`: its cursor
        in the journal. `agreed`: through where the client's log is this one, if it can be told; if
        that is less than its offset, the cursor is of the log that both had before."""
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
    ) -> list[OutboxCommand]:
        """Start feeding a connection; an older one of the same session is superseded.

        `known`: the session's cursor in the journal, for one that is not remembered here.
        """
        superseded = [
            Superseded(feed.connection) for feed in self._feeds.values() if feed.session == session
        ]
        for command in superseded:
            self.detach(command.connection)
        redelivery = Redelivery(self._limits.patience)
        feed = Feed(
            connection, session, position.offset, self.last, redelivery, gauge or SocketGauge()
        )
        self._feeds[connection] = feed
        self._retries.began(feed)
        self._resume(session, position, known)
        return [*superseded, *self._pump(feed)]

    def detach(self, connection: ConnectionId) -> None:
        feed = self._feeds.pop(connection, None)
        if feed is not None:
            self._sessions.send(feed.session, feed.gauge.written)
            self._sessions.hand(feed.session, feed.handed)
            self._retries.ended(feed)

    def written(self, connection: ConnectionId, through: int) -> Iterable[OutboxCommand]:
        """The connection wrote everything up to here to its socket: it may have more."""
        feed = self._feeds.get(connection)
        if feed is None:
            return ()
        feed.written(through)
        return self._pump(feed) if feed.handed < self.last else ()

    def page(self, connection: ConnectionId, records: Sequence[Record]) -> Iterable[OutboxCommand]:
        """The answer to a `ReadPage`. Records that were trimmed meanwhile are passed over: the
        client sees the gap, and is told `recovered: false` when it resumes."""
        feed = self._feeds.get(connection)
        if feed is None or feed.reading_until is None:
            return ()
        known = [record for record in records if record.offset <= self.last]
        self._note_trimmed(feed, known[0].offset if known else feed.reading_until + 1)
        feed.reading_until = None
        if feed.redelivery.circuit is not Circuit.CLOSED:
            return ()  # it opened meanwhile: this is read again when it closes
        return [*self._hand(feed, known), *self._pump(feed)]

    # Redelivery

    @property
    def next_due(self) -> float | None:
        """When `redeliver` has something to look at, by the clock; None: never."""
        due = [feed.redelivery.due for feed in self._feeds.values()]
        return min((each for each in due if each is not None), default=None)

    def redeliver(self, at: int) -> list[OutboxCommand]:
        """Send again what was not acknowledged in time, or give its connection up. `at`: ms."""
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
        """The state of a connection's breaker."""
        feed = self._feeds.get(connection)
        return feed.redelivery.circuit if feed else None

    # What clients report

    def ack(self, connection: ConnectionId, offset: int) -> bool:
        """Received up to here. False (and nothing noted) for what was never handed over."""
        feed = self._feeds.get(connection)
        if feed is None or not 0 <= offset <= feed.handed:
            return False
        if self._sessions.receive(feed.session, offset):
            self._retries.acked(feed, offset)
        return True

    def wake(self, connection: ConnectionId) -> Iterable[OutboxCommand]:
        """What the connection may have now that its circuit is closed again."""
        feed = self._feeds.get(connection)
        return self._pump(feed) if feed is not None and feed.handed < self.last else ()

    def mark(self, connection: ConnectionId, mark: Mark) -> bool:
        """Note a displayed or confirmed event. False for what was never handed over."""
        feed = self._feeds.get(connection)
        if feed is None or not 1 <= mark.offset <= feed.handed:
            return False
        self._marks[_key(mark)] = mark
        return True

    def note(self, entries: Iterable[Entry]) -> None:
        """Have these kept, with the next events or lazily."""
        self._notes.add(entries)

    def received(self, offset: int) -> bool:
        """Some session of the user has received this event."""
        return self._sessions.received(offset)

    def standing(self, offset: int) -> Standing:
        """How far an event got, as far as is known here; the journal may know of more."""
        self._note_sent()
        marks = [*self._marks.values(), *self._marks_in_flight]
        sessions = standings(offset, self._sessions.cursors(self.user, 0), marks)
        return Standing(furthest(sessions), sessions)

    def cursor(self, session: SessionId) -> int | None:
        """What a session attached of late has received through; None for others."""
        return self._sessions.cursor(session)

    @property
    def has_lazy(self) -> bool:
        """Cursors or marks wait to be written."""
        self._note_sent()
        return self._sessions.moved or bool(self._marks) or bool(self._notes)

    @property
    def busy(self) -> bool:
        """Something is not durable yet."""
        return self._in_flight is not None or bool(self._waiting)

    @property
    def furthest_behind(self) -> int:
        """Events that the slowest connection still has to be handed."""
        return max((self.last - feed.handed for feed in self._feeds.values()), default=0)

    @property
    def bytes_behind(self) -> int:
        """Bytes that live connections still have to be handed, all of them together."""
        return sum(feed.bytes_behind for feed in self._feeds.values())

    def recall(self, offset: int) -> Record | None:
        """The event, while it is at hand."""
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
            self._sessions.send(feed.session, feed.gauge.written)

    def _note_trimmed(self, feed: Feed, next_kept: int) -> None:
        if next_kept > feed.handed + 1:
            self.first = max(self.first, next_kept)
            feed.handed = next_kept - 1

    def _fall_behind(self, done: Sequence[tuple[Record, T]]) -> Iterator[OutboxCommand]:
        """What waited before this batch counts: one burst is no slowness."""
        limits, size = self._limits, sum(len(record.body) for record, _ in done)
        before = self.last - len(done)
        for feed in [each for each in self._feeds.values() if each.live]:
            if feed.is_behind(before, limits.backlog_events, limits.backlog_bytes):
                self.detach(feed.connection)
                yield TooSlow(feed.connection)
            elif feed.is_behind(before, limits.lag_events, limits.lag_bytes):
                feed.lags = True
            feed.bytes_behind += size

    def _pump_all(self) -> Iterator[OutboxCommand]:
        for feed in self._feeds.values():
            yield from self._pump(feed)

    def _pump(self, feed: Feed) -> Iterator[OutboxCommand]:
        while (
            feed.handed < self.last
            and feed.reading_until is None
            and feed.redelivery.circuit is Circuit.CLOSED
            and feed.has_room(self._limits)
        ):
            records = self._tail.after(feed.handed)
            if records:
                yield from self._hand(feed, records)
            else:
                feed.reading_until = self.last
                yield ReadPage(feed.connection, feed.handed)
        if feed.handed == self.last:
            feed.caught_up()

    def _hand(self, feed: Feed, records: Sequence[Record]) -> Iterator[OutboxCommand]:
        """At most two commands: what was there at the attach is replay, the rest is live."""
        cut = sum(record.offset <= feed.replay_until for record in records)
        for part, replay in ((records[:cut], True), (records[cut:], False)):
            if part:
                given = self._folded(part) if feed.lags else part
                feed.hand(part, given)
                self._retries.sent(feed)
                yield HandOver(feed.connection, given, replay)

    def _folded(self, records: Sequence[Record]) -> Sequence[Record]:
        folded = fold(records)
        if folded.superseded:
            self._observer.superseded(folded.superseded)
        return folded.records


def _key(mark: Mark) -> tuple[int, SessionId, str]:
    return mark.offset, mark.session, mark.stage
