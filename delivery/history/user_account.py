"""What a journal has of a user, in short, for whoever looks at it while the server serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from greenroom.delivery.events.going_on import GoingOn
from greenroom.delivery.events.ids import RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import Event, Kind
from greenroom.delivery.events.record import (
    RUN_ENDS,
    RUN_OPENS,
    Bounds,
    Cursor,
    DeadLetter,
    OpenRun,
    Page,
    Record,
)
from greenroom.delivery.events.threads import Thread
from greenroom.delivery.history.timeline import ending_of
from greenroom.delivery.journal.paging import PAGE_BYTES
from greenroom.delivery.journal.reads import Question, Reads

THREADS, SESSIONS, LETTERS = 20, 20, 20
LOOKED_THROUGH: Final = 200
"""Events in which runs are looked for."""


@attrs.frozen
class RecentRun:
    """What some of a user's events say of a run. `began` and `ending` are None where they do not
    say when it began (ms) or how it ended; `last_kind` and `last_at`: of its last event."""

    run: RunId
    parent: RunId | None
    thread: ThreadId
    agent: str | None
    began: int | None
    last_at: int
    last_kind: Kind
    events: int
    ending: str | None


@attrs.frozen
class UserAccount:
    """`runs`: the latest first, of the newest events, or of those before `before`. `older`: the
    offset before which older events are; None if there are none. Of threads, sessions and dead
    letters there may be more: the latest are here, of letters the oldest."""

    user: UserId
    is_kept: bool
    bounds: Bounds
    threads: Sequence[Thread]
    more_threads: bool
    open_runs: Sequence[OpenRun]
    going_on: Sequence[GoingOn]
    runs: Sequence[RecentRun]
    older: int | None
    sessions: Sequence[Cursor]
    letters: Sequence[DeadLetter]


@attrs.frozen
class ReadUserAccount(Question[UserAccount]):
    """What is kept of a user. `before`: the offset before which runs are looked for."""

    user: UserId
    before: int | None = None

    def answer(self, reads: Reads) -> UserAccount:
        user = self.user
        threads = reads.thread_list.page(user, None, THREADS, archived=False)
        page = reads.history(user, None, self.before, LOOKED_THROUGH, PAGE_BYTES)
        return UserAccount(
            user=user,
            is_kept=reads.keeps_user(user),
            bounds=reads.bounds(user),
            threads=threads.threads,
            more_threads=threads.more,
            open_runs=reads.open_runs(user),
            going_on=reads.runs.going_on(user),
            runs=tuple(recent_runs(page)),
            older=page.records[0].offset if page.more else None,
            sessions=reads.user_list.sessions(user, SESSIONS),
            letters=reads.dead_letters(user, None, LETTERS),
        )


def recent_runs(page: Page) -> Iterator[RecentRun]:
    """The runs of these records, that with the last event first."""
    of_runs: dict[RunId, list[Record]] = {}
    for record in page.records[::-1]:
        of_runs.setdefault(record.run, []).append(record)
    for newest_first in of_runs.values():
        yield _recent_run(newest_first)


def _recent_run(newest_first: Sequence[Record]) -> RecentRun:
    last, first = newest_first[0], newest_first[-1]
    end = next((each for each in newest_first if each.kind in RUN_ENDS), None)
    start = next((each for each in newest_first if each.kind is Kind.AGENT_STARTED), None)
    return RecentRun(
        run=last.run,
        parent=last.parent,
        thread=last.thread,
        agent=None if start is None else str(Event.decode(start.body).data.get("agent")),
        began=first.at if first.kind in RUN_OPENS else None,
        last_at=last.at,
        last_kind=last.kind,
        events=len(newest_first),
        ending=None if end is None else _ending(end),
    )


def _ending(end: Record) -> str:
    return ending_of(end.kind, Event.decode(end.body).data)
