"""What hands records to connections: from memory, or by asking for a page of the journal (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.delivery.events.record import Record, size_of
from greenroom.delivery.observer import Observer
from greenroom.delivery.outbox.feed import (
    Feed,
    HandRecords,
    OutboxCommand,
    OutboxLimits,
    ReadPage,
)
from greenroom.delivery.outbox.folding import fold
from greenroom.delivery.outbox.redelivery import Circuit
from greenroom.delivery.outbox.retries import Retries
from greenroom.delivery.outbox.tail import Tail


class Pump:
    """A part of the outbox. The one place where a connection's cursor moves on in the log."""

    __slots__ = ("_limits", "_observer", "_retries", "_tail")

    def __init__(
        self, limits: OutboxLimits, tail: Tail, retries: Retries, observer: Observer
    ) -> None:
        self._limits = limits
        self._tail = tail
        self._retries = retries
        self._observer = observer

    def forward(
        self, feed: Feed, before: int, newest: Sequence[Record], size: int
    ) -> HandRecords | None:
        """Records of `size` bytes became durable behind the offset `before`. Hand them to a
        connection that waits for them, as nearly all do: what `go_on` would come to. None for any
        other connection."""
        limits, events = self._limits, len(newest)
        if (
            feed.handed != before
            or not feed.live
            or feed.reading_until is not None
            or feed.redelivery.circuit is not Circuit.CLOSED
            or not 0 < events <= limits.frame_events
            or size > limits.frame_bytes
            or feed.unwritten_events > limits.frame_events
            or feed.unwritten_bytes > limits.frame_bytes
        ):
            return None
        feed.hand(before + events, events, size)
        if feed.redelivery.due is None:
            self._retries.sent(feed)
        return HandRecords(feed.connection, newest, False)

    def falls_behind(self, feed: Feed, before: int, size: int) -> bool:
        """Events of `size` bytes became durable behind the offset `before`: True if the connection
        is too far behind. Only what waited before them counts: one burst does not make it slow."""
        limits = self._limits
        if feed.handed < before or feed.bytes_behind:
            if feed.is_behind(before, limits.backlog_events, limits.backlog_bytes):
                return True
            feed.folding |= feed.is_behind(before, limits.lag_events, limits.lag_bytes)
        feed.bytes_behind += size
        return False

    def go_on(self, feed: Feed, last: int) -> list[OutboxCommand]:
        """Hand over what the connection has room for. `last`: the end of the log."""
        commands: list[OutboxCommand] = []
        while (
            feed.handed < last
            and feed.reading_until is None
            and feed.redelivery.circuit is Circuit.CLOSED
            and feed.has_room(self._limits)
        ):
            records = self._tail.after(feed.handed)
            if records:
                commands += self.hand(feed, records)
            else:
                feed.reading_until = last
                commands.append(ReadPage(feed.connection, feed.handed))
        if feed.handed == last:
            feed.caught_up()
        return commands

    def hand(self, feed: Feed, records: Sequence[Record]) -> list[OutboxCommand]:
        """At most two commands: records from before the attach are replay, the rest are live."""
        if not records or records[0].offset > feed.replay_until:
            return self._handed(feed, records, replay=False)
        cut = sum(record.offset <= feed.replay_until for record in records)
        replayed = self._handed(feed, records[:cut], replay=True)
        return replayed + self._handed(feed, records[cut:], replay=False)

    def _handed(
        self, feed: Feed, records: Sequence[Record], *, replay: bool
    ) -> list[OutboxCommand]:
        if not records:
            return []
        frame = self._folded(records) if feed.folding else records
        size = size_of(frame)
        feed.hand(records[-1].offset, len(frame), size)
        feed.leaves_behind(size if frame is records else size_of(records))
        self._retries.sent(feed)
        return [HandRecords(feed.connection, frame, replay)]

    def _folded(self, records: Sequence[Record]) -> Sequence[Record]:
        folded = fold(records)
        if folded.superseded:
            self._observer.superseded(folded.superseded)
        return folded.records
