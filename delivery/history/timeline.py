"""The timeline of a run: its events in order, and how each session received them (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from greenroom.delivery.events.ids import RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import JSON, TERMINAL, Event, Kind
from greenroom.delivery.events.policy import POLICIES, Policies
from greenroom.delivery.events.record import Attempt, Cursor, DeadLetter, Mark, Record
from greenroom.delivery.events.stages import Outcome, ReceiptStage, SessionStanding, furthest
from greenroom.delivery.events.standings import cursor_stage, outcome_of, standings


@attrs.frozen
class EventReports:
    """A journal's reports on the delivery of one user's events."""

    cursors: Sequence[Cursor] = ()
    marks: Sequence[Mark] = ()
    attempts: Sequence[Attempt] = ()
    letters: Sequence[DeadLetter] = ()


@attrs.frozen
class Sight:
    """How one session saw an event. Times in ms since the Unix epoch; None if it did not.

    `received_by` is an upper bound: an acknowledgement also covers all earlier events, and a
    journal keeps only a session's last acknowledgement.
    """

    standing: SessionStanding
    received_by: int | None
    displayed_at: int | None
    confirmed_at: int | None


@attrs.frozen
class Moment:
    """One event of a run or of its sub-runs.

    `since`: ms since the run's first event. `depth`: 0 for the run itself, 1 for its sub-runs,
    and so on. `took`: duration in ms of the tool that completed or the run that ended. `outcome`
    follows the `policies` passed to `timeline`; None until they decide it.
    """

    event: Event
    since: int
    depth: int
    took: int | None
    sights: tuple[Sight, ...]
    outcome: Outcome | None
    attempts: tuple[Attempt, ...]
    letter: DeadLetter | None

    @property
    def stage(self) -> ReceiptStage:
        """The furthest stage in any session."""
        return furthest(sight.standing for sight in self.sights)


@attrs.frozen
class Timeline:
    """A run from its first event on. `ending`: `ok`, `cancelled`, `crash`, `timeout`, `lost`.

    `began` and `ended` in ms since the Unix epoch; `ended` and `ending` are None until it ends.
    """

    user: UserId
    thread: ThreadId
    run: RunId
    parent: RunId | None
    agent: str | None
    began: int
    ended: int | None
    ending: str | None
    moments: tuple[Moment, ...]


def of_run(run: RunId, records: Iterable[Record]) -> Iterator[tuple[Record, int]]:
    """The records of a run and its sub-runs, each with its depth, out of a user's records in
    order."""
    depths = {run: 0}
    for record in records:
        if record.run not in depths and record.parent in depths:
            depths[record.run] = depths[record.parent] + 1
        if record.run in depths:
            yield record, depths[record.run]


def timeline(
    run: RunId, records: Iterable[Record], reports: EventReports, policies: Policies = POLICIES
) -> Timeline:
    """The timeline of `run`, from its user's records in order; records of other runs are skipped.

    Raises `ValueError` if no record belongs to the run.
    """
    mine = list(of_run(run, records))
    if not mine:
        raise ValueError(f"none of the records belongs to {run}")
    first = mine[0][0]
    moments = moments_of(mine, reports, policies, began={run: first.at}, run=run)
    own = [moment.event for moment in moments if moment.depth == 0]
    end = next((event for event in own if event.kind in TERMINAL), None)
    return Timeline(
        user=first.user,
        thread=first.thread,
        run=run,
        parent=first.parent,
        agent=_agent(own),
        began=first.at,
        ended=end.at if end else None,
        ending=ending_of(end.kind, end.data) if end else None,
        moments=moments,
    )


def moments_of(
    mine: Iterable[tuple[Record, int]],
    reports: EventReports,
    policies: Policies = POLICIES,
    *,
    run: RunId,
    began: Mapping[str, int],
) -> tuple[Moment, ...]:
    """The moments of some records of `run` and of its sub-runs, each with its depth, in order.
    `began`: when runs did, in ms; of `run` it must be known."""
    seen, clock = _Seen(reports, policies), _Clock(began)
    return tuple(
        seen.moment(record, event, depth, since=_gap(began[run], event.at), took=clock.took(event))
        for record, depth in mine
        for event in [Event.decode(record.body)]
    )


def ending_of(kind: Kind, data: Mapping[str, JSON]) -> str:
    """How a run ended, by its last event: `ok`, `cancelled`, or why it failed."""
    return str(data.get("outcome" if kind is Kind.AGENT_COMPLETED else "reason"))


class _Clock:
    """Durations of runs and tools: as the event says, otherwise measured from their beginning."""

    def __init__(self, began: Mapping[str, int]) -> None:
        self._began = dict(began)

    def took(self, event: Event) -> int | None:
        self._began.setdefault(event.run, event.at)
        call = f"{event.run} {event.data.get('tool_call')}"
        if event.kind is Kind.TOOL_EXECUTING:
            self._began[call] = event.at
        elif event.kind is Kind.TOOL_COMPLETED:
            said = event.data.get("duration_ms")
            return said if isinstance(said, int) else self._since(call, event)
        elif event.kind in TERMINAL:
            return self._since(event.run, event)
        return None

    def _since(self, key: str, event: Event) -> int | None:
        return _gap(self._began[key], event.at) if key in self._began else None


_NO_MARKS: Final[Sequence[Mark]] = ()


class _Seen:
    """The reports, indexed so that an event's are found without scanning all of them."""

    def __init__(self, reports: EventReports, policies: Policies) -> None:
        self._policies = policies
        self._cursors = {cursor.session: cursor for cursor in reports.cursors}
        self._attempts = reports.attempts
        self._letters = {letter.event: letter for letter in reports.letters}
        self._marks: dict[int, list[Mark]] = defaultdict(list)
        for mark in reports.marks:
            self._marks[mark.offset].append(mark)

    def moment(
        self, record: Record, event: Event, depth: int, *, since: int, took: int | None
    ) -> Moment:
        marks = self._marks.get(event.offset, _NO_MARKS)
        cursors = self._cursors.values()
        sights = tuple(
            self._sight(standing, event.offset, marks)
            for standing in standings(event.offset, cursors, marks)
        )
        letter = self._letters.get(event.id)
        stage = furthest(sight.standing for sight in sights)
        return Moment(
            event=event,
            since=since,
            depth=depth,
            took=took,
            sights=sights,
            outcome=outcome_of(stage, self._policies[record.event_class], letter),
            attempts=self._tried(event.offset, letter),
            letter=letter,
        )

    def _sight(self, standing: SessionStanding, offset: int, marks: Sequence[Mark]) -> Sight:
        at = {mark.stage: mark.at for mark in marks if mark.session == standing.session}
        known = [*at.values()]
        cursor = self._cursors.get(SessionId.trusted(standing.session))
        if cursor is not None and cursor_stage(cursor, offset) is ReceiptStage.RECEIVED:
            known.append(cursor.at)
        return Sight(standing, min(known, default=None), at.get("displayed"), at.get("confirmed"))

    def _tried(self, offset: int, letter: DeadLetter | None) -> tuple[Attempt, ...]:
        """The attempts of an event. Once it has an outcome, only a dead letter still has them."""
        if letter is not None:
            return tuple(letter.attempts)
        return tuple(each for each in self._attempts if each.after < offset <= each.through)


def _agent(events: Iterable[Event]) -> str | None:
    started = (event for event in events if event.kind is Kind.AGENT_STARTED)
    return next((str(event.data.get("agent")) for event in started), None)


def _gap(since: int, until: int) -> int:
    """The duration in ms, 0 if the wall clock was set back in between."""
    return max(0, until - since)
