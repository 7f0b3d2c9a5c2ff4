"""Events without an outcome: their stage, and since when they could be delivered (pure).

Only time in which a server could deliver an event counts towards its time to live. Time without a
server, and steps of the clock, are pauses, kept beside the log: they make earlier events younger.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind

PAUSE_MS: Final = 10_000
"""A shorter difference is not a pause but a corrected clock or a restart."""

PAUSES_KEPT: Final = 1_000


@attrs.frozen
class Reached:
    """The stage that one event reached, by the kept reports; without its body.

    `since` (ms since the Unix epoch): when the event could first be delivered. This is when it was
    accepted, plus later pauses in which no server was at work (see `Journal.alive`).
    """

    offset: int
    event: EventId
    kind: Kind
    event_class: EventClass
    run: RunId
    since: int
    received: bool
    displayed: bool
    confirmed: bool


SearchedTo: TypeAlias = tuple[int, str]
"""Where a search for overdue events goes on: a time (ms) and a user."""


@attrs.frozen
class OverdueUsers:
    """Users with an overdue event, and where to continue the search; None at the end."""

    users: Sequence[UserId]
    after: SearchedTo | None


@attrs.frozen
class Pause:
    """For `ms` the records through `number` could not be delivered; a negative `ms` means that the
    clock was set back. `until`: the end of the pause by the new clock (ms).
    """

    number: int
    ms: int
    until: int

    def after(self, since: int) -> int:
        """When an event could first be delivered, moved by the pause but not past its end."""
        if self.ms > 0:
            return min(since + self.ms, max(since, self.until))
        return since + self.ms if since > self.until else since


def pause_between(last: int, now: int, *, worked: int, number: int) -> Pause | None:
    """The pause between two signs of life, `worked` ms of work apart; None if it is negligible."""
    ms = now - last - worked
    return Pause(number, ms, now) if abs(ms) >= PAUSE_MS else None


def deliverable_since(at: int, number: int, pauses: Sequence[Pause]) -> int:
    """When the event with this number in the log, accepted at `at`, could first be delivered (ms).

    `pauses` in chronological order.
    """
    for pause in pauses:
        if number <= pause.number:
            at = pause.after(at)
    return at


class Stretches:
    """The stretches of the log that some session received, computed from all cursors."""

    def __init__(self, cursors: Iterable[tuple[int, int]]) -> None:
        """Each cursor covers the offsets past its first number through its second. In any order."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(cursors):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            elif start < end:
                self._starts.append(start)
                self._ends.append(end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Each stretch: the offsets past the first number through the second."""
        return zip(self._starts, self._ends, strict=True)

    def __contains__(self, offset: int) -> bool:
        return offset <= self.through(offset - 1)

    def through(self, after: int) -> int:
        """The furthest offset through which every event past `after` was received."""
        index = bisect_right(self._starts, after) - 1
        return max(after, self._ends[index]) if index >= 0 else after
