"""A run: one turn of an agent, and the only source of agents' events."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs
import trio

from greenroom.actors.exit import ended_by
from greenroom.actors.guard import call_guarded
from greenroom.delivery.asks.run_asks import RunAsks
from greenroom.delivery.asks.user_ask import Asker, withdraw_all
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import BadEvent, Draft, run_policies
from greenroom.delivery.events.ids import EventId, IdSource, RunId, ThreadId
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.delivery.events.policy import NO_POLICIES, Policies
from greenroom.delivery.events.threads import checked_title
from greenroom.delivery.files.run_files import RunFiles
from greenroom.delivery.journal.paging import check_page
from greenroom.delivery.journal.reads import ReadHistory
from greenroom.delivery.observer import RunOutcome
from greenroom.delivery.run.attempts.attempt import FIRST, RunAttempt
from greenroom.delivery.run.attempts.run_attempts import RunAttempts
from greenroom.delivery.run.attempts.run_usage import RunUsage
from greenroom.delivery.run.block import block
from greenroom.delivery.run.emitter import Emitter
from greenroom.delivery.run.event_fields import (
    checked_name,
    checked_outcome,
)
from greenroom.delivery.run.failures.error_words import ErrorWords
from greenroom.delivery.run.failures.failure import RunFailure
from greenroom.delivery.run.grammar import (
    AgentCompleted,
    AgentFailed,
    AgentStarted,
    FinalReport,
    OutOfOrder,
    RunStage,
)
from greenroom.delivery.run.life import Cut, RunLife, last_words
from greenroom.delivery.run.pressure import Pressure, pressure_of
from greenroom.delivery.run.receipt import Receipt, Required, Requirement
from greenroom.delivery.run.run_text import RunText
from greenroom.delivery.run.text_buffer import PACE, TextPace
from greenroom.delivery.run.timeouts import Timeouts
from greenroom.delivery.run.tools import RunTools, ToolClock
from greenroom.delivery.user.messages import AgentTyping
from greenroom.supervisor.errors import SupervisorError

if TYPE_CHECKING:
    from greenroom.delivery.user.handle import UserHandle


class Run(RunText, RunTools, RunAttempts, RunAsks, RunUsage, RunFiles):
    """One turn of an agent for one user, entered with `runtime.run(...)`.

    Every event method takes keyword arguments only, checks its fields (`BadEvent`) and the run's
    grammar (`OutOfOrder`), and returns a `Receipt` once the event is durable. It raises
    `EventNotKept` if the journal refused the event and `UserUnavailable` while the user's actors
    restart: nothing was emitted, and the same call may be made again. `ActorStopped` means that
    the actors stopped during the call: the event may have been kept.
    """

    def __init__(
        self,
        context: UserContext,
        *,
        agent: str,
        user: UserHandle,
        ids: IdSource,
        parent: Run | None = None,
        timeouts: Timeouts | None = None,
        seconds: float | None = None,
        pace: TextPace = PACE,
        errors: ErrorWords | None = None,
        attempt: RunAttempt = FIRST,
        policies: Policies = NO_POLICIES,
    ) -> None:
        """`seconds` replaces the usual limit of `timeouts`; without these there is no limit.
        `policies` replace those of the classes."""
        self.context = context
        self.agent = agent
        self._parent = parent
        self._user = user
        self._ids = ids
        self._errors = errors or ErrorWords()
        self._policies = policies
        RunText.__init__(self, Emitter(context, self.parent, user, ids), pace, attempt)
        RunAttempts.__init__(self, self._emitter, attempt)
        RunUsage.__init__(self, self._emitter)
        self._said_by = parent._said_by if parent else context.run
        self._timeouts = timeouts
        self._limit = timeouts.run_limit(seconds) if timeouts else math.inf
        self._life = RunLife()
        life = parent._asker.life if parent else self._life
        self._asker = Asker(self._emitter, ids, life, attempt.goes_on)
        self._sub_runs: set[Run] = set()
        self._sub_run_left = trio.lowlevel.ParkingLot()
        self._first: Receipt | None = None
        self._tools = ToolClock()
        self._began = 0.0

    def __repr__(self) -> str:
        return f"<Run {self.context.run} of {self.agent!r} for {str(self.context.user)!r}>"

    @property
    def thread(self) -> ThreadId:
        """The conversation this run belongs to."""
        return self.context.thread

    @property
    def parent(self) -> RunId | None:
        """The run that this run is a sub-run of, if any."""
        return self._parent.context.run if self._parent else None

    @property
    def cancelled(self) -> bool:
        """True if the user stopped this run or its parent."""
        return self._cut is Cut.CANCELLED

    @property
    def ended(self) -> bool:
        """True once the run's last event was emitted."""
        return self._emitter.spoken.stage is RunStage.ENDED

    @property
    def requirement(self) -> Requirement:
        """What the run requires of each of its events."""
        return self._emitter.requirement

    @property
    def pressure(self) -> Pressure:
        """How well the user's clients keep up; reading it costs nothing."""
        return pressure_of(self._user.gauge)

    # The seven events (those of text are in `RunText`, those of tools in `RunTools`)

    async def agent_started(self, *, input: JSON = None) -> Receipt:  # noqa: A002  # wire's word
        """The agent has started. Entering the run emits this event; one more call by hand returns
        the same receipt."""
        if self._first is not None:
            if input is not None:
                raise BadEvent("agent_started: `input` must be given when the run is entered")
            first, self._first = self._first, None
            return first
        data: dict[str, JSON] = {"agent": checked_name(Kind.AGENT_STARTED, "agent", self.agent)}
        data |= {} if input is None else {"input": input}
        data |= {} if self.attempt == 1 else {"attempt": self.attempt}
        kept = run_policies(self._policies)
        return await self._emitter.emit(AgentStarted(), Kind.AGENT_STARTED, data, beside=kept)

    async def final_report(self, *, report: JSON) -> Receipt:
        """The complete answer, in any form that the agent's clients understand."""
        return await self._emitter.emit(FinalReport(), Kind.FINAL_REPORT, {"report": report})

    async def agent_completed(self, *, outcome: Literal["ok", "cancelled"] = "ok") -> Receipt:
        """The end. Leaving the run emits this event, unless you have. Sub-runs must end before."""
        if names := sorted(each.agent for each in self._sub_runs if not each.ended):
            raise OutOfOrder(f"agent_completed: sub-runs must end before: {', '.join(names)}")
        return await self._complete_run(outcome)

    # Everything else

    @block
    async def sub_run(self, *, agent: str, input: JSON = None) -> AsyncIterator[Run]:  # noqa: A002  # wire's word
        """A run within this one: same user and thread, and its events have this run as parent.

        Raises `OutOfOrder` before this run has begun and after its final report.
        """
        if (stage := self._emitter.spoken.stage) is not RunStage.RUNNING:
            raise OutOfOrder(f"a sub-run cannot begin: the run must be running, not {stage.value}")
        context = attrs.evolve(self.context, run=self._ids.new(RunId))
        await self._emitter.send_text()
        pace = self._texts.pace
        run = Run(
            context,
            agent=agent,
            user=self._user,
            ids=self._ids,
            parent=self,
            pace=pace,
            errors=self._errors,
            policies=self._policies,
        )
        run._life.limit, run._steps = self._life.limit, self._steps
        self._sub_runs.add(run)
        try:
            async with run.live(input):
                yield run
        finally:
            self._sub_runs.discard(run)
            self._sub_run_left.unpark_all()

    async def history(self, *, before: int | None = None, limit: int = 200) -> list[Event]:
        """The last events of this thread, oldest first, including those of this run.

        Pass the offset of the first event of a page as `before` to read the page before it, until
        a page is empty. A page has at most `limit` events and 256 KiB, or one larger event. Raises
        a `JournalError`, or `ValueError` if `before` or `limit` is not a whole number from 1 on.
        """
        check_page(before, limit)
        user = self.context.user
        question = ReadHistory(user, self.thread, before, limit)
        page = await self._user.journal.ask(question, whose=user).wait()
        return [Event.decode(record.body) for record in page.records]

    def require(self, *, displayed_within: float) -> Required:
        """Fail fast: from now on, the method that emits an event raises `NotDisplayed` unless the
        event is displayed within `displayed_within` seconds. The event is kept all the same.

        `async with run.require(displayed_within=5): …` requires it for a block. Raises `ValueError`
        if `displayed_within` is not a number of seconds.
        """
        return self.requirement.set(displayed_within)

    def typing(self) -> None:
        """Show that the agent is writing, on live connections only. Never kept; does not block."""
        try:
            self._user.actor.tell_owed(AgentTyping(self.thread, self.agent))
        except SupervisorError:
            return  # the actor restarts, so there is no live connection to show it on

    async def set_title(self, title: str) -> None:
        """Name the run's thread in its user's list, until the user or another run renames it.
        Raises `ValueError` for a title that is not 1 to 200 characters long or is only spaces, and
        `JournalError`s.
        """
        change = self._user.journal.change_thread_soon
        await change(self._user.user, self.thread, title=checked_title(title)).wait()

    def cancel(self) -> None:
        """Stop this run: its block is cancelled, and it ends with outcome `cancelled`. Raises
        `WrongThread`."""
        self._emitter.check_thread()
        self._life.cut(Cut.CANCELLED)

    def stop(self, words: RunFailure | None = None) -> None:
        """Cancel the run's block; it ends with reason `lost`, and in these `words`, or because the
        server stops."""
        if words is not None and self._life.cause is None:
            self._life.lost_words = words
        self._life.cut(Cut.LOST)

    def interrupt(self) -> None:
        """A host that is not trio cancelled the task of the run's code: the run ends as cancelled,
        or as what cut its parent says. Raises `WrongThread`."""
        self._emitter.check_thread()
        self._life.cut(self._cut or Cut.CANCELLED)

    def set_limit(self, seconds: float) -> None:
        """Limit this run to `seconds` from its beginning, instead of the limit in the settings.

        Raises `ValueError` if the tier does not allow that limit (see `Timeouts`), and for a
        sub-run, which has the limit of its parent.
        """
        if self._timeouts is None:
            raise ValueError(f"{self!r} has no limit of its own: set the limit of its parent")
        self._emitter.check_thread()
        self._life.set_limit(self._timeouts.run_limit(seconds))

    @asynccontextmanager
    async def live(self, input: JSON = None) -> AsyncIterator[Run]:  # noqa: A002  # wire's word
        """Run for the length of a block; the runtime enters it for you.

        However the block ends, the run ends for the user: completed, cancelled, or failed. Raises
        `OutOfOrder` if the run is running already, and `RunTimedOut` or `RunStopped` if it was cut
        short.
        """
        self._emitter.check_thread()
        run, runs = self.context.run, self._user.live_runs
        if run in runs:
            raise OutOfOrder(f"run {run} is running already", advice="each run needs its own id")
        runs[run] = self
        self._life.enter()
        self._began = trio.current_time()
        self._user.observer.run_started()
        try:
            self._first = await self.agent_started(input=input)
            self._life.begin(self._limit, self._abandon)
            with self._life.scope:
                yield self
        except BaseException as error:
            await self._end(error)
            raise
        else:
            await self._end(None)
            self._life.raise_if_stopped(closed=self._emitter.closed)
        finally:
            runs.pop(run, None)
            if not self._emitter.ended:
                self._user.leave(run, self._emitter.end)

    # Inside

    async def _end(self, error: BaseException | None) -> None:
        """End sub-runs, questions and tools that are still open, then emit how the run ended."""
        self._life.end()
        crash = ended_by(error).error if error is not None else None
        outcome = self._outcome(error, crash)
        self._user.observer.run_ended(outcome, trio.current_time() - self._began)
        if self.ended or self._emitter.spoken.stage is RunStage.CREATED:
            return  # a run that never began has no end
        if self._sub_runs:
            with last_words(self):
                await self._end_sub_runs()
        is_lost = outcome == "lost" and self.goes_on
        with self.requirement.lifted(), last_words(self):
            await withdraw_all(self._emitter, but_with_keys=is_lost)
            for call, tool_name in list(self._emitter.spoken.executing.items()):
                await self.tool_completed(
                    tool_name=tool_name, tool_call=call, error="it did not complete"
                )
        if is_lost:
            return  # the next attempt follows
        with self.requirement.lifted(), last_words(self):
            await self._last_word(outcome, crash)

    def _outcome(self, error: BaseException | None, crash: BaseException | None) -> RunOutcome:
        if crash is not None:
            return "crash"
        if error is None and not self._life.scope.cancelled_caught:
            return "ok"
        return (self._cut or Cut.LOST).value

    async def _last_word(self, outcome: RunOutcome, crash: BaseException | None) -> None:
        failed = self._errors.of_run(outcome, crash, self, self._life)
        if failed is None:
            how = "cancelled" if outcome == "cancelled" else "ok"
            if self._emitter.spoken.executing or self._emitter.spoken.asking:
                data = {"outcome": how, **self._completed_usage}
                self._emitter.leave_end(Kind.AGENT_COMPLETED, data)
            else:
                await self._complete_run(how)
            return
        event, kind = self._ids.new(EventId), Kind.AGENT_FAILED
        await self._emitter.emit(
            AgentFailed(), kind, failed.data(event), event=event, beside=failed.cause
        )

    async def _complete_run(self, outcome: str) -> Receipt:
        how = checked_outcome(Kind.AGENT_COMPLETED, outcome)
        data: JSON = {"outcome": how, **self._completed_usage}
        return await self._emitter.emit(AgentCompleted(), Kind.AGENT_COMPLETED, data)

    async def _end_sub_runs(self) -> None:
        """Cut the sub-runs of other tasks that outlive this block: they must end before the run."""
        for sub_run in self._sub_runs:
            sub_run._life.cut(self._cut or Cut.LOST)
        while self._sub_runs:
            await self._sub_run_left.park()

    @property
    def _cut(self) -> Cut | None:
        """Why this run or its parent was cut."""
        return self._life.cause or (self._parent._cut if self._parent else None)

    def _abandon(self) -> None:
        """The code was cancelled and does not stop: end the run for the user without it."""
        for sub_run in list(self._sub_runs):
            call_guarded(f"{sub_run!r} could not be abandoned", sub_run._abandon)
        if self.ended or self._emitter.closed:
            return
        cut = self._cut or Cut.LOST
        words: Draft | None = self._emitter.close(self._life.abandoned(self, cut))
        if cut is Cut.LOST and self.goes_on:
            words = self._emitter.end = None  # the next server takes it up
        self._user.abandon(self.context.run, words)


Agent: TypeAlias = Callable[[Run, JSON], Awaitable[None]]

DescribeError: TypeAlias = Callable[[BaseException, Run], str]
"""Words the sentence that the user of a run reads when its code or a tool raises this error."""
