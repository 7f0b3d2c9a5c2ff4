"""Broken runs: lost runs that go on. The user actor closes what they left open, and has the next
attempt begin.

`BrokenRun` is what the journal says of one, found by `BrokenSearch`; `BrokenRuns` takes them up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import attrs
import outcome

from greenroom.actors.errors import GreenroomError
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import run_completed, run_unattended, tool_lost
from greenroom.delivery.events.going_on import GoingOn, RunsGoingOn
from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.delivery.events.record import RUN_ENDS, OpenRun, Page, Record
from greenroom.delivery.journal.reads import ReadHistory
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.run.attempts.attempt import RunAttempt, back_off, wait_before
from greenroom.delivery.user.messages import UserMessage
from greenroom.delivery.user.parts import UserParts
from greenroom.delivery.user.runs.left_runs import PAGE, OpenRuns, look_at_tool
from greenroom.delivery.user.runs.run_queue import WaitingRun

logger = logging.getLogger("greenroom.delivery")

SOON, LATER = 0.05, 1.0
"""Seconds until a run that could not begin is taken up again, and after trouble in the journal."""


class BrokenRuns:
    """A part of the user actor. A broken run has its place among the user's runs from the moment
    it is found: it waits there until what it left open is closed and its next attempt begins."""

    __slots__ = (
        "_actor",
        "_close_asks",
        "_going_on",
        "_look_again",
        "_looking",
        "_outbox",
        "_parts",
        "_runs",
        "_tries",
        "_user",
        "waiting",
    )

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        runs: OpenRuns,
        going_on: Iterable[GoingOn],
        actor: Ref[UserMessage],
        look_again: Callable[[float], None],
        close_asks: Callable[[RunId], list[Reply[Record]]],
    ) -> None:
        """`look_again` schedules another call of `look`, after some seconds. `close_asks` closes
        the questions of an attempt that the next one does not ask again, and replies with their
        ends."""
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._runs = runs
        self._going_on = RunsGoingOn(going_on)
        self._actor = actor
        self._look_again = look_again
        self._close_asks = close_asks
        self.waiting: dict[RunId, WaitingRun] = {}
        """The runs that wait to be taken up."""
        self._tries: dict[RunId, int] = {}
        self._looking = False

    def begin(self) -> None:
        """The actor starts. No run that waited for an earlier incarnation waits any more: its task,
        if it had one, ended with the supervisor of runs."""
        self._parts.stopped.intersection_update(self._runs)
        for run, live in list(self._parts.live_runs.items()):
            if isinstance(live, WaitingRun):
                del self._parts.live_runs[run]
                self._parts.turns.leave(run)

    def kept(self, record: Record) -> None:
        """A record is durable."""
        if (entry := self._parts.when_lost.goes_on(record)) is not None:
            self._going_on.keep(entry)
        self._going_on.kept(record.kind, record.run, record.at)
        if record.kind in RUN_ENDS:
            self._over(record.run)

    def know(self, going_on: Iterable[GoingOn]) -> None:
        """What the journal has of all open runs that go on: also of those of other nodes, whose
        agents need not be declared as the ones here."""
        mine = filter(None, map(self._going_on.get, self.waiting))
        self._going_on = RunsGoingOn([*mine, *going_on])

    def followed(self, record: Record) -> None:
        """Another node's record is durable."""
        if record.kind in RUN_ENDS:
            self._going_on.kept(record.kind, record.run, record.at)
            self._over(record.run)

    def take_up(self, run: RunId) -> bool:
        """The code of a run is gone without an end. False if the run does not go on."""
        known = self._going_on.get(run)
        if known is None or self._runs.is_left(run):
            self._parts.stopped.discard(run)  # it may have been stopped after its end
            return False
        if run in self.waiting:
            return True
        if known.stopped or run in self._parts.stopped:
            self._end(run, "cancelled")
            return True
        if self._parts.when_lost.queued and not known.attempt:
            event = self._parts.ids.new(EventId)
            self._runs.leave(run, run_unattended(event=event, run=self._runs[run]))
            return True
        if not self._parts.when_lost.allows(known, self._tries.get(run, 0)):
            return False
        if not self._parts.is_draining():  # otherwise the next server takes it up
            self._parts.turns.enter_again(run)
            waiting = WaitingRun(run, goes_on=True, is_again=True)
            self.waiting[run] = self._parts.live_runs[run] = waiting
        return True

    def look(self) -> None:
        """Look for what the broken runs left open; call this again after every message. The runs
        that only are to be ended, among them sub-runs of these, are ended before."""
        if not self.waiting or self._looking or self._runs.left:
            return
        if self._outbox.runs_under_way().isdisjoint(self.waiting):
            self._looking = True
            self._ask(BrokenSearch(self._user, [self._runs[run] for run in self.waiting]))

    def give_up(self) -> None:
        """The actor stops: its next incarnation takes the runs up."""
        for run in list(self.waiting):
            self._drop(run)

    def _ask(self, search: BrokenSearch) -> None:
        looked = partial(self._looked, search)
        self._parts.ask_journal(self._actor, search.next_page(), looked)

    def _looked(self, search: BrokenSearch, page: ReplyOutcome[Page]) -> None:
        if isinstance(page, outcome.Error):
            return self._try_later(page.error)
        if search.look_at(page.value):
            return self._ask(search)
        return self._close(search.found)

    def _close(self, found: Mapping[RunId, BrokenRun]) -> None:
        """End what is not to go on. Close the questions and tools of the rest: once the journal has
        kept all these ends, the next attempts begin."""
        going_on = [broken for run, broken in found.items() if not self._is_over(run, broken)]
        ends = [end for broken in going_on for end in self._ends(broken)]
        closing = _Closing(going_on, len(ends))
        for end in ends:
            end.then(partial(self._closed, closing))
        if not ends:
            self._begin(going_on)

    def _ends(self, broken: BrokenRun) -> list[Reply[Record]]:
        """The ends of what the run left open, on their way to the journal."""
        ids, now = self._parts.ids, self._parts.now_ms()
        ends = self._close_asks(broken.run.run)
        for tool in reversed(broken.tools):
            completed: Reply[Record] = Reply()
            lost = tool_lost(event=ids.new(EventId), run=broken.run, tool=tool, now=now)
            self._outbox.offer(lost, completed)
            ends.append(completed)
        return ends

    def _is_over(self, run: RunId, broken: BrokenRun) -> bool:
        """Whether no attempt follows: because of the user, the server, or what the journal has."""
        waiting = self.waiting.get(run)
        if waiting is None:
            return True
        if waiting.cancelled:
            self._end(run, "cancelled")
        elif waiting.scope.cancel_called:
            self._drop(run)  # the next server takes it up
        elif broken.has_reported:
            self._end(run, "ok")
        elif not broken.is_whole:
            logger.warning("%r cannot go on: what the user said was trimmed", waiting)
            self._drop(run)
            self._runs.leave(run)
        return run not in self.waiting

    def _closed(self, closing: _Closing, kept: ReplyOutcome[Record]) -> None:
        closing.left -= 1
        if isinstance(kept, outcome.Error):
            closing.error = kept.error
        if closing.left:
            return
        if closing.error is not None:
            self._try_later(closing.error)
        else:
            self._begin(closing.runs)

    def _begin(self, runs: Iterable[BrokenRun]) -> None:
        self._looking = False
        for broken in runs:
            if broken.run.run in self.waiting:
                self._launch(broken)

    def _launch(self, broken: BrokenRun) -> None:
        run = broken.run
        known, tries = self._going_on[run.run], self._tries.get(run.run, 0)
        after = wait_before(known, self._parts.now_ms()) if not tries else back_off(tries + 1)
        attempt = RunAttempt(
            known.attempt + 1,
            goes_on=True,
            agent=known.agent,
            pieces=broken.pieces,
            thoughts=broken.thoughts,
            after=after,
        )
        context = UserContext(self._user, run.thread, run.run, run.request)
        try:
            self._parts.launch(context, broken.said, attempt)
        except GreenroomError:  # the user's supervisors are starting or stopping
            self._look_again(SOON)
            return
        del self.waiting[run.run]
        self._tries[run.run] = max(known.attempt, tries) + 1
        what = f"goes on with attempt {attempt.number}" if attempt.number > 1 else "begins"
        logger.info("run %s %s in %.1f s", run.run, what, after)

    def _try_later(self, error: BaseException) -> None:
        self._looking = False
        if self.waiting:  # otherwise the actor stops
            logger.warning("%s cannot take up runs now: %s", self._actor.name, safe_str(error))
            self._look_again(LATER)

    def _end(self, run: RunId, how: str) -> None:
        self._drop(run)
        event = self._parts.ids.new(EventId)
        self._runs.leave(run, run_completed(event=event, run=self._runs[run], outcome=how))

    def _over(self, run: RunId) -> None:
        self._parts.stopped.discard(run)
        self._drop(run)  # perhaps its end was emitted for it

    def _drop(self, run: RunId) -> None:
        if self.waiting.pop(run, None) is not None:
            self._parts.live_runs.pop(run, None)
            self._parts.turns.leave(run)


@attrs.define(eq=False)
class _Closing:
    """Broken runs whose open questions and tools are being closed: `left` of the events are under
    way."""

    runs: list[BrokenRun]
    left: int
    error: BaseException | None = None


@attrs.define(eq=False)
class BrokenRun:
    """What the journal says of a run that goes on: what was said to it, and how far it got.

    `tools`: those left open, last one first. `pieces`, `thoughts`: the next numbers of its texts.
    `is_whole`: what was said is known, and `said` is it.
    """

    run: OpenRun
    said: JSON = None
    is_whole: bool = False
    has_reported: bool = False
    pieces: int = 0
    thoughts: int = 0
    tools: list[Event] = attrs.field(factory=list)
    _completed: set[tuple[RunId, object]] = attrs.field(factory=set)

    def look_at(self, record: Record) -> None:
        """One more event of the run; the last one comes first."""
        match record.kind:
            case Kind.TOOL_EXECUTING | Kind.TOOL_COMPLETED:
                look_at_tool(record, self._completed, self.tools)
            case Kind.PARTIAL_RESULT:
                self.pieces = max(self.pieces, _next(record, "index"))
            case Kind.AGENT_THINKING:
                self.thoughts = max(self.thoughts, _next(record, "thought"))
            case Kind.FINAL_REPORT:
                self.has_reported = True
            case Kind.USER_SAID:
                self.said, self.is_whole = Event.decode(record.body).data.get("body"), True


def _next(record: Record, field: str) -> int:
    number = Event.decode(record.body).data.get(field)
    return number + 1 if isinstance(number, int) else 0


class BrokenSearch:
    """Reads back to what the user said to each of some runs, a page at a time: other questions to
    the journal get their turn between two pages."""

    def __init__(self, user: UserId, runs: Iterable[OpenRun]) -> None:
        self._user = user
        self.found: Mapping[RunId, BrokenRun] = {run.run: BrokenRun(run) for run in runs}
        self._before: int | None = None

    def next_page(self) -> ReadHistory:
        """The question for the page to search next."""
        return ReadHistory(self._user, None, self._before, PAGE)

    def look_at(self, page: Page) -> bool:
        """Search one more page. True if there is another page to search."""
        for record in reversed(page.records):
            self._before = record.offset
            if (broken := self.found.get(record.run)) is not None:
                broken.look_at(record)
        return page.more and not all(broken.is_whole for broken in self.found.values())
