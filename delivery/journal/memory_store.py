"""The entries of a journal in memory, and what may be read of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import attrs

from greenroom.delivery.events.cause import CAUSES_KEPT, FailureCause
from greenroom.delivery.events.going_on import GoesOn, GoingOn, NotAgain, StepResult
from greenroom.delivery.events.ids import EventId, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import (
    RUN_ENDS,
    RUN_OPENS,
    Attempt,
    Bounds,
    Cursor,
    DeadLetter,
    Entry,
    Mark,
    OpenRun,
    Page,
    Record,
    Said,
    Settled,
    ThreadSummary,
)
from greenroom.delivery.journal.checks import check_ids, check_unsaid, last_offsets
from greenroom.delivery.journal.journal import agreed_through, within
from greenroom.delivery.journal.paging import PAGE_BYTES, page_of
from greenroom.delivery.journal.undelivered import (
    PAUSES_KEPT,
    OverdueUsers,
    Pause,
    Reached,
    SearchedTo,
    Stretches,
    deliverable_since,
    pause_between,
)


class MemoryStore:
    """Implements `Reads`. It grows until trimmed."""

    def __init__(self) -> None:
        self._users: defaultdict[UserId, _UserLog] = defaultdict(_UserLog)
        self._number = 0  # the newest record's number in the log of all users
        self._newest_at: int | None = None
        self._alive: int | None = None
        self._pauses: list[Pause] = []
        self._causes: dict[EventId, FailureCause] = {}

    def keep(self, entries: Sequence[Entry]) -> None:
        """Keep all of the entries or none. Raises `OutOfSequence`, `BadId`, `AlreadySaid`."""
        check_ids(entries)
        check_unsaid(entries, self.said)
        last_offsets(entries, self._last)
        for entry in entries:
            if isinstance(entry, Record):
                self._number += 1
                self._newest_at = entry.at
                self._users[entry.user].keep_record(entry, self._number)
            elif isinstance(entry, FailureCause):
                self._keep_cause(entry)
            else:
                self._users[entry.user].keep(entry)

    def alive(self, now: int, after: int) -> None:
        last = next((at for at in (self._alive, self._newest_at) if at is not None), now)
        if pause := pause_between(last, now, worked=after, number=self._number):
            self._pauses = [*self._pauses, pause][-PAUSES_KEPT:]
        self._alive = now

    def drop_dead_letter(self, event: EventId) -> bool:
        return any(log.dead_letters.pop(event, None) for log in self._users.values())

    def trim(self, user: UserId, through: int) -> int:
        return self._log(user).trim(through)

    def bytes(self) -> int:
        """Bytes of all bodies."""
        return sum(len(r.body) for log in self._users.values() for r in log.records)

    def bounds(self, user: UserId) -> Bounds:
        return self._log(user).bounds()

    def read(self, user: UserId, after: int, limit: int, max_bytes: int) -> list[Record]:
        records = self._log(user).after(after)
        return list(islice(within(max_bytes, records), limit))

    def history(
        self,
        user: UserId,
        thread: ThreadId | None,
        before: int | None,
        limit: int,
        max_bytes: int = PAGE_BYTES,
    ) -> Page:
        newest_first = self._log(user).before(before)
        wanted = (record for record in newest_first if thread in (None, record.thread))
        return page_of(wanted, limit, max_bytes)

    def said(self, user: UserId, say: str) -> Said | None:
        return self._log(user).said.get(say)

    def open_runs(self, user: UserId) -> list[OpenRun]:
        return list(self._log(user).runs.opened.values())

    @property
    def runs(self) -> _Runs:
        return _Runs(self._users)

    def cursor(self, user: UserId, session: SessionId) -> Cursor | None:
        return self._log(user).cursors.get(session)

    def event_at(self, user: UserId, offset: int) -> EventId | None:
        log = self._log(user)
        return log.event_at(offset) if log.trimmed < offset <= log.bounds().last else None

    def agrees_through(self, user: UserId, offset: int, event: EventId) -> int:
        log = self._log(user)
        return agreed_through(offset, event, log.bounds(), log.event_at)

    def sent_to(self, user: UserId, offset: int, limit: int) -> list[Cursor]:
        cursors = self._log(user).cursors.values()
        found = [cursor for cursor in cursors if cursor.start < offset <= cursor.sent]
        found.sort(key=lambda cursor: (cursor.offset < offset, cursor.session))
        return sorted(found[:limit], key=lambda cursor: cursor.session)

    def received_through(self, user: UserId, after: int) -> int:
        return self._log(user).stretches().through(after)

    def reached(self, user: UserId, after: int, limit: int) -> list[Reached]:
        log = self._log(user)
        stretches = log.stretches()
        return [self._reached(log, each, stretches) for each in islice(log.after(after), limit)]

    def find(self, event: EventId) -> Record | None:
        records = (record for log in self._users.values() for record in log.records)
        return next((record for record in records if record.id == event), None)

    def marks(self, user: UserId, after: int, limit: int) -> list[Mark]:
        marks = self._log(user).marks
        found = [marks[key] for key in sorted(marks) if key[0] > after]
        end = found[min(limit, len(found)) - 1].offset if found else 0
        return [mark for mark in found if mark.offset <= end]

    def attempts(self, user: UserId, first: int, last: int, limit: int) -> list[Attempt]:
        attempts = self._log(user).attempts
        found = (each for each in attempts if each.after < last and first <= each.through)
        return list(islice(found, limit))

    def settled(self, user: UserId) -> Mapping[EventClass, int]:
        return dict(self._log(user).settled)

    def overdue(
        self, event_class: EventClass, before: int, after: SearchedTo | None, limit: int
    ) -> OverdueUsers:
        ahead = self._alive if self._alive is not None else math.inf
        waiting = sorted(
            (record.at, user)
            for user, log in self._users.items()
            if (record := log.unsettled.get(event_class))
            and (record.at < before or record.at > ahead)
        )
        looked = [each for each in waiting if after is None or each > after][:limit]
        users = [user for _, user in looked if self._since(user, event_class) < before]
        return OverdueUsers(users, looked[-1] if len(looked) == limit else None)

    def dead_letters(
        self, user: UserId | None, after: EventId | None, limit: int
    ) -> list[DeadLetter]:
        logs = [log for name, log in self._users.items() if user in (None, name)]
        letters = (letter for log in logs for letter in log.dead_letters.values())
        found = sorted(letters, key=lambda letter: letter.event)
        return [letter for letter in found if letter.event > (after or "")][:limit]

    def dead_letter(self, event: EventId) -> DeadLetter | None:
        found = (log.dead_letters.get(event) for log in self._users.values())
        return next(filter(None, found), None)

    def cause(self, event: EventId) -> FailureCause | None:
        return self._causes.get(event)

    def threads(self, user: UserId) -> list[ThreadSummary]:
        summaries: dict[ThreadId, ThreadSummary] = {}
        for record in self._log(user).records:
            summaries[record.thread] = _counted(summaries.get(record.thread), record)
        return list(summaries.values())

    def _keep_cause(self, cause: FailureCause) -> None:
        self._causes[cause.event] = cause
        if len(self._causes) > CAUSES_KEPT:
            del self._causes[next(iter(self._causes))]

    def _log(self, user: UserId) -> _UserLog:
        return self._users.get(user) or _UserLog()

    def _since(self, user: UserId, event_class: EventClass) -> int:
        log = self._users[user]
        return log.since(log.unsettled[event_class], self._pauses)

    def _reached(self, log: _UserLog, record: Record, stretches: Stretches) -> Reached:
        stages = {stage for offset, _, stage in log.marks if offset == record.offset}
        return Reached(
            record.offset,
            record.id,
            record.kind,
            record.event_class,
            log.since(record, self._pauses),
            received=record.offset in stretches,
            displayed="displayed" in stages,
            confirmed="confirmed" in stages,
        )

    def _last(self, user: UserId) -> int:
        log = self._users.get(user)
        return log.bounds().last if log else 0


@attrs.frozen
class _Runs:
    """Implements `RunReads`."""

    users: Mapping[UserId, _UserLog]

    def going_on(self, user: UserId) -> list[GoingOn]:
        kept = self._kept(user)
        return [kept.going_on[run] for run in kept.opened if run in kept.going_on]

    def users_going_on(self, after: UserId | None, limit: int) -> list[UserId]:
        users = sorted(user for user, log in self.users.items() if log.runs.going_on)
        return [user for user in users if user > (after or "")][:limit]

    def step_result(self, user: UserId, run: RunId, key: str) -> str | None:
        return self._kept(user).steps.get(run, {}).get(key)

    def step_results(self, user: UserId, run: RunId) -> int:
        return len(self._kept(user).steps.get(run, ()))

    def _kept(self, user: UserId) -> _RunsKept:
        log = self.users.get(user)
        return log.runs if log else _RunsKept()


@attrs.define(eq=False)
class _UserLog:
    """One user's entries. `records[0]` has the offset `trimmed + 1` and the number `numbers[0]`.

    `unsettled`: the first unsettled record of each class that has one.
    """

    records: list[Record] = attrs.field(factory=list)
    numbers: list[int] = attrs.field(factory=list)
    unsettled: dict[EventClass, Record] = attrs.field(factory=dict)
    trimmed: int = 0
    cursors: dict[SessionId, Cursor] = attrs.field(factory=dict)
    attempts: list[Attempt] = attrs.field(factory=list)
    dead_letters: dict[EventId, DeadLetter] = attrs.field(factory=dict)
    settled: dict[EventClass, int] = attrs.field(factory=lambda: dict.fromkeys(EventClass, 0))
    marks: dict[tuple[int, SessionId, str], Mark] = attrs.field(factory=dict)
    said: dict[str, Said] = attrs.field(factory=dict)
    runs: _RunsKept = attrs.field(factory=lambda: _RunsKept())

    def keep(self, entry: Entry) -> None:
        match entry:
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
            case GoesOn() | NotAgain() | StepResult():
                self.runs.keep(entry)

    def keep_record(self, record: Record, number: int) -> None:
        self.records.append(record)
        self.numbers.append(number)
        self.unsettled.setdefault(record.event_class, record)
        self._keep_said(record)
        self.runs.keep_record(record)

    def since(self, record: Record, pauses: Sequence[Pause]) -> int:
        number = self.numbers[record.offset - self.trimmed - 1]
        return deliverable_since(record.at, number, pauses)

    def stretches(self) -> Stretches:
        return Stretches((cursor.start, cursor.offset) for cursor in self.cursors.values())

    def _settle(self, entry: Settled) -> None:
        known = self.settled[entry.event_class]
        self.settled[entry.event_class] = max(known, entry.through)
        through = min(self.settled.values())
        self.attempts = [each for each in self.attempts if each.through > through]
        self._pass_by(entry.event_class, entry.through)

    def _pass_by(self, event_class: EventClass, through: int) -> None:
        """Move on to the next record. It may be of another class; settling finds that out."""
        oldest = self.unsettled.get(event_class)
        if oldest is not None and oldest.offset <= through:
            following = next(self.after(through), None)
            if following is None:
                del self.unsettled[event_class]
            else:
                self.unsettled[event_class] = following

    def bounds(self) -> Bounds:
        last = self.trimmed + len(self.records)
        return Bounds(self.trimmed + 1 if last else 0, last)

    def event_at(self, offset: int) -> EventId:
        return self.records[offset - self.trimmed - 1].id

    def after(self, offset: int) -> Iterator[Record]:
        start = max(offset - self.trimmed, 0)
        return (self.records[index] for index in range(start, len(self.records)))

    def before(self, offset: int | None) -> Iterator[Record]:
        end = len(self.records) if offset is None else max(offset - self.trimmed - 1, 0)
        end = min(end, len(self.records))
        return (self.records[index] for index in range(end - 1, -1, -1))

    def trim(self, through: int) -> int:
        gone = self.records[: max(through - self.trimmed, 0)]
        del self.records[: len(gone)], self.numbers[: len(gone)]
        self.trimmed += len(gone)
        for event_class in list(self.unsettled):
            self._pass_by(event_class, self.trimmed)
        self.marks = {key: mark for key, mark in self.marks.items() if key[0] > self.trimmed}
        self.said = {}
        for record in self.records:
            self._keep_said(record)
        return len(gone)

    def _keep_said(self, record: Record) -> None:
        if record.say is not None:
            self.said.setdefault(record.say, Said(record.run, record.thread, record.body))


@attrs.define(eq=False)
class _RunsKept:
    """One user's open runs, and what is kept of them until they end."""

    opened: dict[RunId, OpenRun] = attrs.field(factory=dict)
    going_on: dict[RunId, GoingOn] = attrs.field(factory=dict)
    steps: dict[RunId, dict[str, str]] = attrs.field(factory=dict)

    def keep_record(self, record: Record) -> None:
        if record.kind in RUN_OPENS:
            run = OpenRun(record.run, record.thread, record.parent, record.request)
            self.opened.setdefault(record.run, run)
            if record.kind is Kind.AGENT_STARTED and (known := self.going_on.get(record.run)):
                number = known.attempt + 1
                self.going_on[record.run] = attrs.evolve(known, attempt=number, at=record.at)
        elif record.kind in RUN_ENDS:
            for kept in (self.opened, self.going_on, self.steps):
                kept.pop(record.run, None)

    def keep(self, entry: GoesOn | NotAgain | StepResult) -> None:
        run = entry.run
        if run not in self.opened:
            return
        match entry:
            case GoesOn():
                self.going_on.setdefault(run, GoingOn(run, entry.agent, 0, 0, stopped=False))
            case NotAgain() if known := self.going_on.get(run):
                self.going_on[run] = attrs.evolve(known, stopped=True)
            case StepResult():
                self.steps.setdefault(run, {}).setdefault(entry.key, entry.value)


def _counted(summary: ThreadSummary | None, record: Record) -> ThreadSummary:
    if summary is None:
        return ThreadSummary(record.thread, record.offset, record.offset, 1, record.at)
    return attrs.evolve(summary, last=record.offset, events=summary.events + 1, at=record.at)
