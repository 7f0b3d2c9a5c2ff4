"""Dead letters: events that nobody received in time, to be looked at and sent anew."""

from __future__ import annotations

import trio

from greenroom.delivery.errors import UnknownEvent
from greenroom.delivery.events.draft import BadEvent, Draft, draft
from greenroom.delivery.events.ids import EventId, IdSource, UserId
from greenroom.delivery.events.kinds import Event
from greenroom.delivery.events.record import RUN_OPENS, DeadLetter, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.ledger import Ledger
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.user.messages import Emit
from greenroom.delivery.user.users import Users


class DeadLetters:
    """The dead letters of a running server. Raises `JournalError`s."""

    def __init__(self, users: Users, ledger: Ledger, ids: IdSource) -> None:
        self._users = users
        self._ledger = ledger
        self._ids = ids
        self._one_at_a_time = trio.Lock()

    async def list(
        self, *, user: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[DeadLetter]:
        """Oldest event first, expired progress among them; `after` an event, to page on."""
        whose = None if user is None else UserId.parse(user)
        past = None if after is None else EventId.parse(after)
        return await self._ledger.ask(
            lambda journal: journal.dead_letters(user=whose, after=past, limit=limit)
        )

    async def show(self, event: str) -> tuple[DeadLetter, Event]:
        """A dead letter and the event itself. Raises `BadId`, `UnknownEvent`."""
        letter = await self._find(EventId.parse(event))
        record = await self._ledger.record(letter.event)
        return letter, Event.decode(record.body)

    async def requeue(self, event: str) -> Receipt:
        """Emit it anew, at the end of its thread, with an id and a time of its own.

        Dropped as a dead letter then: of two who ask at once, the second is told that it is none.
        A crash or a cancellation in between leaves both. Raises `BadEvent` for what begins a run,
        `BadId`, `UnknownEvent`, `EventNotKept`, `UserUnavailable`.
        """
        known = EventId.parse(event)
        async with self._one_at_a_time:
            letter = await self._find(known)
            again = anew(await self._ledger.record(known), self._ids)
            async with self._users.lease(letter.user) as user:
                record = await user.actor.ask(Emit(again))
            await self.drop(known)
        return Receipt.of(record, lambda: self._users.lease(letter.user))

    async def drop(self, event: str) -> None:
        """Forget a dead letter; the event stays in its thread. Raises `BadId`, `UnknownEvent`."""
        known = EventId.parse(event)
        if not await self._ledger.ask(lambda journal: journal.drop_dead_letter(known)):
            raise no_letter(known)

    async def _find(self, event: EventId) -> DeadLetter:
        letter = await self._ledger.ask(lambda journal: journal.dead_letter(event))
        if letter is None:
            raise no_letter(event)
        return letter


async def requeue_at_rest(journal: Journal, event: EventId, ids: IdSource, now: int) -> Record:
    """`DeadLetters.requeue` on the journal of a stopped server. `now` in ms."""
    letter, record = await journal.dead_letter(event), await journal.find(event)
    if letter is None or record is None:
        raise no_letter(event)
    last = (await journal.bounds(letter.user)).last
    again = anew(record, ids).record(letter.user, last + 1, now)
    await journal.append([again])
    await journal.drop_dead_letter(event)
    return again


def anew(record: Record, ids: IdSource) -> Draft:
    """The same event once more, with an id of its own. Raises `BadEvent` for a run's beginning."""
    if record.kind in RUN_OPENS:
        raise BadEvent(
            f"{record.kind} begins a run, which cannot begin again",
            advice="requeue its final_report, or have the user ask anew",
        )
    return draft(
        event=ids.new(EventId),
        kind=record.kind,
        thread=record.thread,
        run=record.run,
        parent=record.parent,
        request=record.request,
        data=Event.decode(record.body).data,
    )


def no_letter(event: EventId) -> UnknownEvent:
    return UnknownEvent(f"{event} is no dead letter", advice="greenroom dead-letters list")
