"""Answers the questions of receipts: how far events got, and when they get further."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

import attrs
import outcome

from greenroom.actors.ref import ActorStopped, Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.events.ids import EventId, UserId
from greenroom.delivery.events.policy import Policy
from greenroom.delivery.events.record import Cursor, DeadLetter, Mark, Record
from greenroom.delivery.events.stages import ReceiptStage, SessionStanding, Standing, furthest
from greenroom.delivery.events.standings import outcome_of, standings
from greenroom.delivery.journal.journal import MOST_REPORTS
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.messages import AskStanding, AwaitStage, UserMessage
from greenroom.delivery.user.parts import UserParts

_StageWaiter: TypeAlias = tuple[int, ReceiptStage, Reply[None]]


@attrs.frozen
class Evidence:
    """What the journal knows about one event. `received`: by some session, perhaps forgotten."""

    cursors: Sequence[Cursor]
    marks: Sequence[Mark]
    letter: DeadLetter | None
    received: bool
    policy: Policy | None = None
    """The one of the event's run, if it has its own."""

    def stage(self, sessions: Iterable[SessionStanding]) -> ReceiptStage:
        """The furthest stage that the event reached in these sessions, or in a forgotten one."""
        least = ReceiptStage.RECEIVED if self.received else ReceiptStage.ACCEPTED
        return max(least, furthest(sessions))


@attrs.frozen
class ReadEvidence(Question[Evidence]):
    """What is known about the event at this offset; its dead letter only if `event` is set."""

    user: UserId
    offset: int
    event: EventId | None

    def answer(self, reads: Reads) -> Evidence:
        cursors = reads.sent_to(self.user, self.offset, MOST_REPORTS)
        marks = reads.marks(self.user, self.offset - 1, 1)
        received = reads.received_through(self.user, self.offset - 1) >= self.offset
        if self.event is None:
            return Evidence(cursors, marks, None, received)
        letter, policy = reads.dead_letter(self.event), self._own_policy(reads, self.event)
        return Evidence(cursors, marks, letter, received, policy)

    def _own_policy(self, reads: Reads, event: EventId) -> Policy | None:
        if not (own := reads.run_policies(self.user)) or not (record := reads.find(event)):
            return None
        key = (record.run, record.event_class)
        return next((each.policy for each in own if (each.run, each.event_class) == key), None)


class Receipts:
    """A part of the user actor. An event without questions costs nothing here."""

    __slots__ = ("_actor", "_outbox", "_parts", "_user", "_waiting")

    def __init__(
        self, user: UserId, parts: UserParts, outbox: Outbox[Reply[Record]], actor: Ref[UserMessage]
    ) -> None:
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._actor = actor
        self._waiting: list[_StageWaiter] = []

    def wait(self, request: AwaitStage, reply: Reply[None]) -> None:
        """Answer when the event has reached the stage in some session: now, after the journal
        answered, or later."""
        self._waiting.append((request.offset, request.stage, reply))
        self._parts.gauge.awaits = True
        self.resolve()
        if reply.is_set:
            return
        self._ask_journal(None, request.offset, partial(self._journal_told, request, reply))

    def tell(self, request: AskStanding, reply: Reply[Standing]) -> None:
        """Answer with the event's standing."""
        policy = self._parts.policies[request.event_class]
        answer = partial(self._answer, request.offset, policy, reply)
        self._ask_journal(request.event, request.offset, answer)

    def resolve(self) -> None:
        """A client reported: answer the requests that waited for it."""
        if self._waiting:
            self._waiting = [each for each in self._waiting if not self._resolved(each)]
            self._parts.gauge.awaits = bool(self._waiting)

    def ask_again(self) -> None:
        """Another node's clients may have reported."""
        for offset, stage, reply in self._waiting:
            told = partial(self._journal_told, AwaitStage(offset, stage), reply)
            self._ask_journal(None, offset, told)

    def fail_all(self, error: Callable[[], ActorStopped]) -> None:
        for _, _, reply in self._waiting:
            reply.fail(error())

    def _resolved(self, waiting: _StageWaiter) -> bool:
        offset, stage, reply = waiting
        if not reply.abandoned and self._outbox.standing(offset).stage >= stage:
            reply.succeed(None)
        return reply.abandoned or reply.is_set

    def _journal_told(
        self, request: AwaitStage, reply: Reply[None], kept: ReplyOutcome[Evidence]
    ) -> None:
        """After an error the request waits on: later reports are seen without the journal."""
        if isinstance(kept, outcome.Value):
            sessions = standings(request.offset, kept.value.cursors, kept.value.marks)
            if kept.value.stage(sessions) >= request.stage and not reply.is_set:
                reply.succeed(None)
        self.resolve()

    def _answer(
        self, offset: int, policy: Policy, reply: Reply[Standing], kept: ReplyOutcome[Evidence]
    ) -> None:
        if isinstance(kept, outcome.Error):
            reply.fail(kept.error)
            return
        known = kept.value
        there = standings(offset, known.cursors, known.marks)
        here = {each.session: each for each in self._outbox.standing(offset).sessions}
        for each in there:
            if each.session not in here or here[each.session].stage < each.stage:
                here[each.session] = each
        sessions = tuple(here[session] for session in sorted(here))
        ending = outcome_of(known.stage(there), known.policy or policy, known.letter)
        reply.succeed(Standing(known.stage(sessions), sessions, ending))

    def _ask_journal(
        self, event: EventId | None, offset: int, then: Callable[[ReplyOutcome[Evidence]], None]
    ) -> None:
        self._parts.ask_journal(self._actor, ReadEvidence(self._user, offset, event), then)
