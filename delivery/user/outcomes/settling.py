"""Settling: every event gets its one outcome; events received by no client become dead letters."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import outcome

from greenroom.actors.guard import call_guarded
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.policy import LetterLevel, RunPolicy, RunSettled
from greenroom.delivery.events.record import DeadLetter, Entry, Record, Settled
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.messages import UserMessage
from greenroom.delivery.user.outcomes.settlement import GivenUpEvent, ReadSettlement, Settlement
from greenroom.delivery.user.parts import UserParts

logger = logging.getLogger("greenroom.delivery")

AGAIN_SECONDS = 60.0
"""Seconds until the next try if the journal could not answer."""


class Settler:
    """A part of the user actor: settles events when it starts and whenever events are due.

    It looks again only after its findings are durable, so nothing is found twice.
    """

    __slots__ = (
        "_actor",
        "_asked",
        "_connected",
        "_given_up",
        "_looking",
        "_next",
        "_outbox",
        "_parts",
        "_shortest",
        "_unseen",
        "_user",
        "_usual",
        "_wound",
        "_wound_for",
        "due_in",
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
        self._given_up: Mapping[EventId, GivenUpEvent] = {}
        self._shortest = self._usual = min(each.expires_after for each in parts.policies.values())
        self._wound_for = 0.0
        self._unseen = False  # True if events became durable since the last look
        self._next: int | None = None
        self.due_in: float | None = None
        self._wound = False
        self._asked: list[Reply[int | None]] = []

    def look(self) -> None:
        """Ask the journal which events can be settled now."""
        if self._looking:
            return
        if not self._parts.leads():
            self._wind(AGAIN_SECONDS)
            self._answer(outcome.Value(None))
            return
        self._looking, self._unseen, self._wound, self.due_in = True, False, False, None
        self._connected = self._outbox.connections > 0
        question = ReadSettlement(self._user, self._parts.policies, self._now())
        self._parts.ask_journal(self._actor, question, self._found)

    def settle_all(self, reply: Reply[int | None]) -> None:
        """Answer once every event that is due has its outcome, with when the next one may be."""
        self._asked.append(reply)
        self.look()

    def take_due(self) -> float | None:
        """`due_in`, the seconds until the next call of `look`: returned once, then None."""
        due, self.due_in = self.due_in, None
        return due

    def kept(self) -> None:
        """New events are durable. None of them is due before the shortest time to live."""
        self._unseen = True
        if not self._looking and (not self._wound or self._wound_for > self._shortest):
            self._wind(self._shortest)

    def tell(self, entries: Iterable[Entry]) -> None:
        """These entries are durable: report each bad outcome once."""
        self._report([entry for entry in entries if isinstance(entry, DeadLetter)])
        if begun := [each for each in entries if isinstance(each, RunPolicy)]:
            self._shortest = min(self._shortest, *(each.policy.expires_after for each in begun))
            self.kept()
        if any(isinstance(entry, Settled | RunSettled) for entry in entries):
            self._go_on()

    def _found(self, found: ReplyOutcome[Settlement]) -> None:
        if isinstance(found, outcome.Error):
            why = safe_str(found.error)
            logger.warning("%s cannot settle its events now: %s", self._actor.name, why)
            self._looking = False
            self._wind(AGAIN_SECONDS)
            self._answer(found)
            return
        self._next, self._given_up = found.value.due, found.value.given_up
        self._shortest = min(self._usual, found.value.shortest or self._usual)
        letters = [each for each in found.value.letters if not self._came_for(each)]
        self._outbox.note([*letters, *found.value.settled])
        if not found.value.settled:
            self._go_on()

    def _go_on(self) -> None:
        self._looking = False
        more_in = None if self._next is None else (self._next - self._now()) / 1000
        if more_in is not None:
            self._wind(max(0.0, min(more_in, self._shortest) if self._unseen else more_in))
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
                reply.succeed(self._next)

    def _wind(self, seconds: float) -> None:
        self._wound, self._wound_for, self.due_in = True, seconds, seconds

    def _now(self) -> int:
        return self._parts.now_ms()

    def _came_for(self, letter: DeadLetter) -> bool:
        """A client may have received it while the journal was asked; this actor knows first."""
        done = self._given_up[letter.event].policy.done
        return self._outbox.standing(letter.offset).stage >= done

    def _report(self, letters: Sequence[DeadLetter]) -> None:
        of_runs: dict[tuple[RunId, LetterLevel], list[DeadLetter]] = {}
        for letter in letters:
            given_up = self._given_up[letter.event]
            connected = self._connected or bool(letter.attempts)
            level = given_up.policy.level_of(connected=connected)
            of_runs.setdefault((given_up.run, level), []).append(letter)
            self._count(letter, level)
        for (run, level), some in of_runs.items():
            numeric = logging.getLevelNamesMapping()[level.upper()]
            self._parts.letter_log.write(self._actor.name, run, some, numeric)

    def _count(self, letter: DeadLetter, level: LetterLevel) -> None:
        if letter.outcome == "dead_lettered":
            self._parts.observer.dead_lettered(letter.kind, level)
        else:
            self._parts.observer.expired(letter.kind)
        what = f"on_undelivered failed for {letter.event}"
        call_guarded(what, self._parts.on_undelivered, letter)
