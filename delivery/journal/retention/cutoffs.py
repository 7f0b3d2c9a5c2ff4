"""Retention: which events and sessions a journal forgets while a server uses it (pure).

A pass goes through a journal in small steps: first the events of one user after the other, then
their progress events, then the sessions, then the free space of a file. What a step has done is
durable with it, so a pass that was interrupted is simply begun again.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final, Literal, TypeAlias

import attrs

from greenroom.delivery.events.ids import RunId, UserId

STEP_SECONDS: Final = 0.001
"""Seconds after which a step begins nothing more. The longest that it begins is to forget one event
of 1 MiB: a few times as long."""

DAY_MS: Final = 24 * 3600 * 1000

Part: TypeAlias = Literal["events", "progress", "sessions", "space"]


@attrs.frozen
class Cutoffs:
    """What may be forgotten at one moment: None if nothing is for that reason.

    `events_before`, `sessions_before`, `progress_before`: ms since the Unix epoch. `keep_events`,
    `keep_progress`: of each user.
    """

    events_before: int | None = None
    keep_events: int | None = None
    sessions_before: int | None = None
    progress_before: int | None = None
    keep_progress: int | None = None

    @property
    def of_progress(self) -> Cutoffs:
        """The limits of progress events, in place of those of all events."""
        return Cutoffs(self.progress_before, self.keep_progress)

    def limits(self, part: Part) -> bool:
        """Whether there is a limit to what a part of the pass looks at."""
        limits: dict[Part, tuple[int | None, ...]] = {
            "events": (self.events_before, self.keep_events),
            "progress": (self.progress_before, self.keep_progress),
            "sessions": (self.sessions_before,),
        }
        return any(limit is not None for limit in limits.get(part, ()))

    def is_due(self, offset: int, at: int, last: int) -> bool:
        """Whether an event of a user, whose last offset is `last`, is old or one too many."""
        if self.keep_events is not None and offset <= last - self.keep_events:
            return True
        return self.events_before is not None and at < self.events_before


@attrs.frozen
class Retention:
    """How long events and sessions are kept; None: for ever.

    A user's event goes when it is older than `keep_days`, or when the user has `keep_events` newer
    ones. A session goes when it was not seen for `session_days`. A progress event leaves only its
    place when it is older than `progress_days`, or the user has `progress_events` newer events of
    any class.
    """

    keep_days: float | None = None
    keep_events: int | None = None
    session_days: float | None = None
    progress_days: float | None = None
    progress_events: int | None = None

    def at(self, now: int) -> Cutoffs:
        """The cut-offs at `now` (ms)."""
        return Cutoffs(
            _before(now, self.keep_days),
            self.keep_events,
            _before(now, self.session_days),
            _before(now, self.progress_days),
            self.progress_events,
        )


def _before(now: int, days: float | None) -> int | None:
    return None if days is None else now - round(days * DAY_MS)


@attrs.frozen
class SweptTo:
    """Where a pass goes on: in this part, past this user, or past this session of the user."""

    part: Part = "events"
    user: str = ""
    session: str = ""


BEGINNING: Final = SweptTo()


@attrs.frozen
class Due:
    """The offset through which a user's oldest events are due (0: none), the number of them that
    have not left only their places, and whether what follows may be due as well."""

    through: int
    events: int = 0
    more: bool = False


@attrs.frozen
class Swept:
    """What one step forgot. `trimmed`: the offset through which each user's events are gone.

    `next` is None at the end of the pass. `seconds`: how long the step held the journal, of which
    `cpu` were spent working; the rest, other threads and the disk had.
    """

    next: SweptTo | None
    seconds: float = 0.0
    events: int = 0
    sessions: int = 0
    pages: int = 0
    cpu: float = 0.0
    trimmed: Mapping[UserId, int] = attrs.field(factory=dict)


@attrs.define
class SweepTally:
    """What a step has forgotten so far."""

    events: int = 0
    sessions: int = 0
    pages: int = 0
    trimmed: dict[UserId, int] = attrs.field(factory=dict)

    def trim(self, user: UserId, through: int, events: int) -> None:
        self.events += events
        self.trimmed[user] = through

    def swept(self, place: SweptTo | None, seconds: float, cpu: float) -> Swept:
        counts = (self.events, self.sessions, self.pages)
        return Swept(place, seconds, *counts, cpu, self.trimmed)


def forgettable_through(
    oldest: Iterable[tuple[int, int, RunId]],
    cutoffs: Cutoffs,
    *,
    last: int,
    settled: int,
    open_runs: Container[RunId],
) -> int:
    """The offset through which a user's `oldest` events are due to be forgotten; 0: none of them.

    A log is forgotten from its beginning, and so are its progress events: an event that stays keeps
    all later ones. So does one without its outcome, and one of a run that has not ended. `settled`:
    the offset through which every event has its outcome. `oldest`: each event's offset, time (ms)
    and run, in order; of progress events, those after the forgotten ones.
    """
    through = 0
    for offset, at, run in oldest:
        if offset > settled or run in open_runs or not cutoffs.is_due(offset, at, last):
            break
        through = offset
    return through
