"""Left runs: runs whose code is gone without a durable end. The user actor ends them.

`OpenRuns` knows which runs are open and which of them were left, `LeftRuns` ends those, and
`OpenTools` finds the tools that they left open, which are completed first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from functools import partial

import outcome

from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.events.draft import Draft, run_lost, tool_lost
from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.kinds import Event, Kind
from greenroom.delivery.events.record import RUN_ENDS, RUN_OPENS, OpenRun, Page, Record
from greenroom.delivery.journal.reads import ReadHistory
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.messages import UserMessage
from greenroom.delivery.user.parts import UserParts

logger = logging.getLogger("greenroom.delivery")

PAGE = 50
"""Records read at a time, back to the beginning of a run."""


class LeftRuns:
    """A part of the user actor. It asks the journal for open tools only when it ends a left run, so
    a run that ends as it should costs nothing here."""

    __slots__ = (
        *("_actor", "_close_asks", "_looking", "_outbox", "_parts", "_runs", "_user", "later"),
    )

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        runs: OpenRuns,
        actor: Ref[UserMessage],
        later: Callable[[], None],
        close_asks: Callable[[RunId], None],
    ) -> None:
        """`later` schedules another call of `end`, for when the journal did not answer.
        `close_asks` closes the open questions of a run."""
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._runs = runs
        self._actor = actor
        self._close_asks = close_asks
        self.later = later
        self._looking = False

    def end(self) -> None:
        """Begin to end the runs that are due; call this again after every message."""
        if not self._looking and (due := self._due()):
            self._looking = True
            self._look(due, OpenTools(self._user, due))

    async def end_at_once(self) -> None:
        """The mailbox is closed, so wait for the answer here. Runs that cannot be ended now are
        ended when the user is next served."""
        if due := self._due():
            search, is_looking = OpenTools(self._user, due), True
            while is_looking:
                page = self._parts.journal.ask(search.next_page(), whose=self._actor.name)
                is_looking = self._took(due, search, await page.wait_outcome())

    def _look(self, due: list[RunId], search: OpenTools) -> None:
        looked = partial(self._looked, due, search)
        self._parts.ask_journal(self._actor, search.next_page(), looked)

    def _due(self) -> list[RunId]:
        return [run.run for run, _ in self._runs.due(self._outbox.runs_under_way())]

    def _looked(self, asked: list[RunId], search: OpenTools, page: ReplyOutcome[Page]) -> None:
        if self._took(asked, search, page):
            self._look(asked, search)

    def _took(self, asked: list[RunId], search: OpenTools, page: ReplyOutcome[Page]) -> bool:
        """Search the page, and end the runs after the last one; True if there are more pages.

        If other runs have become due meanwhile, `end` searches for all of them together.
        """
        if isinstance(page, outcome.Value) and search.look_at(page.value):
            return True
        self._looking = False
        if isinstance(page, outcome.Error):
            why = safe_str(page.error)
            logger.warning("%s cannot end its left runs now: %s", self._actor.name, why)
            self.later()
        elif self._due() == asked:
            self._end(search.found)
        return False

    def _end(self, tools: Sequence[Event]) -> None:
        ids, now = self._parts.ids, self._parts.now_ms()
        for run, words in self._runs.due(self._outbox.runs_under_way()):
            for tool in tools:
                if tool.run == run.run:
                    lost = tool_lost(event=ids.new(EventId), run=run, tool=tool, now=now)
                    self._outbox.offer(lost, Reply())
            self._close_asks(run.run)
            self._outbox.offer(words or run_lost(event=ids.new(EventId), run=run), Reply())


class OpenRuns:
    """Follows the journal record by record, so that no run stays open for the user.

    A run that was *left* (its code is gone) and is still open is due to be ended. It stays due
    until its end is durable.
    """

    __slots__ = ("_open", "left")

    def __init__(self, runs: Iterable[OpenRun]) -> None:
        """`runs` are open already, in the order in which they began."""
        self._open = {run.run: run for run in runs}
        self.left: dict[RunId, Draft | None] = {}
        """The runs that were left and may have to be ended, and their ends, which were not kept."""

    def __iter__(self) -> Iterator[RunId]:
        return iter(tuple(self._open))

    def __contains__(self, run: object) -> bool:
        return run in self._open

    def __getitem__(self, run: RunId) -> OpenRun:
        return self._open[run]

    def is_left(self, run: RunId) -> bool:
        """Whether the run was left and is to be ended."""
        return run in self.left

    def kept(self, record: Record) -> None:
        """A record is durable."""
        if record.kind in RUN_OPENS:
            run = OpenRun(record.run, record.thread, record.parent, record.request)
            self._open.setdefault(record.run, run)
        elif record.kind in RUN_ENDS:
            self._open.pop(record.run, None)
            self.left.pop(record.run, None)

    def leave(self, run: RunId, words: Draft | None = None) -> None:
        """The code of this run is gone; `words` is its end, which was not kept."""
        self.left[run] = words or self.left.get(run)

    def due(self, under_way: Set[RunId]) -> list[tuple[OpenRun, Draft | None]]:
        """The runs to end now, the last begun first, so that a sub-run ends before its parent.
        While a left run has events under way none is due: only durable events can decide it."""
        for run in [each for each in self.left if each not in under_way and each not in self._open]:
            del self.left[run]
        if not under_way.isdisjoint(self.left):
            return []
        return [
            (self._open[run], self.left[run]) for run in reversed(self._open) if run in self.left
        ]


class OpenTools:
    """The search for every `tool_executing` of some runs without a `tool_completed` after it.

    It reads one page at a time, because a run may have begun long ago: other questions to the
    journal get their turn between two pages.
    """

    def __init__(self, user: UserId, runs: Collection[RunId]) -> None:
        self._user = user
        self._sought = set(runs)
        self._completed: set[tuple[RunId, object]] = set()
        self._found: list[Event] = []
        self._before: int | None = None

    @property
    def found(self) -> Sequence[Event]:
        """The events found, in the order in which they were emitted."""
        return self._found[::-1]

    def next_page(self) -> ReadHistory:
        """The question for the page to search next."""
        return ReadHistory(self._user, None, self._before, PAGE)

    def look_at(self, page: Page) -> bool:
        """Search one more page. True if there is another page to search."""
        for record in reversed(page.records):
            self._before = record.offset
            if record.run in self._sought:
                look_at_tool(record, self._completed, self._found)
                if record.kind in RUN_OPENS:
                    self._sought.remove(record.run)
        return bool(self._sought) and page.more


def look_at_tool(record: Record, completed: set[tuple[RunId, object]], found: list[Event]) -> None:
    """Records come last to first, so the completion of a call comes before its beginning."""
    if record.kind is Kind.TOOL_COMPLETED:
        completed.add(_call(Event.decode(record.body)))
    elif record.kind is Kind.TOOL_EXECUTING:
        event = Event.decode(record.body)
        if _call(event) in completed:
            completed.remove(_call(event))
        else:
            found.append(event)


def _call(event: Event) -> tuple[RunId, object]:
    return event.run, event.data["tool_call"]
