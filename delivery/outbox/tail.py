"""The newest records of a user, kept in memory for connections near the end of the log (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.delivery.events.ids import ThreadId
from greenroom.delivery.events.record import Record, size_of
from greenroom.delivery.events.threads import erased
from greenroom.delivery.journal.journal import within
from greenroom.delivery.outbox.feed import OutboxLimits


class Tail:
    """The end of a user's log: at least `memory_frames` of it, and at most twice that."""

    __slots__ = ("_bytes", "_limits", "_most_bytes", "_most_events", "records")

    def __init__(self, limits: OutboxLimits) -> None:
        self._limits = limits
        frames = 2 * limits.memory_frames  # grow to twice the size: each trim costs a pass
        self._most_events = frames * limits.frame_events
        self._most_bytes = frames * limits.frame_bytes
        self.records: list[Record] = []
        self._bytes = 0

    def add(self, records: Sequence[Record], size: int) -> None:
        """Add the newest records, of `size` bytes."""
        self.records.extend(records)
        self._bytes += size
        if len(self.records) > self._most_events or self._bytes > self._most_bytes:
            self.records = newest(
                self.records,
                self._limits.memory_frames * self._limits.frame_events,
                self._limits.memory_frames * self._limits.frame_bytes,
            )
            self._bytes = size_of(self.records)

    def erase(self, thread: ThreadId, through: int) -> None:
        """The thread's events through an offset are erased in the journal: here, too."""
        self.records = [
            erased(each) if each.thread == thread and each.offset <= through else each
            for each in self.records
        ]
        self._bytes = size_of(self.records)

    def after(self, offset: int) -> Sequence[Record]:
        """At most one frame after `offset`; empty if the next record is no longer in memory."""
        records = self.records
        if not records or offset + 1 < records[0].offset:
            return ()
        if records[-1].offset == offset + 1:
            return records[-1:]
        start = offset + 1 - records[0].offset
        events = records[start : start + self._limits.frame_events]
        if size_of(events) <= self._limits.frame_bytes:
            return events
        return list(within(self._limits.frame_bytes, events))

    def at(self, offset: int) -> Record | None:
        """The record at `offset`, or None if it is not in memory."""
        index = offset - self.records[0].offset if self.records else -1
        return self.records[index] if 0 <= index < len(self.records) else None


def newest(records: Sequence[Record], events: int, size: int) -> list[Record]:
    """The longest end of `records` with at most `events` records and `size` bytes; may be empty."""
    kept: list[Record] = []
    for record in reversed(records[-events:]):
        size -= len(record.body)
        if size < 0:
            break
        kept.append(record)
    return kept[::-1]
