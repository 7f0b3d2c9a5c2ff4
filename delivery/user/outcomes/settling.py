"""Settling: every event gets its one outcome; events received by no client become dead letters."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import attrs
import outcome

from greenroom.actors.guard import call_guarded
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.kinds import EventClass, class_of
from greenroom.delivery.events.policy import LetterLevel, Policies, Policy
from greenroom.delivery.events.record import Attempt, DeadLetter, Entry, Record, Settled
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.journal.journal import MOST_REPORTS
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.journal.undelivered import Reached
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.messages import UserMessage
from greenroom.delivery.user.parts import UserParts

logger = logging.getLogger("greenroom.delivery")

AT_ONCE = 200
"""Events of a class settled at a time, so that other questions to the journal get their turn."""

ATTEMPTS_KEPT = 100
"""Attempts kept with one dead letter: the first ones."""

AGAIN_SECONDS = 60.0
"""Seconds until the next try if the journal could not answer."""


@attrs.frozen
class Settlement:
    """The offset each class is settled through, the dead letters, and when to look again (ms).

    `runs`: those of the dead letters' events. `due` is None if every event has its outcome.
    """

    settled: Sequence[Settled]
    letters: Sequence[DeadLetter]
    runs: Mapping[EventId, RunId]
    due: int | None


@attrs.frozen
class ReadSettlement(Question[Settlement]):
    """The user's events that can be settled at `now` (ms), at most `AT_ONCE` per class."""

    user: UserId
    policies: Policies
    now: int

    def answer(self, reads: Reads) -> Settlement:
        known = reads.settled(self.user)
        found = [
            _Settling(reads, self.user, each, self.policies[each], self.now).go_on(known[each])
            for each in EventClass
        ]
        dues = [each.due for each in found if each.due is not None]
        return Settlement(
            [settled for each in found for settled in each.settled],
            [letter for each in found for letter in each.letters],
            {event: run for each in found for event, run in each.runs.items()},
            min(dues, default=None),
        )


@attrs.frozen
class _Settling:
    """One class of one user's events."""

    reads: Reads
    user: UserId
    event_class: EventClass
    policy: Policy
    now: int

    def go_on(self, start: int) -> Settlement:
        through = self._received_through(start)
        events = self.reads.reached(self.user, through, AT_ONCE)
        overdue: list[Reached] = []
        due = self.now if len(events) == AT_ONCE else None  # there may be more
        for event in events:
            if event.event_class is self.event_class and not self._is_done(event):
                if not self.policy.is_over(event.since, self.now):
                    due = event.since + round(self.policy.expires_after * 1000)
                    break
                overdue.append(event)
            through = event.offset
        settled = [Settled(self.user, self.event_class, through)] if through > start else []
        runs = {event.event: event.run for event in overdue}
        return Settlement(settled, self._letters(overdue), runs, due)

    def _received_through(self, through: int) -> int:
        """Most of the log was received without a gap: skip that part."""
        if self.policy.done is not ReceiptStage.RECEIVED:
            return through
        return self.reads.received_through(self.user, through)

    def _is_done(self, event: Reached) -> bool:
        if event.confirmed:
            return True
        if event.displayed:
            return self.policy.done is not ReceiptStage.CONFIRMED
        return event.received and self.policy.done is ReceiptStage.RECEIVED

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


class Settler:
    """A part of the user actor: settles events when it starts and whenever events are due.

    It looks again only after its findings are durable, so nothing is found twice.
    """

    __slots__ = (
        "_actor",
        "_asked",
        "_connected",
        "_due_in",
        "_looking",
        "_next",
        "_outbox",
        "_parts",
        "_runs",
        "_unseen",
        "_user",
        "_wound",
    )

    def __init__(
        self, user: UserId, parts: UserParts, outbox: Outbox[Reply[Record]], actor: Ref[UserMessage]
    ) -> None:
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._actor = actor
        self._looking = False
        self._connected = False  # True if a client was connected at the last look
        self._runs: Mapping[EventId, RunId] = {}
        self._unseen = False  # True if events became durable since the last look
        self._next: int | None = None
        self._due_in: float | None = None
        self._wound = False
        self._asked: list[Reply[None]] = []

    def look(self) -> None:
        """Ask the journal which events can be settled now."""
        if self._looking:
            return
        self._looking, self._unseen, self._wound, self._due_in = True, False, False, None
        self._connected = self._outbox.connections > 0
        question = ReadSettlement(self._user, self._parts.policies, self._now())
        self._parts.ask_journal(self._actor, question, self._found)

    def settle_all(self, reply: Reply[None]) -> None:
        """Answer once every event that is due has its outcome."""
        self._asked.append(reply)
        self.look()

    def take_due(self) -> float | None:
        """Seconds until the next call of `look`; returned once, then None."""
        due, self._due_in = self._due_in, None
        return due

    def kept(self) -> None:
        """New events are durable. None of them is due before the shortest time to live."""
        self._unseen = True
        if not (self._looking or self._wound):
            self._wind(min(policy.expires_after for policy in self._parts.policies.values()))

    def tell(self, entries: Iterable[Entry]) -> None:
        """These entries are durable: report each bad outcome once."""
        self._report([entry for entry in entries if isinstance(entry, DeadLetter)])
        if any(isinstance(entry, Settled) for entry in entries):
            self._go_on()

    def _found(self, found: ReplyOutcome[Settlement]) -> None:
        if isinstance(found, outcome.Error):
            why = safe_str(found.error)
            logger.warning("%s cannot settle its events now: %s", self._actor.name, why)
            self._looking = False
            self._wind(AGAIN_SECONDS)
            self._answer(found)
            return
        self._next, self._runs = found.value.due, found.value.runs
        letters = [each for each in found.value.letters if not self._came_for(each)]
        self._outbox.note([*letters, *found.value.settled])
        if not found.value.settled:
            self._go_on()

    def _go_on(self) -> None:
        self._looking = False
        more_in = None if self._next is None else (self._next - self._now()) / 1000
        if more_in is not None:
            self._wind(max(0.0, more_in))
        elif self._unseen:
            self.kept()
        if more_in is None or more_in > 0:
            self._answer(outcome.Value(None))

    def _answer(self, result: ReplyOutcome[object]) -> None:
        asked, self._asked = self._asked, []
        for reply in asked:
            if isinstance(result, outcome.Error):
                reply.fail(result.error)
            else:
                reply.succeed(None)

    def _wind(self, seconds: float) -> None:
        self._wound, self._due_in = True, seconds

    def _now(self) -> int:
        return self._parts.now_ms()

    def _came_for(self, letter: DeadLetter) -> bool:
        """A client may have received it while the journal was asked; this actor knows first."""
        policy = self._parts.policies[class_of(letter.kind)]
        return self._outbox.standing(letter.offset).stage >= policy.done

    def _report(self, letters: Sequence[DeadLetter]) -> None:
        of_runs: dict[tuple[RunId, LetterLevel], list[DeadLetter]] = {}
        for letter in letters:
            level = self._level_of(letter)
            if (run := self._runs.get(letter.event)) is not None:
                of_runs.setdefault((run, level), []).append(letter)
            self._count(letter, level)
        for (run, level), some in of_runs.items():
            numeric = logging.getLevelNamesMapping()[level.upper()]
            self._parts.letter_log.write(self._actor.name, run, some, numeric)

    def _level_of(self, letter: DeadLetter) -> LetterLevel:
        policy = self._parts.policies[class_of(letter.kind)]
        return policy.level_of(connected=self._connected or bool(letter.attempts))

    def _count(self, letter: DeadLetter, level: LetterLevel) -> None:
        if letter.outcome == "dead_lettered":
            self._parts.observer.dead_lettered(letter.kind, level)
        else:
            self._parts.observer.expired(letter.kind)
        what = f"on_undelivered failed for {letter.event}"
        call_guarded(what, self._parts.on_undelivered, letter)
