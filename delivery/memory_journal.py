"""A journal in memory: for tests, demos and services that may forget at exit."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import attrs
import trio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.errors import JournalClosed
from greenroom.delivery.events import EventClass
from greenroom.delivery.ids import EventId, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.journal import (
    RUN_ENDS,
    RUN_OPENS,
    Attempt,
    Bounds,
    Cursor,
    DeadLetter,
    Entry,
    JournalStatistics,
    Mark,
    OpenRun,
    Page,
    Record,
    Said,
    Settled,
    ThreadSummary,
    agreed_through,
    check_ids,
    check_limit,
    last_offsets,
    within,
)


class MemoryJournal:
    """Keeps the whole promise of `Journal` but durability. Grows until trimmed."""

    def __init__(self, *, epoch: str | None = None) -> None:
        self._epoch = epoch or secrets.token_urlsafe(12)
        self._users: dict[UserId, _UserLog] = {}
        self._closed = False
        self._appends = self._entries = self._failures = 0

    @property
    def epoch(self) -> str:
        return self._epoch

    async def append(self, entries: Sequence[Entry]) -> None:
        await self._ready()
        try:
            check_ids(entries)
            last_offsets(entries, self._last)
        except GreenroomError:
            self._failures += 1
            raise
        for entry in entries:
            self._users.setdefault(entry.user, _UserLog()).keep(entry)
        self._appends += 1
        self._entries += len(entries)

    async def bounds(self, user: UserId) -> Bounds:
        return (await self._log(user)).bounds()

    async def read(self, user: UserId, *, after: int, limit: int, max_bytes: int) -> list[Record]:
        check_limit(limit)
        records = (await self._log(user)).after(after)
        return list(islice(within(max_bytes, records), limit))

    async def history(
        self, user: UserId, *, thread: ThreadId | None, before: int | None, limit: int
    ) -> Page:
        check_limit(limit)
        newest_first = (await self._log(user)).before(before)
        wanted = (record for record in newest_first if thread in (None, record.thread))
        found = list(islice(wanted, limit + 1))
        return Page(found[:limit][::-1], more=len(found) > limit)

    async def said(self, user: UserId, say: str) -> Said | None:
        return (await self._log(user)).said.get(say)

    async def open_runs(self, user: UserId) -> list[OpenRun]:
        return list((await self._log(user)).open_runs.values())

    async def cursor(self, user: UserId, session: SessionId) -> Cursor | None:
        return (await self._log(user)).cursors.get(session)

    async def event_at(self, user: UserId, offset: int) -> EventId | None:
        log = await self._log(user)
        return log.event_at(offset) if log.trimmed < offset <= log.bounds().last else None

    async def agrees_through(self, user: UserId, *, offset: int, event: EventId) -> int:
        log = await self._log(user)
        return agreed_through(offset, event, log.bounds(), log.event_at)

    async def sent_to(self, user: UserId, offset: int) -> list[Cursor]:
        cursors = (await self._log(user)).cursors
        found = [cursors[session] for session in sorted(cursors)]
        return [cursor for cursor in found if cursor.start < offset <= cursor.sent]

    async def find(self, event: EventId) -> Record | None:
        await self._ready()
        records = (record for log in self._users.values() for record in log.records)
        return next((record for record in records if record.id == event), None)

    async def marks(self, user: UserId, *, after: int, limit: int) -> list[Mark]:
        check_limit(limit)
        marks = (await self._log(user)).marks
        found = [marks[key] for key in sorted(marks) if key[0] > after]
        end = found[min(limit, len(found)) - 1].offset if found else 0
        return [mark for mark in found if mark.offset <= end]

    async def attempts(self, user: UserId, offset: int) -> list[Attempt]:
        attempts = (await self._log(user)).attempts
        return [each for each in attempts if each.after < offset <= each.through]

    async def settled(self, user: UserId) -> Mapping[EventClass, int]:
        return dict((await self._log(user)).settled)

    async def overdue(
        self, before: Mapping[EventClass, int], *, after: str, limit: int
    ) -> list[UserId]:
        check_limit(limit)
        await self._ready()
        users = (user for user in sorted(self._users) if user > after)
        return list(islice((u for u in users if self._users[u].is_overdue(before)), limit))

    async def dead_letters(
        self, *, user: UserId | None = None, after: EventId | None = None, limit: int
    ) -> list[DeadLetter]:
        check_limit(limit)
        await self._ready()
        logs = [log for name, log in self._users.items() if user in (None, name)]
        letters = (letter for log in logs for letter in log.dead_letters.values())
        found = sorted(letters, key=lambda letter: letter.event)
        return [letter for letter in found if letter.event > (after or "")][:limit]

    async def dead_letter(self, event: EventId) -> DeadLetter | None:
        await self._ready()
        found = (log.dead_letters.get(event) for log in self._users.values())
        return next(filter(None, found), None)

    async def drop_dead_letter(self, event: EventId) -> bool:
        await self._ready()
        return any(log.dead_letters.pop(event, None) for log in self._users.values())

    async def threads(self, user: UserId) -> list[ThreadSummary]:
        summaries: dict[ThreadId, ThreadSummary] = {}
        for record in (await self._log(user)).records:
            summaries[record.thread] = _counted(summaries.get(record.thread), record)
        return list(summaries.values())

    async def trim(self, user: UserId, *, through: int) -> int:
        return (await self._log(user)).trim(through)

    def statistics(self) -> JournalStatistics:
        return JournalStatistics(
            appends=self._appends,
            entries=self._entries,
            failures=self._failures,
            waiting=0,
            peak_waiting=0,
            bytes=sum(len(r.body) for log in self._users.values() for r in log.records),
        )

    async def aclose(self) -> None:
        self._closed = True
        await trio.lowlevel.checkpoint()

    async def _ready(self) -> None:
        if self._closed:
            raise JournalClosed("the journal is closed")
        await trio.lowlevel.checkpoint()

    async def _log(self, user: UserId) -> _UserLog:
        await self._ready()
        return self._users.get(user) or _UserLog()

    def _last(self, user: UserId) -> int:
        log = self._users.get(user)
        return log.bounds().last if log else 0


@attrs.define(eq=False)
class _UserLog:
    """One user's entries. `records[0]` has the offset `trimmed + 1`."""

    records: list[Record] = attrs.field(factory=list)
    trimmed: int = 0
    cursors: dict[SessionId, Cursor] = attrs.field(factory=dict)
    attempts: list[Attempt] = attrs.field(factory=list)
    dead_letters: dict[EventId, DeadLetter] = attrs.field(factory=dict)
    settled: dict[EventClass, int] = attrs.field(factory=lambda: dict.fromkeys(EventClass, 0))
    marks: dict[tuple[int, SessionId, str], Mark] = attrs.field(factory=dict)
    said: dict[str, Said] = attrs.field(factory=dict)
    open_runs: dict[RunId, OpenRun] = attrs.field(factory=dict)

    def keep(self, entry: Entry) -> None:
        match entry:
            case Record():
                self._keep_record(entry)
            case Cursor():
                known = self.cursors.get(entry.session)
                self.cursors[entry.session] = entry.after(known)
            case Mark():
                self.marks[entry.offset, entry.session, entry.stage] = entry
            case Attempt():
                self.attempts.append(entry)
            case DeadLetter():
                self.dead_letters[entry.event] = entry
            case Settled():
                self._settle(entry)

    def _settle(self, entry: Settled) -> None:
        known = self.settled[entry.event_class]
        self.settled[entry.event_class] = max(known, entry.through)
        through = min(self.settled.values())
        self.attempts = [each for each in self.attempts if each.through > through]

    def is_overdue(self, before: Mapping[EventClass, int]) -> bool:
        oldest: dict[EventClass, int] = {}
        for record in self.records:
            if record.offset > self.settled[record.event_class]:
                oldest.setdefault(record.event_class, record.at)
        return any(at < before.get(event_class, 0) for event_class, at in oldest.items())

    def _keep_record(self, record: Record) -> None:
        self.records.append(record)
        self._keep_said(record)
        if record.kind in RUN_OPENS:
            run = OpenRun(record.run, record.thread, record.parent, record.request)
            self.open_runs.setdefault(record.run, run)
        elif record.kind in RUN_ENDS:
            self.open_runs.pop(record.run, None)

    def bounds(self) -> Bounds:
        last = self.trimmed + len(self.records)
        return Bounds(self.trimmed + 1 if last else 0, last)

    def event_at(self, offset: int) -> EventId:
        return self.records[offset - self.trimmed - 1].id

    def after(self, offset: int) -> Iterator[Record]:
        return islice(self.records, max(offset - self.trimmed, 0), None)

    def before(self, offset: int | None) -> Iterator[Record]:
        end = len(self.records) if offset is None else max(offset - self.trimmed - 1, 0)
        return iter(self.records[:end][::-1])

    def trim(self, through: int) -> int:
        gone = self.records[: max(through - self.trimmed, 0)]
        del self.records[: len(gone)]
        self.trimmed += len(gone)
        self.marks = {key: mark for key, mark in self.marks.items() if key[0] > self.trimmed}
        self.said = {}
        for record in self.records:
            self._keep_said(record)
        return len(gone)

    def _keep_said(self, record: Record) -> None:
        if record.say is not None:
            self.said.setdefault(record.say, Said(record.run, record.thread))


def _counted(summary: ThreadSummary | None, record: Record) -> ThreadSummary:
    if summary is None:
        return ThreadSummary(record.thread, record.offset, record.offset, 1, record.at)
    return attrs.evolve(summary, last=record.offset, events=summary.events + 1, at=record.at)
