"""A part of a run's timeline, for whoever looks at it while the server serves (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

import attrs

from greenroom.delivery.errors import UnknownEvent, damaged
from greenroom.delivery.events.ids import RunId, born_beside
from greenroom.delivery.events.kinds import Event, Kind
from greenroom.delivery.events.record import RUN_ENDS, Record
from greenroom.delivery.history.timeline import EventReports, Moment, moments_of
from greenroom.delivery.journal.journal import MOST_REPORTS
from greenroom.delivery.journal.paging import PAGE_BYTES, check_limit
from greenroom.delivery.journal.reads import Question, Reads

LOOKED_THROUGH: Final = 1_000
"""A user's events that are looked through for a page."""

SESSIONS: Final = 100
MARKS_OF_EACH: Final = 10
BEGINNING: Final = 20
"""A user's events, from the run's first on, in which it is looked for who is its agent."""

DEEPEST: Final = 20
"""Steps up from a sub-run to the run."""


@attrs.frozen
class RunPage:
    """`first`: the first event of the run that is kept; `agent`: None if it has not begun. `sizes`:
    the bytes of each moment's event. `after`: the offset after which the next page begins; None if
    the run, as far as it got, ends here. `goes_on`: it has not ended."""

    first: Record
    agent: str | None
    moments: tuple[Moment, ...]
    sizes: tuple[int, ...]
    after: int | None
    goes_on: bool


@attrs.frozen
class ReadRunPage(Question[RunPage]):
    """At most `limit` events of a run and of its sub-runs, past the user's offset `after`.

    It may have fewer, even none, and not be the last: a bounded number of the user's
    events are looked through. Raises `UnknownEvent`.
    """

    run: RunId
    after: int | None
    limit: int

    def answer(self, reads: Reads) -> RunPage:
        check_limit(self.limit)
        if (first := reads.runs.first(self.run)) is None:
            raise UnknownEvent(
                f"there is no event of {self.run}",
                advice="it was trimmed or erased, or is of another journal: ask about its user",
            )
        start = max(self.after or 0, first.offset - 1)
        records = reads.read(first.user, start, LOOKED_THROUGH, PAGE_BYTES)
        mine = self._mine(_Family(reads, first), records)
        is_cut = len(mine) == self.limit
        through = mine[-1][0].offset if is_cut else _last(records, start)
        is_over = bool(mine and self._is_end(mine[-1][0]))
        is_over = is_over or through >= reads.bounds(first.user).last
        return RunPage(
            first=first,
            agent=_agent(reads, first),
            moments=self._moments(reads, first, mine),
            sizes=tuple(len(record.body) for record, _ in mine),
            after=None if is_over else through,
            goes_on=any(each.run == self.run for each in reads.open_runs(first.user)),
        )

    def _mine(self, family: _Family, records: Sequence[Record]) -> list[tuple[Record, int]]:
        """Those of the run, through its end."""
        mine: list[tuple[Record, int]] = []
        for record in records:
            mine += family.with_depth(record)
            if len(mine) == self.limit or self._is_end(record):
                break
        return mine

    def _moments(
        self, reads: Reads, first: Record, mine: Sequence[tuple[Record, int]]
    ) -> tuple[Moment, ...]:
        reports = self._reports(reads, mine)
        try:
            return moments_of(mine, reports, run=self.run, began={self.run: first.at})
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(f"an event of {self.run}", error) from error

    def _reports(self, reads: Reads, mine: Sequence[tuple[Record, int]]) -> EventReports:
        """What is known of the delivery of these records, which are one user's and in order."""
        if not mine:
            return EventReports()
        (first, _), (last, _) = mine[0], mine[-1]
        user = first.user
        cursors = chain(
            reads.user_list.sessions(user, SESSIONS),
            reads.sent_to(user, first.offset, SESSIONS),
            reads.sent_to(user, last.offset, SESSIONS),
        )
        marks = reads.marks(user, first.offset - 1, MARKS_OF_EACH * len(mine))
        return EventReports(
            [*{cursor.session: cursor for cursor in cursors}.values()],
            [mark for mark in marks if mark.offset <= last.offset],
            reads.attempts(user, first.offset, last.offset, MOST_REPORTS),
            reads.dead_letters(user, born_beside(self.run)[0], MOST_REPORTS),
        )

    def _is_end(self, record: Record) -> bool:
        return record.run == self.run and record.kind in RUN_ENDS


class _Family:
    """Which runs are sub-runs of a run, and how deep."""

    def __init__(self, reads: Reads, first: Record) -> None:
        self._reads = reads
        self._depths: dict[RunId, int | None] = {first.run: 0}

    def with_depth(self, record: Record) -> Sequence[tuple[Record, int]]:
        """The record with its depth, or nothing if it is of another run."""
        depth = self._depth(record, DEEPEST)
        return [] if depth is None else [(record, depth)]

    def _depth(self, record: Record, left: int) -> int | None:
        if record.run not in self._depths:
            self._depths[record.run] = self._below(record.parent, left)
        return self._depths[record.run]

    def _below(self, parent: RunId | None, left: int) -> int | None:
        """Goes up to the run, or to the top; at most `left` steps."""
        if parent is None or not left:
            return None
        if parent in self._depths:
            above = self._depths[parent]
        else:
            first = self._reads.runs.first(parent)
            above = None if first is None else self._depth(first, left - 1)
        return None if above is None else above + 1


def _agent(reads: Reads, first: Record) -> str | None:
    """Says one of the first events, on whatever page they are."""
    for record in reads.read(first.user, first.offset - 1, BEGINNING, PAGE_BYTES):
        if record.run == first.run and record.kind is Kind.AGENT_STARTED:
            return str(Event.decode(record.body).data.get("agent"))
    return None


def _last(records: Sequence[Record], start: int) -> int:
    return records[-1].offset if records else start
