"""A user's threads in the memory of a journal: the list, titles, and what is archived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from greenroom.delivery.events.ids import RunId, ThreadId
from greenroom.delivery.events.record import RUN_OPENS, OpenRun, Record
from greenroom.delivery.events.threads import (
    ERASED_THREAD,
    Thread,
    ThreadsPage,
    UnknownThread,
    last_of,
    page_of_threads,
    title_of,
)


@attrs.define(eq=False)
class ThreadKept:
    """What is kept of a thread beside its events."""

    created: int
    last: Record
    title: str | None = None
    archived: bool = False
    runs: int = 0

    def shown(self) -> Thread:
        last = self.last
        return Thread(
            last.thread, self.title, self.created, last.at, self.runs, last_of(last), self.archived
        )


@attrs.define(eq=False)
class ThreadsKept:
    """One user's threads."""

    _threads: dict[ThreadId, ThreadKept] = attrs.field(factory=dict)

    def keep_record(self, record: Record, opened: Mapping[RunId, OpenRun]) -> None:
        """`opened`: the open runs before this record."""
        if record.thread == ERASED_THREAD:
            return
        kept = self._threads.get(record.thread)
        if kept is None:
            kept = self._threads[record.thread] = ThreadKept(record.at, record)
        kept.last = record
        if record.kind in RUN_OPENS:
            kept.title = kept.title or title_of(record)
            kept.runs += record.parent is None and record.run not in opened

    def change(self, thread: ThreadId, title: str | None, archived: bool | None) -> bool:
        kept = self._threads.get(thread)
        if kept is None:
            return False
        kept.title = kept.title if title is None else title
        kept.archived = kept.archived if archived is None else archived
        return True

    def forget(self, through: int) -> None:
        """The events through an offset are trimmed."""
        left = {name: each for name, each in self._threads.items() if each.last.offset > through}
        self._threads = left

    def leave_place(self, place: Record) -> None:
        """A progress event has left only its place."""
        kept = self._threads.get(place.thread)
        if kept is not None and kept.last.offset == place.offset:
            kept.last = place

    def begin_again(self, thread: ThreadId, since: Iterable[Record]) -> None:
        """The thread was erased; `since`: what was said in it meanwhile."""
        self._threads.pop(thread, None)
        opened: dict[RunId, OpenRun] = {}
        for record in since:
            self.keep_record(record, opened)
            run = OpenRun(record.run, record.thread, record.parent, record.request)
            opened.setdefault(record.run, run)

    def page(self, before: int | ThreadId | None, limit: int, *, archived: bool) -> ThreadsPage:
        recent = sorted(self._threads.values(), key=lambda each: -each.last.offset)
        if isinstance(before, int):
            recent = [each for each in recent if each.last.at < before]
        elif before is not None:
            offset = self._last_of(before)
            recent = [each for each in recent if each.last.offset < offset]
        found = [each.shown() for each in recent if each.archived is archived]
        return page_of_threads(found[: limit + 1], limit)

    def find(self, thread: ThreadId) -> Thread | None:
        kept = self._threads.get(thread)
        return None if kept is None else kept.shown()

    def _last_of(self, thread: ThreadId) -> int:
        if thread not in self._threads:
            raise UnknownThread(
                f"before: there is no thread {thread}", advice="begin the list again"
            )
        return self._threads[thread].last.offset
