"""The ledger: looks up events by id or by user, including events from before a restart."""

from __future__ import annotations

from functools import partial

from greenroom.delivery.errors import UnknownEvent
from greenroom.delivery.events.ids import EventId, ThreadId, UserId
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.user.users import Users


class Ledger:
    """Receipts for the events in the journal."""

    def __init__(
        self,
        users: Users,
        journal: Journal,
        observer: Observer = NO_OBSERVER,
    ) -> None:
        self._users = users
        self.journal = journal
        self._observer = observer

    async def receipt(self, event: str) -> Receipt:
        """The receipt of an event. Raises `BadId`, `UnknownEvent`, or a `JournalError`."""
        return self._receipt(await self.record(EventId.parse(event)))

    async def receipts(
        self,
        *,
        user: str,
        thread: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Receipt]:
        """The receipts of a user's last events, oldest first.

        `before`: only events below this offset. Raises `BadId`, a `JournalError`, or
        `ValueError` for a limit below 1.
        """
        whose = UserId.parse(user)
        which = None if thread is None else ThreadId.parse(thread)
        page = await self.journal.history(whose, thread=which, before=before, limit=limit)
        return [self._receipt(record) for record in page.records]

    async def record(self, event: EventId) -> Record:
        """The event itself. Raises `UnknownEvent`, or a `JournalError`."""
        record = await self.journal.find(event)
        if record is None:
            self._observer.lookup_failed("event")
            raise UnknownEvent(f"there is no event {event}", advice="it may have been trimmed")
        return record

    def _receipt(self, record: Record) -> Receipt:
        return Receipt.of(record, partial(self._users.lease, record.user))
