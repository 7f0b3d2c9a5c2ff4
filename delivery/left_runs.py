"""Ending the runs that nobody else will end: tools left open are completed first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import outcome

from greenroom.actors.errors import ActorError
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Outcome, Reply
from greenroom.actors.safe_text import safe_str
from greenroom.delivery.draft import run_lost, tool_lost
from greenroom.delivery.events import Event, Kind
from greenroom.delivery.ids import EventId, RunId, UserId
from greenroom.delivery.journal import RUN_OPENS, Journal, Record
from greenroom.delivery.journal_writer import LookUp
from greenroom.delivery.open_runs import OpenRuns
from greenroom.delivery.outbox import Outbox
from greenroom.delivery.user_messages import UserMessage
from greenroom.delivery.user_parts import UserParts
from greenroom.supervisor.errors import SupervisorError

logger = logging.getLogger("greenroom.delivery")

PAGE = 50
"""Records read at a time, back to where a run began."""

Found: TypeAlias = Sequence[Event]


async def open_tools(journal: Journal, user: UserId, runs: Collection[RunId]) -> Found:
    """The `tool_executing` of these runs that no `tool_completed` followed, in order."""
    sought, completed, found = set(runs), set[tuple[RunId, object]](), list[Event]()
    before, more = None, True
    while sought and more:
        page = await journal.history(user, thread=None, before=before, limit=PAGE)
        before, more = page.records[0].offset if page.records else None, page.more
        for record in reversed(page.records):
            if record.run in sought:
                _look_at(record, completed, found)
                if record.kind in RUN_OPENS:
                    sought.remove(record.run)
    return found[::-1]


def _look_at(record: Record, completed: set[tuple[RunId, object]], found: list[Event]) -> None:
    """From the last record to the first: a call that was completed is met so before it began."""
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


class LeftRuns:
    """A part of the user actor. What a run left open is asked of the journal when it is ended, so
    a run that ends as it should costs nothing here."""

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        runs: OpenRuns,
        actor: Ref[UserMessage],
        later: Callable[[], None],
    ) -> None:
        """`later` has `end` called again in a while: the journal did not answer."""
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._runs = runs
        self._actor = actor
        self._later = later
        self._looking = False

    def end(self) -> None:
        """Begin to end what is due; to be called again after every message."""
        if not self._looking and (due := self._due()):
            self._looking = True
            self._parts.ask_journal(
                self._actor,
                lambda journal: open_tools(journal, self._user, due),
                lambda found: self._found(due, found),
            )

    async def end_at_once(self) -> None:
        """The mailbox is closed, so the answer is waited for here. What cannot be ended now is
        ended when the user is next served."""
        if due := self._due():
            question = LookUp(lambda journal: open_tools(journal, self._user, due))
            try:
                found = await outcome.acapture(self._parts.look_up().ask, question)
            except (ActorError, SupervisorError) as error:
                found = outcome.Error(error)
            self._found(due, found)

    def _due(self) -> list[RunId]:
        return [run.run for run, _ in self._runs.due(self._outbox.runs_under_way())]

    def _found(self, asked: list[RunId], found: Outcome[Found]) -> None:
        """If other runs are due by now, they are asked for together."""
        self._looking = False
        if isinstance(found, outcome.Error):
            why = safe_str(found.error)
            logger.warning("%s cannot end its runs now: %s", self._actor.name, why)
            self._later()
        elif self._due() == asked:
            self._end(found.value)

    def _end(self, tools: Found) -> None:
        ids, now = self._parts.ids, self._parts.now_ms()
        for run, words in self._runs.due(self._outbox.runs_under_way()):
            for tool in tools:
                if tool.run == run.run:
                    lost = tool_lost(event=ids.new(EventId), run=run, tool=tool, now=now)
                    self._outbox.offer(lost, Reply())
            self._outbox.offer(words or run_lost(event=ids.new(EventId), run=run), Reply())
