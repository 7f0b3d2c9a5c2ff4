"""The entries of a journal in memory, and what may be read of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from itertools import chain, islice
from typing import Final

import attrs

from greenroom.delivery.asks.kept_asks import MemoryAsks
from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.exported import ExportPiece, ExportPlace
from greenroom.delivery.events.going_on import GoingOn
from greenroom.delivery.events.ids import EventId, RunId, SessionId, ThreadId, UserId, born_beside
from greenroom.delivery.events.kinds import ASK_KINDS, EventClass, Kind
from greenroom.delivery.events.policy import RunPolicy
from greenroom.delivery.events.record import (
    Attempt,
    Bounds,
    Cursor,
    DeadLetter,
    Entry,
    FailureCause,
    KeptCrash,
    Mark,
    OpenRun,
    Page,
    Record,
    Said,
    ThreadSummary,
)
from greenroom.delivery.events.threads import ERASED_THREAD
from greenroom.delivery.files.entries import FileEntry
from greenroom.delivery.files.kept_files import MemoryFiles
from greenroom.delivery.journal.checks import check_ids, check_unsaid, last_offsets
from greenroom.delivery.journal.journal import agreed_through, within
from greenroom.delivery.journal.kept.causes import CausesKept
from greenroom.delivery.journal.kept.crashes import CrashesKept
from greenroom.delivery.journal.kept.runs import RunsKept
from greenroom.delivery.journal.kept.thread_list import MemoryThreads
from greenroom.delivery.journal.kept.user_log import UserLog
from greenroom.delivery.journal.kept.users import MemoryUsers
from greenroom.delivery.journal.node import OneNode
from greenroom.delivery.journal.paging import PAGE_BYTES, page_of
from greenroom.delivery.journal.undelivered import (
    PAUSES_KEPT,
    OverdueUsers,
    Pause,
    Reached,
    SearchedTo,
    Stretches,
    pause_between,
)

EXPORTED_AT_ONCE: Final = 100
"""Rows in a piece of a user's export."""


class MemoryStore(OneNode):
    """Implements `Reads`. It grows until trimmed."""

    def __init__(self) -> None:
        self._users: defaultdict[UserId, UserLog] = defaultdict(UserLog)
        self.asks = MemoryAsks()
        self.files = MemoryFiles()
        self._number = 0  # the newest record's number in the log of all users
        self._newest_at: int | None = None
        self._alive: int | None = None
        self._pauses: list[Pause] = []
        self._causes = CausesKept()
        self.crashes = CrashesKept()
        self._bans: dict[UserId, Ban] = {}

    def keep(self, entries: Sequence[Entry]) -> None:
        """Keep all of the entries or none. Raises `OutOfSequence`, `BadId`, `AlreadySaid`."""
        check_ids(entries)
        if len(entries) == 1 and type(event := entries[0]) is Record:  # nearly always
            log = self._users.get(event.user)
            if log is not None and event.offset == log.last + 1:
                self._keep_event(event, log)
                return
        check_unsaid(entries, self.said)
        last_offsets(entries, self._last)
        for entry in entries:
            if type(entry) is Record:
                self._keep_event(entry, self._users[entry.user])
            elif isinstance(entry, FailureCause):
                self._causes.keep(entry)
            elif isinstance(entry, KeptCrash):
                self.crashes.keep(entry)
            elif isinstance(entry, Ban):
                self._keep_ban(entry)
            elif isinstance(entry, FileEntry):
                self.files.keep(entry)
            else:
                self._users[entry.user].keep(entry)

    def _keep_event(self, event: Record, log: UserLog) -> None:
        self._number += 1
        self._newest_at = event.at
        log.keep_record(event, self._number)
        if event.kind in ASK_KINDS:
            self.asks.keep(event)

    def alive(self, now: int, after: int) -> None:
        last = next((at for at in (self._alive, self._newest_at) if at is not None), now)
        if pause := pause_between(last, now, worked=after, number=self._number):
            self._pauses = [*self._pauses, pause][-PAUSES_KEPT:]
        self._alive = now

    def drop_dead_letter(self, event: EventId) -> bool:
        return any(log.dead_letters.pop(event, None) for log in self._users.values())

    def trim(self, user: UserId, through: int) -> int:
        self.files.erase(user, self._log(user).said_through(through))
        gone = self._log(user).trim(through)
        self.asks.trim(user, self._log(user).trimmed)
        return gone

    def user_after(self, user: str) -> UserId | None:
        """The first user, in order, who comes after this one."""
        return min((each for each in self._users if each > user), default=None)

    def forget_progress(self, user: UserId, through: int) -> int:
        """Returns the number of progress events that left only their places."""
        return self._log(user).forget_progress(through)

    def forgotten(self, user: UserId) -> int:
        """The offset through which the user's progress events have done so."""
        return self._log(user).forgotten

    def oldest(self, user: UserId, limit: int, *, after: int = 0) -> list[Record]:
        return list(islice(self._log(user).after(after), limit))

    def forget_sessions(self, user: UserId, before: int) -> int:
        """Forget the sessions not seen since `before` (ms) without an unsettled event."""
        return self._log(user).forget_sessions(before)

    def oldest_at(self) -> int | None:
        """The time of the oldest event (ms)."""
        oldest = (log.records[0].at for log in self._users.values() if log.records)
        return min(oldest, default=None)

    def bytes(self) -> int:
        """Bytes of all bodies and files."""
        bodies = sum(len(r.body) for log in self._users.values() for r in log.records)
        return bodies + self.files.size()

    def bounds(self, user: UserId) -> Bounds:
        return self._log(user).bounds()

    def lasts(self, users: Sequence[UserId]) -> Mapping[UserId, int]:
        return {user: self._last(user) for user in users}

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
        kept = (record for record in newest_first if record.kind is not Kind.SUPERSEDED)
        wanted = (record for record in kept if thread in (None, record.thread))
        return page_of(wanted, limit, max_bytes)

    def said(self, user: UserId, say: str) -> Said | None:
        return self._log(user).said.get(say)

    def open_runs(self, user: UserId) -> list[OpenRun]:
        return list(self._log(user).runs.opened.values())

    @property
    def runs(self) -> MemoryRuns:
        return MemoryRuns(self._users)

    @property
    def thread_list(self) -> MemoryThreads:
        return MemoryThreads(self._users)

    @property
    def user_list(self) -> MemoryUsers:
        return MemoryUsers(self._users)

    def keeps_user(self, user: UserId) -> bool:
        return any(True for _ in chain(self._log(user).rows(), self.files.rows(user)))

    def user_rows(self, user: UserId, place: ExportPlace | None) -> ExportPiece:
        begin = int(str(place.key[0])) if place else 0
        every = chain(self._log(user).rows(), self.files.rows(user))
        rows = list(islice(every, begin, begin + EXPORTED_AT_ONCE))
        more = len(rows) == EXPORTED_AT_ONCE
        return ExportPiece(rows, ExportPlace("", (begin + len(rows),)) if more else None)

    def change_thread(
        self, user: UserId, thread: ThreadId, title: str | None, archived: bool | None
    ) -> bool:
        return self._log(user).threads.change(thread, title, archived)

    def erase_thread(self, user: UserId, thread: ThreadId, through: int) -> None:
        runs = self._log(user).erase(thread, through)
        self._causes.erase(user, runs)
        self.asks.erase(user, runs)
        self.files.erase(user, runs)

    def erase_user(self, user: UserId) -> None:
        self._users.pop(user, None)
        self._bans.pop(user, None)
        self._causes.erase(user, None)
        self.crashes.erase(user)
        self.asks.erase(user, None)
        self.files.erase(user, None)

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

    def run_policies(self, user: UserId) -> list[RunPolicy]:
        return list(self._log(user).policies.of_runs.values())

    def policies_due(self, before: int, limit: int) -> list[UserId]:
        due = sorted(
            (each.due, user)
            for user, log in self._users.items()
            for each in log.policies.of_runs.values()
            if each.due is not None and each.due < before
        )
        return list(dict.fromkeys(user for _, user in due[:limit]))

    def cause(self, event: EventId) -> FailureCause | None:
        return self._causes.find(event)

    def threads(self, user: UserId) -> list[ThreadSummary]:
        summaries: dict[ThreadId, ThreadSummary] = {}
        kept = (each for each in self._log(user).records if each.thread != ERASED_THREAD)
        for record in kept:
            summaries[record.thread] = _counted(summaries.get(record.thread), record)
        return list(summaries.values())

    def bans(self, after: UserId | None, limit: int) -> list[Ban]:
        users = (user for user in sorted(self._bans) if user > (after or ""))
        return [self._bans[user] for user in islice(users, limit)]

    def _keep_ban(self, ban: Ban) -> None:
        kept = {**self._bans, ban.user: ban}
        self._bans = {user: each for user, each in kept.items() if each.until > ban.at}

    def _log(self, user: UserId) -> UserLog:
        return self._users.get(user) or UserLog()

    def _since(self, user: UserId, event_class: EventClass) -> int:
        log = self._users[user]
        return log.since(log.unsettled[event_class], self._pauses)

    def _reached(self, log: UserLog, record: Record, stretches: Stretches) -> Reached:
        stages = {stage for offset, _, stage in log.marks if offset == record.offset}
        return Reached(
            record.offset,
            record.id,
            record.kind,
            record.event_class,
            record.run,
            log.since(record, self._pauses),
            received=record.offset in stretches,
            displayed="displayed" in stages,
            confirmed="confirmed" in stages,
        )

    def _last(self, user: UserId) -> int:
        log = self._users.get(user)
        return log.last if log else 0


@attrs.frozen
class MemoryRuns:
    """Implements `RunReads`."""

    users: Mapping[UserId, UserLog]

    def going_on(self, user: UserId) -> list[GoingOn]:
        kept = self._kept(user)
        found = map(kept.going_on.get, kept.opened)
        return [run for run in found if run is not None]

    def users_going_on(self, after: UserId | None, limit: int) -> list[UserId]:
        users = sorted(user for user, log in self.users.items() if log.runs.going_on)
        return [user for user in users if user > (after or "")][:limit]

    def elsewhere(self, user: UserId) -> Set[RunId]:
        return frozenset()

    def step_result(self, user: UserId, run: RunId, key: str) -> str | None:
        return self._kept(user).steps.get(run, {}).get(key)

    def step_results(self, user: UserId, run: RunId) -> int:
        return len(self._kept(user).steps.get(run, ()))

    def first(self, run: RunId) -> Record | None:
        first, last = born_beside(run)
        records = (record for log in self.users.values() for record in log.records)
        ours = [record for record in records if record.run == run]
        return ours[0] if any(first <= each.id <= last for each in ours) else None

    def _kept(self, user: UserId) -> RunsKept:
        log = self.users.get(user)
        return log.runs if log else RunsKept()


def _counted(summary: ThreadSummary | None, record: Record) -> ThreadSummary:
    if summary is None:
        return ThreadSummary(record.thread, record.offset, record.offset, 1, record.at)
    return attrs.evolve(summary, last=record.offset, events=summary.events + 1, at=record.at)
