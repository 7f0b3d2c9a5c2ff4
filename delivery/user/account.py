"""What became of one user's events, and how long it took, as an observer is told (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Mark, Record
from greenroom.delivery.observer import Observer

UNRECEIVED = 10_000
MARKS = 512


class Account:
    """Remembers kind and time of events until a first session acknowledges them.

    At most `UNRECEIVED` of them and `MARKS` displayed or confirmed ones, the newest; what is
    older is not counted. An event that a session of an earlier process received, and that a new
    session is sent again, counts once more.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._unreceived: dict[int, tuple[Kind, int]] = {}
        self._marked: dict[tuple[int, str], None] = {}

    def kept(self, records: Sequence[Record]) -> None:
        """These are durable now."""
        if records:
            self._await(records)
            self._observer.accepted(records)

    def replayed(self, records: Iterable[Record], received: Callable[[int], bool]) -> None:
        """These were accepted earlier; `received(offset)` says which of them count already."""
        self._await([record for record in records if not received(record.offset)])

    def received(self, after: int, through: int, now: int) -> None:
        """A session has acknowledged what lies past `after` up to `through`. `now` in ms."""
        got: Counter[tuple[Kind, int]] = Counter()
        for offset in self._within(after, through):
            event = self._unreceived.pop(offset, None)
            if event is not None:
                got[event] += 1
        for (kind, at), events in got.items():
            self._observer.received(kind, _seconds(at, now), events)

    def marked(self, mark: Mark, record: Record | None) -> None:
        """A session displayed or confirmed a record; one no longer at hand is not counted."""
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
        waiting = self._unreceived
        for record in records:
            waiting[record.offset] = (record.kind, record.at)
        while len(waiting) > UNRECEIVED:
            del waiting[next(iter(waiting))]


def _seconds(since: int, now: int) -> float:
    """From ms to ms of a wall clock, which may have been set back."""
    return max(0, now - since) / 1000
