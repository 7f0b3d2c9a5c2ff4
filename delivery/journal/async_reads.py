"""The awaited reads of a `Journal`, for each backend that answers questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Concatenate, ParamSpec, TypeVar

from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.ids import EventId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.record import (
    Attempt,
    Bounds,
    Cursor,
    DeadLetter,
    FailureCause,
    Mark,
    OpenRun,
    Page,
    Record,
    Said,
    ThreadSummary,
)
from greenroom.delivery.journal.journal import MOST_REPORTS
from greenroom.delivery.journal.paging import PAGE_BYTES, check_limit
from greenroom.delivery.journal.reads import Question, Read, Reads
from greenroom.delivery.journal.undelivered import OverdueUsers, Reached, SearchedTo

P = ParamSpec("P")
R = TypeVar("R")


class AsyncReads:
    """A backend derives from it and defines `_answer`."""

    async def _answer(self, question: Question[R]) -> R:
        raise NotImplementedError

    async def _read(
        self, method: Callable[Concatenate[Reads, P], R], *values: P.args, **named: P.kwargs
    ) -> R:
        return await self._answer(Read(method, values, named))

    async def bounds(self, user: UserId) -> Bounds:
        return await self._read(Reads.bounds, user)

    async def read(self, user: UserId, *, after: int, limit: int, max_bytes: int) -> list[Record]:
        check_limit(limit)
        return await self._read(Reads.read, user, after, limit, max_bytes)

    async def history(
        self,
        user: UserId,
        *,
        thread: ThreadId | None,
        before: int | None,
        limit: int,
        max_bytes: int = PAGE_BYTES,
    ) -> Page:
        check_limit(limit)
        return await self._read(Reads.history, user, thread, before, limit, max_bytes)

    async def said(self, user: UserId, say: str) -> Said | None:
        return await self._read(Reads.said, user, say)

    async def open_runs(self, user: UserId) -> list[OpenRun]:
        return await self._read(Reads.open_runs, user)

    async def cursor(self, user: UserId, session: SessionId) -> Cursor | None:
        return await self._read(Reads.cursor, user, session)

    async def event_at(self, user: UserId, offset: int) -> EventId | None:
        return await self._read(Reads.event_at, user, offset)

    async def agrees_through(self, user: UserId, *, offset: int, event: EventId) -> int:
        return await self._read(Reads.agrees_through, user, offset, event)

    async def sent_to(
        self, user: UserId, offset: int, *, limit: int = MOST_REPORTS
    ) -> list[Cursor]:
        check_limit(limit)
        return await self._read(Reads.sent_to, user, offset, limit)

    async def received_through(self, user: UserId, after: int) -> int:
        return await self._read(Reads.received_through, user, after)

    async def reached(self, user: UserId, *, after: int, limit: int) -> list[Reached]:
        check_limit(limit)
        return await self._read(Reads.reached, user, after, limit)

    async def find(self, event: EventId) -> Record | None:
        return await self._read(Reads.find, event)

    async def marks(self, user: UserId, *, after: int, limit: int) -> list[Mark]:
        check_limit(limit)
        return await self._read(Reads.marks, user, after, limit)

    async def attempts(
        self, user: UserId, first: int, last: int | None = None, *, limit: int = MOST_REPORTS
    ) -> list[Attempt]:
        check_limit(limit)
        return await self._read(Reads.attempts, user, first, first if last is None else last, limit)

    async def settled(self, user: UserId) -> Mapping[EventClass, int]:
        return await self._read(Reads.settled, user)

    async def overdue(
        self, event_class: EventClass, *, before: int, after: SearchedTo | None = None, limit: int
    ) -> OverdueUsers:
        check_limit(limit)
        return await self._read(Reads.overdue, event_class, before, after, limit)

    async def dead_letters(
        self, *, user: UserId | None = None, after: EventId | None = None, limit: int
    ) -> list[DeadLetter]:
        check_limit(limit)
        return await self._read(Reads.dead_letters, user, after, limit)

    async def dead_letter(self, event: EventId) -> DeadLetter | None:
        return await self._read(Reads.dead_letter, event)

    async def bans(self, *, after: UserId | None = None, limit: int) -> list[Ban]:
        check_limit(limit)
        return await self._read(Reads.bans, after, limit)

    async def policies_due(self, *, before: int, limit: int) -> list[UserId]:
        check_limit(limit)
        return await self._read(Reads.policies_due, before, limit)

    async def cause(self, event: EventId) -> FailureCause | None:
        return await self._read(Reads.cause, event)

    async def threads(self, user: UserId) -> list[ThreadSummary]:
        return await self._read(Reads.threads, user)
