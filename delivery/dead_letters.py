"""Dead letters: events that no client received in time, for operators to inspect and requeue."""

from __future__ import annotations

from functools import partial

import orjson
import trio

from greenroom.delivery.errors import UnknownEvent
from greenroom.delivery.events.draft import BadEvent, Draft, draft
from greenroom.delivery.events.ids import EventId, IdSource, UserId
from greenroom.delivery.events.kinds import Event, Kind
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
        """Dead letters, oldest event first, including expired progress events.

        `after`: the last event of the previous page.
        """
        whose = None if user is None else UserId.parse(user)
        past = None if after is None else EventId.parse(after)
        return await self._ledger.journal.dead_letters(user=whose, after=past, limit=limit)

    async def show(self, event: str) -> tuple[DeadLetter, Event]:
        """A dead letter and the event itself. Raises `BadId`, `UnknownEvent`."""
        letter = await self._find(EventId.parse(event))
        record = await self._ledger.record(letter.event)
        return letter, Event.decode(record.body)

    async def requeue(self, event: str) -> Receipt:
        """Emit the event again, at the end of its thread, with a new id and time.

        The dead letter is dropped afterwards, so the second of two simultaneous calls raises
        `UnknownEvent`. A crash or a cancellation in between leaves both the new event and the
        dead letter. Raises `BadEvent` for an event that begins a run, `BadId`, `UnknownEvent`,
        `EventNotKept`, `UserUnavailable`.
        """
        known = EventId.parse(event)
        async with self._one_at_a_time:
            letter = await self._find(known)
            again = redraft(await self._ledger.record(known), self._ids)
            async with self._users.lease(letter.user) as user:
                record = await user.actor.ask(Emit(again))
            await self.drop(known)
        return Receipt.of(record, partial(self._users.lease, letter.user))

    async def drop(self, event: str) -> None:
        """Forget a dead letter; the event stays in its thread. Raises `BadId`, `UnknownEvent`."""
        known = EventId.parse(event)
        if not await self._ledger.journal.drop_dead_letter(known):
            raise no_letter(known)

    async def _find(self, event: EventId) -> DeadLetter:
        letter = await self._ledger.journal.dead_letter(event)
        if letter is None:
            raise no_letter(event)
        return letter


async def requeue_at_rest(journal: Journal, event: EventId, ids: IdSource, now: int) -> Record:
    """Requeue a dead letter in the journal of a stopped server. `now` in ms."""
    letter, record = await journal.dead_letter(event), await journal.find(event)
    if letter is None or record is None:
        raise no_letter(event)
    last = (await journal.bounds(letter.user)).last
    again = redraft(record, ids).record(letter.user, last + 1, now)
    await journal.append([again])
    await journal.drop_dead_letter(event)
    return again


def redraft(record: Record, ids: IdSource) -> Draft:
    """The same event with a new id. Raises `BadEvent` for an event that begins a run, or asks."""
    if record.kind in RUN_OPENS:
        raise BadEvent(
            f"{record.kind} begins a run, and a run cannot begin twice",
            advice="requeue the run's final_report, or ask the user to send the message again",
        )
    if record.kind is Kind.INPUT_REQUESTED:
        raise BadEvent(
            f"{record.kind} asks a question, and a question is asked once",
            advice="drop the letter: while a question is open, each client that connects gets it",
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


def letter_json(letter: DeadLetter, *records: Record | None) -> bytes:
    """A letter as JSON; without a `record`, the event itself is left out."""
    fields: dict[str, object] = {
        "event": str(letter.event),
        "user": str(letter.user),
        "offset": letter.offset,
        "kind": str(letter.kind),
        "outcome": letter.outcome,
        "at": letter.at,
        "attempts": [
            {
                "attempt": each.number,
                "at": each.at,
                "session": str(each.session),
                "connection": str(each.connection),
            }
            for each in letter.attempts
        ],
    }
    for record in records:
        fields["record"] = None if record is None else orjson.Fragment(record.body)
    return orjson.dumps(fields)
