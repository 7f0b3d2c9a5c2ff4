"""One user's entries in the memory of a journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
import orjson

from greenroom.delivery.events.draft import forgotten
from greenroom.delivery.events.exported import ExportedRow
from greenroom.delivery.events.going_on import GoesOn, NotAgain, StepResult
from greenroom.delivery.events.ids import EventId, RunId, SessionId, ThreadId, UserId, born_beside
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.policy import RunPolicy, RunSettled
from greenroom.delivery.events.record import (
    RUN_ENDS,
    RUN_TURNS,
    Attempt,
    Bounds,
    Cursor,
    DeadLetter,
    Entry,
    Mark,
    Record,
    Said,
    Settled,
)
from greenroom.delivery.events.threads import Thread, erased
from greenroom.delivery.journal.kept.policies import PoliciesKept
from greenroom.delivery.journal.kept.runs import RunsKept
from greenroom.delivery.journal.kept.threads import ThreadsKept
from greenroom.delivery.journal.undelivered import (
    Pause,
    Stretches,
    deliverable_since,
)


@attrs.define(eq=False)
class UserLog:
    """One user's entries. `records[0]` has the offset `trimmed + 1` and the number `numbers[0]`.

    `forgotten`: the offset through which progress events have left only their places.
    `unsettled`: the first unsettled record of each class that has one. `received`: the stretches
    that forgotten sessions received.
    """

    records: list[Record] = attrs.field(factory=list)
    numbers: list[int] = attrs.field(factory=list)
    unsettled: dict[EventClass, Record] = attrs.field(factory=dict)
    trimmed: int = 0
    forgotten: int = 0
    cursors: dict[SessionId, Cursor] = attrs.field(factory=dict)
    received: list[tuple[int, int]] = attrs.field(factory=list)
    attempts: list[Attempt] = attrs.field(factory=list)
    dead_letters: dict[EventId, DeadLetter] = attrs.field(factory=dict)
    settled: dict[EventClass, int] = attrs.field(factory=lambda: dict.fromkeys(EventClass, 0))
    marks: dict[tuple[int, SessionId, str], Mark] = attrs.field(factory=dict)
    said: dict[str, Said] = attrs.field(factory=dict)
    runs: RunsKept = attrs.field(factory=RunsKept)
    threads: ThreadsKept = attrs.field(factory=ThreadsKept)
    policies: PoliciesKept = attrs.field(factory=PoliciesKept)

    def keep(self, entry: Entry) -> None:
        match entry:
            case Cursor():
                known = self.cursors.get(entry.session)
                self.cursors[entry.session] = entry.after(known)
            case Mark(offset=offset) | DeadLetter(offset=offset) if self.is_erased(offset):
                pass
            case Mark():
                self.marks[entry.offset, entry.session, entry.stage] = entry
            case Attempt():
                self.attempts.append(entry)
            case DeadLetter():
                self.dead_letters[entry.event] = entry
            case Settled():
                self._settle(entry)
            case RunPolicy() | RunSettled():
                self.policies.keep(entry)
            case GoesOn() | NotAgain() | StepResult():
                self.runs.keep(entry)

    def keep_record(self, record: Record, number: int) -> None:
        self.records.append(record)
        self.numbers.append(number)
        self.unsettled.setdefault(record.event_class, record)
        if record.say is not None:
            self._keep_said(record)
        self.threads.keep_record(record, self.runs.opened)
        if record.kind in RUN_TURNS:
            self.runs.keep_record(record)

    def since(self, record: Record, pauses: Sequence[Pause]) -> int:
        number = self.numbers[record.offset - self.trimmed - 1]
        return deliverable_since(record.at, number, pauses)

    def stretches(self) -> Stretches:
        cursors = self.cursors.values()
        return Stretches([*self.received, *((each.start, each.offset) for each in cursors)])

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

    @property
    def last(self) -> int:
        return self.trimmed + len(self.records)

    def bounds(self) -> Bounds:
        last = self.last
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

    def said_through(self, through: int) -> set[RunId]:
        """The runs that messages through an offset began."""
        early = self.records[: max(through - self.trimmed, 0)]
        return {each.run for each in early if each.kind is Kind.USER_SAID}

    def trim(self, through: int) -> int:
        gone = self.records[: max(through - self.trimmed, 0)]
        del self.records[: len(gone)], self.numbers[: len(gone)]
        self.trimmed += len(gone)
        self.received = [each for each in self.received if each[1] > self.trimmed]
        for record in gone:
            self.dead_letters.pop(record.id, None)
        for event_class in list(self.unsettled):
            self._pass_by(event_class, self.trimmed)
        self.marks = {key: mark for key, mark in self.marks.items() if key[0] > self.trimmed}
        self.threads.forget(self.trimmed)
        self._find_said()
        return len(gone)

    def forget_progress(self, through: int) -> int:
        """Returns the number of progress events that now have left only their places."""
        gone: set[int] = set()
        for record in self.after(self.forgotten):
            if record.offset > through:
                break
            if record.event_class is EventClass.PROGRESS and record.kind is not Kind.SUPERSEDED:
                gone.add(record.offset)
                self._leave_place(forgotten(record))
        self.forgotten = through
        self.marks = {key: mark for key, mark in self.marks.items() if key[0] not in gone}
        return len(gone)

    def _leave_place(self, place: Record) -> None:
        self.records[place.offset - self.trimmed - 1] = place
        self.dead_letters.pop(place.id, None)
        self.threads.leave_place(place)

    def forget_sessions(self, before: int) -> int:
        """What they received stays received."""
        settled = min(self.settled.values())
        unseen = [
            each
            for each in self.cursors.values()
            if each.at < before and max(each.offset, each.sent) <= settled
        ]
        stretches = [*self.received, *((each.start, each.offset) for each in unseen)]
        self.received = [each for each in Stretches(stretches) if each[1] > self.trimmed]
        for cursor in unseen:
            del self.cursors[cursor.session]
        return len(unseen)

    def rows(self) -> Iterator[ExportedRow]:
        """All that is kept, as rows of tables."""
        for record in self.records:
            yield _row("log", record)
        for cursor in self.cursors.values():
            yield _row("cursor", cursor)
        for mark in self.marks.values():
            yield _row("mark", mark)
        for letter in self.dead_letters.values():
            yield _row("dead_letter", letter)
        for thread in self.threads.page(None, len(self.records), archived=False).threads:
            yield _row("thread", thread)
        for thread in self.threads.page(None, len(self.records), archived=True).threads:
            yield _row("thread", thread)

    def is_erased(self, offset: int) -> bool:
        known = self.trimmed < offset <= self.bounds().last
        return known and self.records[offset - self.trimmed - 1].kind is Kind.SUPERSEDED

    def erase(self, thread: ThreadId, through: int) -> set[RunId]:
        """Returns the runs of the erased events. A policy goes with its run's last event."""
        gone: set[EventId] = set()
        runs: set[RunId] = set()
        ended: set[RunId] = set()
        for index, record in enumerate(self.records):
            if record.thread == thread and record.offset <= through:
                gone.add(record.id)
                runs.add(record.run)
                if record.kind in RUN_ENDS:
                    ended.add(record.run)
                self.records[index] = erased(record)
        offsets = {self.trimmed + 1 + i for i, each in enumerate(self.records) if each.id in gone}
        self.marks = {key: mark for key, mark in self.marks.items() if key[0] not in offsets}
        for event in gone & self.dead_letters.keys():
            del self.dead_letters[event]
        for event_class, record in self.unsettled.items():
            self.unsettled[event_class] = self.records[record.offset - self.trimmed - 1]
        self.threads.begin_again(thread, (each for each in self.records if each.thread == thread))
        self.policies.erase(ended)
        self._find_said()
        return runs

    def _find_said(self) -> None:
        self.said = {}
        for record in self.records:
            self._keep_said(record)

    def _keep_said(self, record: Record) -> None:
        if record.say is not None:
            self.said.setdefault(record.say, Said(record.run, record.thread, record.body))


def _row(table: str, entry: Cursor | Mark | DeadLetter | Record | Thread) -> ExportedRow:
    """JSON for what is neither text nor a number."""
    values = {name.replace("event_class", "class"): v for name, v in attrs.asdict(entry).items()}
    shown = {
        name: value
        if value is None or (isinstance(value, str | int | bytes) and name != "verdict")
        else orjson.dumps(value).decode()
        for name, value in values.items()
    }
    return ExportedRow(table, shown)


def owner_of(thread: ThreadId, users: Mapping[UserId, UserLog]) -> UserId | None:
    """See `ThreadReads`."""
    first, last = born_beside(thread)
    for user, log in users.items():
        if log.threads.find(thread) and any(first <= each.id <= last for each in log.records):
            return user
    return None
