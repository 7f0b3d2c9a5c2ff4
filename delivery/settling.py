"""Settling: every event gets its one outcome, those that nobody came for become dead letters."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import attrs
import outcome

from greenroom.actors.guard import call_guarded
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Outcome, Reply
from greenroom.actors.safe_text import safe_str
from greenroom.delivery.events import EventClass, class_of
from greenroom.delivery.ids import UserId
from greenroom.delivery.journal import DeadLetter, Entry, Journal, Record, Settled
from greenroom.delivery.outbox import Outbox
from greenroom.delivery.policy import Policies, Policy
from greenroom.delivery.stages import ReceiptStage, furthest, standings
from greenroom.delivery.user_messages import UserMessage
from greenroom.delivery.user_parts import UserParts

logger = logging.getLogger("greenroom.delivery")

AT_ONCE = 200
"""Events looked at in one go, so that other questions to the journal get their turn."""

AGAIN_SECONDS = 60.0
"""When to try again after the journal could not answer."""


@attrs.frozen
class Settlement:
    """What is settled through where, the letters of those given up, and when to look again (ms).

    `due` is None when every event has its outcome.
    """

    settled: Sequence[Settled]
    letters: Sequence[DeadLetter]
    due: int | None


async def settle(journal: Journal, user: UserId, policies: Policies, now: int) -> Settlement:
    """Decide all of a user's events that can be decided by `now` (ms)."""
    known = await journal.settled(user)
    found = [
        await _Settling(journal, user, each, policies[each], now).go_on(known[each])
        for each in EventClass
    ]
    dues = [each.due for each in found if each.due is not None]
    return Settlement(
        [settled for each in found for settled in each.settled],
        [letter for each in found for letter in each.letters],
        min(dues, default=None),
    )


@attrs.frozen
class _Settling:
    """One class of one user's events."""

    journal: Journal
    user: UserId
    event_class: EventClass
    policy: Policy
    now: int

    async def go_on(self, start: int) -> Settlement:
        through = await self._received_through(start)
        letters: list[DeadLetter] = []
        due = None
        records = await self.journal.read(
            self.user, after=through, limit=AT_ONCE, max_bytes=1024 * 1024
        )
        for record in records:
            if record.event_class is self.event_class and not await self._is_done(record):
                if not self.policy.is_over(record.at, self.now):
                    due = record.at + round(self.policy.expires_after * 1000)
                    break
                letters.append(await self._letter(record))
            through = record.offset
        else:
            due = self.now if records else None  # there may be more
        settled = [Settled(self.user, self.event_class, through)] if through > start else []
        return Settlement(settled, letters, due)

    async def _received_through(self, through: int) -> int:
        """Most of the log was received by one session from end to end: no need to look at it."""
        if self.policy.done is not ReceiptStage.RECEIVED:
            return through
        while further := [
            cursor.offset
            for cursor in await self.journal.sent_to(self.user, through + 1)
            if cursor.offset > through
        ]:
            through = max(further)
        return through

    async def _is_done(self, record: Record) -> bool:
        cursors = await self.journal.sent_to(self.user, record.offset)
        marks = await self.journal.marks(self.user, after=record.offset - 1, limit=1)
        return furthest(standings(record.offset, cursors, marks)) >= self.policy.done

    async def _letter(self, record: Record) -> DeadLetter:
        attempts = await self.journal.attempts(self.user, record.offset)
        given_up, now = self.policy.given_up, self.now
        return DeadLetter(self.user, record.offset, record.id, record.kind, given_up, attempts, now)


class Settler:
    """A part of the user actor: settles when it starts, and whenever something is due.

    It looks again only when what it found is durable, so nothing is found twice.
    """

    def __init__(
        self, user: UserId, parts: UserParts, outbox: Outbox[Reply[Record]], actor: Ref[UserMessage]
    ) -> None:
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._actor = actor
        self._looking = False
        self._unseen = False  # events became durable that no look has seen
        self._next: int | None = None
        self._due_in: float | None = None
        self._wound = False

    def look(self) -> None:
        """Ask the journal what can be settled now."""
        if self._looking:
            return
        self._looking, self._unseen, self._wound, self._due_in = True, False, False, None
        self._parts.ask_journal(
            self._actor,
            lambda journal: settle(journal, self._user, self._parts.policies, self._now()),
            self._found,
        )

    def take_due(self) -> float | None:
        """Seconds until `look` has something to look at; told once."""
        due, self._due_in = self._due_in, None
        return due

    def kept(self) -> None:
        """New events are durable: none of them is due before the shortest time to live."""
        self._unseen = True
        if not (self._looking or self._wound):
            self._wind(min(policy.expires_after for policy in self._parts.policies.values()))

    def tell(self, entries: Iterable[Entry]) -> None:
        """These are durable: make the bad outcomes known, each once."""
        for entry in entries:
            if isinstance(entry, DeadLetter):
                self._tell(entry)
        if any(isinstance(entry, Settled) for entry in entries):
            self._go_on()

    def _found(self, found: Outcome[Settlement]) -> None:
        if isinstance(found, outcome.Error):
            why = safe_str(found.error)
            logger.warning("%s cannot settle its events now: %s", self._actor.name, why)
            self._looking = False
            self._wind(AGAIN_SECONDS)
            return
        self._next = found.value.due
        letters = [each for each in found.value.letters if not self._came_for(each)]
        self._outbox.note([*letters, *found.value.settled])
        if not found.value.settled:
            self._go_on()

    def _go_on(self) -> None:
        self._looking = False
        if self._next is not None:
            self._wind(max(0.0, (self._next - self._now()) / 1000))
        elif self._unseen:
            self.kept()

    def _wind(self, seconds: float) -> None:
        self._wound, self._due_in = True, seconds

    def _now(self) -> int:
        return self._parts.now_ms()

    def _came_for(self, letter: DeadLetter) -> bool:
        """Somebody may have, while the journal was asked: this actor knows it first."""
        policy = self._parts.policies[class_of(letter.kind)]
        return self._outbox.standing(letter.offset).stage >= policy.done

    def _tell(self, letter: DeadLetter) -> None:
        name, attempts = self._actor.name, len(letter.attempts)
        if letter.outcome == "dead_lettered":
            logger.critical(
                "%s: %s %s was received by nobody: dead letter after %d attempts",
                *(name, letter.kind, letter.event, attempts),
            )
            self._parts.observer.dead_lettered(letter.kind)
        else:
            logger.info("%s: %s %s has expired", name, letter.kind, letter.event)
            self._parts.observer.expired(letter.kind)
        what = f"on_undelivered failed for {letter.event}"
        call_guarded(what, self._parts.on_undelivered, letter)
