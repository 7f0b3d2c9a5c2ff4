"""Questions to the journal, answered beside its writer."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, Never, TypeVar, cast

import attrs
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.errors import MailboxFull
from greenroom.actors.exit import must_go_on
from greenroom.actors.ref import Ask, Ref, Request
from greenroom.delivery.journal.fair_queue import FairQueue
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.observer import NO_OBSERVER, Observer

R = TypeVar("R")

MOST_QUESTIONS = 1_000
"""The maximum number of questions of one user that may wait."""


@attrs.frozen
class LookUp(Request[R], Generic[R]):
    """Ask the journal a question: the answer is the result of awaiting `question(journal)`.

    A question must be short: a few calls of the journal, each bounded in count and bytes; split a
    longer one into pieces. Questions for different keys (`whose`) take turns. A question whose
    `asker` has ended by its turn is dropped.
    """

    question: Callable[[Journal], Awaitable[R]]
    whose: Hashable = None
    asker: Ref[Never] | None = None

    @property
    def in_vain(self) -> bool:
        """Whether the asker has ended."""
        return self.asker is not None and self.asker.exit_reason is not None


@attrs.frozen
class _GoOn:
    """Sent by the look-up to itself when more questions wait."""


@attrs.frozen
class _QuestionOf:
    """Remembers a question without keeping its asker alive."""

    whose: Hashable


class JournalLookUp(Actor[LookUp[Any] | _GoOn]):
    """Answers questions one after another, and never makes the writer wait.

    Users take turns: between two questions of a user, at most one of each other user is answered.
    """

    capacity = 100_000

    def __init__(self, journal: Journal, observer: Observer = NO_OBSERVER) -> None:
        self._journal = journal
        self._observer = observer
        self._queue: FairQueue[Ask[Any]] = FairQueue(each=MOST_QUESTIONS)

    async def receive_many(self, messages: deque[LookUp[Any] | _GoOn | Ask[object]]) -> None:
        """Queue all messages and answer one question, so that new messages are seen in between."""
        while messages:
            message = messages.popleft()
            if isinstance(message, Ask) and isinstance(message.request, LookUp):
                self._put(message, message.request)
        if self._queue:
            await self._look_up(self._queue.take())
        if self._queue:
            self.ref.tell_owed(_GoOn())

    def _put(self, ask: Ask[Any], request: LookUp[Any]) -> None:
        self.recent.append(_QuestionOf(request.whose))
        if not self._queue.put(request.whose, ask):
            full = f"at most {MOST_QUESTIONS} questions of one asker may wait for the journal"
            ask.reply.fail(MailboxFull(full, advice="ask again when an earlier one is answered"))

    async def _look_up(self, ask: Ask[Any]) -> None:
        request = cast(LookUp[Any], ask.request)
        if ask.reply.abandoned or request.in_vain:
            return
        began = trio.current_time()
        try:
            ask.reply.succeed(await request.question(self._journal))
        except BaseException as error:
            if must_go_on(error):
                raise
            self._observer.lookup_failed("journal")
            ask.reply.fail(error)
        self._observer.looked_up(trio.current_time() - began)
