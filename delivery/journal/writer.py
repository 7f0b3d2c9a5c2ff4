"""The actors in front of the journal: one writes, one looks up.

The writer drains its mailbox into one `Journal.append`: a group commit for all users, whatever
the backend. What arrives while the disk works is the next group.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from typing import Any, Generic, Never, TypeAlias, TypeVar, cast

import attrs
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.errors import GreenroomError, MailboxFull
from greenroom.actors.exit import ended_by, must_go_on
from greenroom.actors.ref import ActorStopped, Ask, Ref, Request
from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.fair_queue import FairQueue
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.observer import NO_OBSERVER, Observer

R = TypeVar("R")

HEAVY_BYTES = 64 * 1024
"""Of one user's entries: more than these are committed behind what the others have."""

MOST_QUESTIONS = 1_000
"""Of one user that wait at a time."""


@attrs.frozen
class Append(Request[None]):
    """Keep one user's entries. Answered when they are durable, and all that was sent before."""

    entries: Sequence[Entry]


@attrs.frozen
class LookUp(Request[R], Generic[R]):
    """Ask the journal something: `question(journal)` is awaited, its result is the answer.

    A question is short: a few calls of the journal, each bounded in count and bytes; what takes
    more is asked piece by piece. Those asked for different keys (`whose`) take turns. A question
    whose `asker` has ended by its turn is dropped.
    """

    question: Callable[[Journal], Awaitable[R]]
    whose: Hashable = None
    asker: Ref[Never] | None = None

    @property
    def in_vain(self) -> bool:
        """Nobody is left to take the answer."""
        return self.asker is not None and self.asker.exit_reason is not None


Group: TypeAlias = Sequence[Ask[Any]]  # Any: asks of a batch differ in their answer


class JournalWriter(Actor[Append]):
    """Appends what all users want to keep, a group at a time."""

    capacity = 100_000

    def __init__(self, journal: Journal, observer: Observer = NO_OBSERVER) -> None:
        self._journal = journal
        self._observer = observer

    async def receive_many(self, messages: deque[Append | Ask[object]]) -> None:
        group = [message for message in messages if isinstance(message, Ask)]
        self.recent.extend(group)
        try:
            for part in _the_light_first(group):
                await self._commit(part)
        except BaseException as error:
            for ask in group:
                ask.reply.fail(ActorStopped(self.ref.name, ended_by(error)))
            raise
        finally:
            messages.clear()

    async def _commit(self, group: Group) -> None:
        """One append for the group; if it is refused, one each, so that only the culprit fails."""
        try:
            await self._append([e for ask in group for e in _entries(ask)])
        except GreenroomError as error:  # of the journal, or an id that its user must answer for
            self._observer.append_failed(type(error).__name__)
            if len(group) == 1:
                group[0].reply.fail(error)
            else:
                for ask in group:
                    await self._commit([ask])
        else:
            for ask in group:
                ask.reply.succeed(None)

    async def _append(self, entries: list[Entry]) -> None:
        if not entries:
            return  # whoever asks waits for what was sent before, and that is done
        began = trio.current_time()
        await self._journal.append(entries)
        size = sum(len(entry.body) for entry in entries if type(entry) is Record)
        self._observer.appended(trio.current_time() - began, len(entries), size)


@attrs.frozen
class _GoOn:
    """More questions wait."""


@attrs.frozen
class _QuestionOf:
    """What is remembered of a question: it knows its asker, which is not to stay for that."""

    whose: Hashable


class JournalLookUp(Actor[LookUp[Any] | _GoOn]):
    """Answers questions one after another, beside the writer and never in front of it.

    Users take turns: one who asks much waits longer for it, and the others no longer than for
    one question of each.
    """

    capacity = 100_000

    def __init__(self, journal: Journal, observer: Observer = NO_OBSERVER) -> None:
        self._journal = journal
        self._observer = observer
        self._queue: FairQueue[Ask[Any]] = FairQueue(each=MOST_QUESTIONS)

    async def receive_many(self, messages: deque[LookUp[Any] | _GoOn | Ask[object]]) -> None:
        """Put all that came in the queue and answer one, so that those who come next are seen."""
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
            full = f"{MOST_QUESTIONS} questions of one asker wait for the journal already"
            ask.reply.fail(MailboxFull(full, advice="ask again later"))

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


def _the_light_first(group: Group) -> Iterator[Group]:
    """What a user has much of does not hold up the others' commit. Whoever asks with nothing waits
    for all that was sent before, so they come last."""
    heavy = [ask for ask in group if _bytes(ask) > HEAVY_BYTES]
    if not heavy or len(heavy) == len(group):
        yield group
        return
    known = set(map(id, heavy))
    yield [ask for ask in group if id(ask) not in known and _entries(ask)]
    yield [ask for ask in group if id(ask) in known or not _entries(ask)]


def _bytes(ask: Ask[Any]) -> int:
    return sum(len(entry.body) for entry in _entries(ask) if type(entry) is Record)


def _entries(ask: Ask[Any]) -> Sequence[Entry]:
    assert isinstance(ask.request, Append), "its type of messages has no other request"
    return ask.request.entries
