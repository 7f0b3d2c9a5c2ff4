"""A user's redeliveries: late connections, what they are sent again, and every attempt (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Attempt, Record
from greenroom.delivery.observer import Observer
from greenroom.delivery.outbox.feed import (
    Feed,
    GivenUp,
    HandRecords,
    OutboxCommand,
    OutboxLimits,
    ReadAgain,
)
from greenroom.delivery.outbox.notes import Notes
from greenroom.delivery.outbox.redelivery import Retry
from greenroom.delivery.outbox.sessions import Sessions


class Retries:
    """A part of the outbox. Events that are sent again do not count against the connection's
    window: they are at most one frame each time."""

    __slots__ = ("_clock", "_limits", "_notes", "_observer", "_sessions", "_user")

    def __init__(
        self,
        user: UserId,
        limits: OutboxLimits,
        sessions: Sessions,
        notes: Notes,
        clock: Callable[[], float],
        observer: Observer,
    ) -> None:
        self._user = user
        self._limits = limits
        self._sessions = sessions
        self._clock = clock
        self._observer = observer
        self._notes = notes

    def began(self, feed: Feed) -> None:
        self._observer.breaker_moved(None, feed.redelivery.circuit.value)

    def ended(self, feed: Feed) -> None:
        self._observer.breaker_moved(feed.redelivery.circuit.value, None)

    def sent(self, feed: Feed) -> None:
        if feed.redelivery.due is None and feed.gauge.acknowledged:
            feed.redelivery.sent(self._clock())

    def acked(self, feed: Feed, offset: int) -> None:
        """The client acknowledged something new."""
        waiting = offset < feed.handed
        if not feed.redelivery.failures:
            feed.redelivery.progressed(self._clock(), waiting=waiting)
            return
        with self._watched(feed):
            feed.redelivery.progressed(self._clock(), waiting=waiting)

    def late(self, feeds: Iterable[Feed]) -> list[Feed]:
        now = self._clock()
        return [feed for feed in feeds if (due := feed.redelivery.due) is not None and due <= now]

    def time_out(
        self, feed: Feed, at: int, recall: Callable[[int], Sequence[Record]]
    ) -> Iterator[OutboxCommand]:
        """The commands for a late connection. `recall(after)`: records in memory. `at`: ms."""
        now, acked = self._clock(), self._sessions.acked(feed.session)
        if feed.gauge.written <= acked or feed.gauge.on_its_way(acked):  # left to the heartbeat
            feed.redelivery.postpone(now)
            return
        with self._watched(feed):
            retry = feed.redelivery.time_out(now)
        if retry is Retry.GIVE_UP:
            yield GivenUp(feed.connection, feed.redelivery.since)
        elif retry is not None:
            limit = 1 if retry is Retry.PROBE else self._limits.frame_events
            self._note(feed, acked, acked + limit, now, at)
            if records := recall(acked)[:limit]:
                yield from self.again(feed, records)
            else:
                yield ReadAgain(feed.connection, acked, limit)

    def again(self, feed: Feed, records: Sequence[Record]) -> Iterator[OutboxCommand]:
        """Send the records again that were written and are not acknowledged."""
        acked, written = self._sessions.acked(feed.session), feed.gauge.written
        wanted = [record for record in records if acked < record.offset <= written]
        for kind, events in Counter(record.kind for record in wanted).items():
            self._observer.retried(kind, events)
        if wanted:
            yield HandRecords(feed.connection, wanted, replay=True)

    def _note(self, feed: Feed, after: int, limit: int, now: float, at: int) -> None:
        """Record the attempt, from the second one on; the first is recorded with the second."""
        written, number = feed.gauge.written, feed.redelivery.failures + 1
        if number == 2:
            first_at = at - round((now - feed.redelivery.since) * 1000)
            self._notes.add([self._attempt(feed, after, written, 1, first_at)])
        self._notes.add([self._attempt(feed, after, min(limit, written), number, at)])

    def _attempt(self, feed: Feed, after: int, through: int, number: int, at: int) -> Attempt:
        return Attempt(self._user, feed.session, feed.connection, after, through, number, at)

    @contextmanager
    def _watched(self, feed: Feed) -> Iterator[None]:
        old = feed.redelivery.circuit
        yield
        if feed.redelivery.circuit is not old:
            self._observer.breaker_moved(old.value, feed.redelivery.circuit.value)
