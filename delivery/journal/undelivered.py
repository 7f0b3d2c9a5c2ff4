"""Events without an outcome: how far they got, and since when they have had time (pure).

An event's time to live is time in which a server could deliver it. What passes without one, and
what a clock is set by, are pauses, kept beside the log: they make the events before them younger.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import attrs

from greenroom.delivery.events.ids import EventId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind

PAUSE_MS: Final = 10_000
"""Less than this is no pause: a clock that is kept right, or a restart."""

PAUSES_KEPT: Final = 1_000


@attrs.frozen
class Reached:
    """How far one event got, by the reports that are kept; without its body.

    `since` (ms since the Unix epoch): from when on it could be delivered. That is when it was
    accepted, or later by the pauses in which no server was at work (see `Journal.alive`).
    """

    offset: int
    event: EventId
    kind: Kind
    event_class: EventClass
    since: int
    received: bool
    displayed: bool
    confirmed: bool


SearchedTo: TypeAlias = tuple[int, str]
"""Where a search for overdue events goes on: a time (ms) and a user."""


@attrs.frozen
class OverdueUsers:
    """Users with an overdue event, and where to look on; None at the end."""

    users: Sequence[UserId]
    after: SearchedTo | None


@attrs.frozen
class Pause:
    """For `ms` nobody could come for what the log held through `number`; less than 0: the clock was
    set back by so much. `until`: the end of the pause, by the clock from then on (ms).
    """

    number: int
    ms: int
    until: int

    def after(self, since: int) -> int:
        """From when on an event has its time, seen after the pause. Never later than its end."""
        if self.ms > 0:
            return min(since + self.ms, max(since, self.until))
        return since + self.ms if since > self.until else since


def pause_between(last: int, now: int, *, worked: int, number: int) -> Pause | None:
    """The pause between two signs of life, `worked` ms of work apart; None for a moment."""
    ms = now - last - worked
    return Pause(number, ms, now) if abs(ms) >= PAUSE_MS else None


def deliverable_since(at: int, number: int, pauses: Sequence[Pause]) -> int:
    """From when on the event with this number of the log, accepted at `at`, has its time (ms).

    `pauses` in the order they came.
    """
    for pause in pauses:
        if number <= pause.number:
            at = pause.after(at)
    return at


class Stretches:
    """Which offsets some session received, from the cursors of all: each a stretch of the log."""

    def __init__(self, cursors: Iterable[tuple[int, int]]) -> None:
        """Each cursor: everything past the first number, through the second. In any order."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(cursors):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            elif start < end:
                self._starts.append(start)
                self._ends.append(end)

    def __contains__(self, offset: int) -> bool:
        return offset <= self.through(offset - 1)

    def through(self, after: int) -> int:
        """How far everything past `after` was received; `after` itself if the next one was not."""
        index = bisect_right(self._starts, after) - 1
        return max(after, self._ends[index]) if index >= 0 else after
