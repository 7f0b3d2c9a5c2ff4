"""What can be settled now: of each class, and of each run with a policy of its own (pure).

The events of a class are settled in order, so one number says how far. Runs with policies of their
own each have such a number beside it, because their events may be due before older ones of the
class. The class passes by their events once they have their outcome.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import attrs

from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.kinds import TERMINAL, EventClass, Kind
from greenroom.delivery.events.policy import Policies, Policy, RunPolicy, RunSettled
from greenroom.delivery.events.record import Attempt, DeadLetter, Settled
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.journal.journal import MOST_REPORTS
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.journal.undelivered import Reached

AT_ONCE = 200
"""Events of a class, or of a run with a policy of its own, that are looked at at a time, so that
other questions to the journal get their turn."""

ATTEMPTS_KEPT = 100
"""Attempts kept with one dead letter: the first ones."""


@attrs.frozen
class GivenUpEvent:
    """The run of an event that was given up, and the policy by which it was."""

    run: RunId
    policy: Policy


@attrs.frozen
class Settlement:
    """How far all is settled, the dead letters with their events, and when to look again (ms).

    `due` is None if every event has its outcome. `shortest`: the shortest time to live that a
    policy of a run gives to later events, in seconds; None if there is no such policy.
    """

    settled: Sequence[Settled | RunSettled] = ()
    letters: Sequence[DeadLetter] = ()
    given_up: Mapping[EventId, GivenUpEvent] = attrs.field(factory=dict)
    due: int | None = None
    shortest: float | None = None


@attrs.frozen
class ReadSettlement(Question[Settlement]):
    """The user's events that can be settled at `now` (ms), at most `AT_ONCE` per policy."""

    user: UserId
    policies: Policies
    now: int

    def answer(self, reads: Reads) -> Settlement:
        known, own = reads.settled(self.user), reads.run_policies(self.user)
        still_open = {run.run for run in reads.open_runs(self.user)} if own else set[RunId]()
        runs = [_RunSettling.of(reads, each, self.now).go_on(still_open) for each in own]
        classes = [
            _ClassSettling(reads, self.user, each, self.policies[each], self.now, _of(each, runs))
            for each in EventClass
        ]
        found = [each.go_on(known[each.event_class]) for each in classes]
        through = {**known, **{each.event_class: each.through for each in found}}
        judged = [*(each.judged for each in runs), *(each.judged for each in found)]
        dues = [each.due for each in judged if each.due is not None]
        return Settlement(
            [
                *(each.settled for each in found if each.through > known[each.event_class]),
                *_changes(runs, through),
            ],
            [letter for each in judged for letter in each.letters],
            {event: given_up for each in judged for event, given_up in each.given_up.items()},
            min(dues, default=None),
            min((each.policy.expires_after for each in own), default=None),
        )


@attrs.frozen
class _Judged:
    """The dead letters of one policy, and when to look again."""

    letters: Sequence[DeadLetter]
    given_up: Mapping[EventId, GivenUpEvent]
    due: int | None


@attrs.frozen
class _RunSettled:
    """A run's policy before and after this look; `ended`: the run's last event was looked at."""

    before: RunPolicy
    after: RunPolicy
    ended: bool
    judged: _Judged


@attrs.frozen
class _ClassSettled:
    settled: Settled
    judged: _Judged

    @property
    def event_class(self) -> EventClass:
        return self.settled.event_class

    @property
    def through(self) -> int:
        return self.settled.through


def _of(event_class: EventClass, runs: Sequence[_RunSettled]) -> Mapping[RunId, RunPolicy]:
    """The policies of runs that hold for this class."""
    return {each.after.run: each.after for each in runs if each.after.event_class is event_class}


def _changes(
    runs: Sequence[_RunSettled], through: Mapping[EventClass, int]
) -> Iterator[RunSettled]:
    """A policy is forgotten when its class has passed by the run's last event."""
    for each in runs:
        now = each.after
        over = each.ended and now.due is None and through[now.event_class] >= now.through
        if over or now != each.before:
            yield RunSettled(now.user, now.run, now.event_class, now.through, now.due, over)


def is_done(event: Reached, policy: Policy) -> bool:
    """Whether the event has reached the stage at which it counts as delivered, or was erased."""
    if event.confirmed or event.kind is Kind.SUPERSEDED:
        return True
    if event.displayed:
        return policy.done is not ReceiptStage.CONFIRMED
    return event.received and policy.done is ReceiptStage.RECEIVED


def due_at(event: Reached, policy: Policy) -> int:
    """When the event's time is over, in ms."""
    return event.since + round(policy.expires_after * 1000)


@attrs.frozen
class _Judge:
    """Gives up events by one policy."""

    reads: Reads
    user: UserId
    policy: Policy
    now: int

    def judged(self, overdue: Sequence[Reached], due: int | None) -> _Judged:
        given_up = {event.event: GivenUpEvent(event.run, self.policy) for event in overdue}
        return _Judged(self._letters(overdue), given_up, due)

    def _letters(self, events: Sequence[Reached]) -> list[DeadLetter]:
        if not events:
            return []
        first, last = events[0].offset, events[-1].offset
        attempts = self.reads.attempts(self.user, first, last, MOST_REPORTS)
        return [self._letter(event, attempts) for event in events]

    def _letter(self, event: Reached, attempts: Sequence[Attempt]) -> DeadLetter:
        own = [each for each in attempts if each.after < event.offset <= each.through]
        return DeadLetter(
            self.user,
            event.offset,
            event.event,
            event.kind,
            self.policy.given_up,
            own[:ATTEMPTS_KEPT],
            self.now,
        )


@attrs.frozen
class _RunSettling:
    """The events of one class of a run with a policy of its own."""

    reads: Reads
    known: RunPolicy
    now: int
    judge: _Judge

    @classmethod
    def of(cls, reads: Reads, known: RunPolicy, now: int) -> _RunSettling:
        return cls(reads, known, now, _Judge(reads, known.user, known.policy, now))

    def go_on(self, still_open: Set[RunId]) -> _RunSettled:
        """Later events of a run that goes on are due when a policy's time has passed."""
        known, policy = self.known, self.known.policy
        events = self.reads.reached(known.user, known.through, AT_ONCE)
        overdue: list[Reached] = []
        through, ended, due = known.through, False, None
        for event in events:
            if self._waits(event):
                if not policy.is_over(event.since, self.now):
                    due = due_at(event, policy)
                    break
                overdue.append(event)
            through = event.offset
            if ended := event.run == known.run and event.kind in TERMINAL:
                break
        else:
            ended = len(events) < AT_ONCE and known.run not in still_open
            due = None if ended else self._next_look(more=len(events) == AT_ONCE)
        after = attrs.evolve(known, through=through, due=due)
        return _RunSettled(known, after, ended, self.judge.judged(overdue, due))

    def _waits(self, event: Reached) -> bool:
        known = self.known
        of_this = event.run == known.run and event.event_class is known.event_class
        return of_this and not is_done(event, known.policy)

    def _next_look(self, *, more: bool) -> int:
        if more:
            return self.now
        if self.known.due is not None and self.known.due > self.now:
            return self.known.due
        return self.now + round(self.known.policy.expires_after * 1000)


@attrs.frozen
class _ClassSettling:
    """One class of one user's events; `own`: the policies of runs, as far as they are settled."""

    reads: Reads
    user: UserId
    event_class: EventClass
    policy: Policy
    now: int
    own: Mapping[RunId, RunPolicy]

    def go_on(self, start: int) -> _ClassSettled:
        through = self._received_through(start)
        events = self.reads.reached(self.user, through, AT_ONCE)
        overdue: list[Reached] = []
        due = self.now if len(events) == AT_ONCE else None  # there may be more
        for event in events:
            if event.event_class is self.event_class:
                if (own := self.own.get(event.run)) is not None:
                    if event.offset > own.through and not is_done(event, own.policy):
                        due = None  # the run's own policy says when
                        break
                elif not is_done(event, self.policy):
                    if not self.policy.is_over(event.since, self.now):
                        due = due_at(event, self.policy)
                        break
                    overdue.append(event)
            through = event.offset
        judge = _Judge(self.reads, self.user, self.policy, self.now)
        settled = Settled(self.user, self.event_class, through)
        return _ClassSettled(settled, judge.judged(overdue, due))

    def _received_through(self, through: int) -> int:
        """Most of the log was received without a gap: skip that part."""
        policies = [self.policy, *(each.policy for each in self.own.values())]
        if any(policy.done is not ReceiptStage.RECEIVED for policy in policies):
            return through
        return self.reads.received_through(self.user, through)
