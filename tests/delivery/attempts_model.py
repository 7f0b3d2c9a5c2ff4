"""Runs that go on, for the delivery model: what a user may see of one, and the runs of a user actor
with agents that live, speak and are lost as the model says."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import attrs
import outcome

from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply
from greenroom.actors.timers import Timers
from greenroom.delivery.asks.ask_keys import ask_with_key, has_key
from greenroom.delivery.events.asks import ask_of
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import Draft, draft, run_completed
from greenroom.delivery.events.going_on import NotAgain
from greenroom.delivery.events.ids import AskId, EventId, RunId, UserId
from greenroom.delivery.events.kinds import ASK_ENDS, JSON, TERMINAL, Event, Kind
from greenroom.delivery.events.policy import NO_POLICIES, Policies
from greenroom.delivery.events.record import Record
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.run.attempts.attempt import RunAttempt, WhenLost
from greenroom.delivery.user.asks import Asks
from greenroom.delivery.user.messages import AskUser, UserMessage, UserSays, WithdrawAsk
from greenroom.delivery.user.parts import UserAtRest, UserParts
from greenroom.delivery.user.runs.run_queue import WaitingRun
from greenroom.delivery.user.runs.user_runs import UserRuns

AGENT, ATTEMPTS = "agent", 3
WHEN_LOST = WhenLost(AGENT, {AGENT: ATTEMPTS})


@attrs.define(eq=False)
class Story:
    """A run as its user sees it: attempts one after the other, each with everything closed that
    the one before had begun, and one end."""

    began: int
    policies: Policies = NO_POLICIES
    attempts: int = 0
    pieces: int = 0
    tools: dict[JSON, int] = attrs.field(factory=dict)  # those that are open, with their offsets
    asked: set[AskId] = attrs.field(factory=set)
    open_asks: dict[AskId, int] = attrs.field(factory=dict)
    stopped: bool = False
    stop_kept: bool = False
    is_over: bool = False

    def sees(self, record: Record) -> None:
        assert not self.is_over, "it speaks after its end"
        kind, data = record.kind, Event.decode(record.body).data
        if kind is Kind.AGENT_STARTED:
            self.attempts += 1
            assert data.get("attempt", 1) == self.attempts, "attempts are counted one by one"
            assert self.attempts <= ATTEMPTS
            assert not self.tools, "a tool of the broken attempt is open"
            assert all(map(has_key, self.open_asks)), "a question of the broken attempt is open"
        elif kind is Kind.PARTIAL_RESULT:
            assert data["index"] == self.pieces, "the text does not go on where it was"
            self.pieces += 1
        elif kind is Kind.TOOL_EXECUTING:
            self.tools[data["tool_call"]] = record.offset
        elif kind is Kind.TOOL_COMPLETED:
            del self.tools[data["tool_call"]]
        elif kind is Kind.INPUT_REQUESTED:
            assert ask_of(record) not in self.asked, "asked twice"
            self.asked.add(ask_of(record))
            self.open_asks[ask_of(record)] = record.offset
        elif kind in ASK_ENDS:
            del self.open_asks[ask_of(record)]
        elif kind in TERMINAL:
            assert not self.tools, "it ends while a tool is open"
            assert not self.open_asks, "it ends while a question is open"
            self.is_over = True

    def forgets(self, through: int) -> None:
        """What was trimmed is closed by nobody."""
        self.tools = {tool: at for tool, at in self.tools.items() if at > through}
        self.open_asks = {ask: at for ask, at in self.open_asks.items() if at > through}


@attrs.define
class StillScope:
    """A cancel scope that asks no scheduler for the time."""

    cancel_called: bool = False

    def cancel(self) -> None:
        self.cancel_called = True


class StillTimers(Timers[UserMessage]):
    """Due when the model says so. Their messages have nothing to do but to be followed by a
    flush."""

    __slots__ = ("_clock", "_dues")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._dues: dict[Hashable, float] = {}

    def start(self, name: Hashable, after: float, message: UserMessage) -> None:
        self._dues[name] = self._clock() + after

    def __contains__(self, name: Hashable) -> bool:
        return name in self._dues

    def fire(self) -> None:
        now = self._clock()
        self._dues = {name: due for name, due in self._dues.items() if due > now}


@attrs.define(eq=False)
class Living:
    """An attempt in a task of its own, which waits for each of its events to be kept."""

    context: UserContext
    attempt: RunAttempt
    waiting: WaitingRun
    at: float
    begun: bool = False
    busy: int = 0
    pieces: int = 0
    tools: list[str] = attrs.field(factory=list)
    asks: list[AskId] = attrs.field(factory=list)


class Runs:
    """A user actor's parts for runs, and the runs of its user that are alive."""

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        box: Outbox[Reply[Record]],
        actor: Ref[Any],
        asks: Asks,
        known: UserAtRest,
        stories: dict[RunId, Story],
        clock: Callable[[], float],
    ) -> None:
        self.user, self.parts, self.box, self.asks = user, parts, box, asks
        self.stories, self.clock = stories, clock
        self.timers = StillTimers(clock)
        self.core = UserRuns(user, parts, box, actor, asks, known, self.timers)
        self.alive: dict[RunId, Living] = {}
        self.wrong: list[str] = []  # what a callback raises would only be logged

    # What the user actor does

    def begin(self) -> None:
        self.core.begin()
        self.be_still()

    def say(self, say: str) -> None:
        self.core.says.say(UserSays(say, None, None, {"what": say}), Reply())

    def flush(self) -> None:
        self.timers.fire()
        self.core.end_left()
        self.core.take_up_broken()

    def leave(self, run: RunId, words: Draft | None) -> None:
        self.core.leave(run, words)
        self.be_still()

    def be_still(self) -> None:
        for live in self.parts.live_runs.values():
            if isinstance(live, WaitingRun) and not isinstance(live.scope, StillScope):
                live.scope = StillScope()  # type: ignore[assignment]

    # What the launcher and the agent do

    def launch(self, context: UserContext, attempt: RunAttempt) -> None:
        run, story = context.run, self.stories[context.run]
        if run in self.alive:
            self.wrong.append("two attempts at once")
        if story.is_over:
            self.wrong.append("an attempt after the end")
        if (attempt.number, attempt.pieces) != (story.attempts + 1, story.pieces):
            self.wrong.append(f"{attempt} does not follow {story}")
        waiting = self.parts.live_runs.get(run)
        if not isinstance(waiting, WaitingRun):
            waiting = WaitingRun(run, goes_on=attempt.goes_on)
        self.parts.live_runs[run] = waiting
        self.be_still()
        at = self.clock() + attempt.after
        self.alive[run] = Living(context, attempt, waiting, at, pieces=attempt.pieces)

    def act(self, run: RunId, what: str) -> None:
        """One step of a run, if it waits for nothing."""
        living = self.alive.get(run)
        if living is None or living.busy:
            return
        if what == "is lost":
            self.gone(run)
        elif not living.begun:
            self.start(living)
        elif living.waiting.cancelled or what == "ends":
            self.end(living)
        elif what == "speaks":
            self.emit(living, Kind.PARTIAL_RESULT, index=living.pieces, text=f"{living.pieces}, ")
            living.pieces += 1
        elif what == "takes a tool" and not living.tools:
            living.tools.append(self.parts.ids.new(EventId))
            self.emit_tool(living, Kind.TOOL_EXECUTING)
        elif what == "asks" or what == "asks with a key":
            self.ask(living, has_key=what != "asks")

    def start(self, living: Living) -> None:
        """Its turn and its time have come."""
        run, number = living.context.run, living.attempt.number
        if living.waiting.cancelled:
            self.emit_end(living, "cancelled")
        elif self.parts.turns._queue.has_turn(run) and living.at <= self.clock():
            if self.stories[run].stopped:
                self.wrong.append("a stopped run goes on")
            living.begun = True
            more: dict[str, JSON] = {"attempt": number} if number > 1 else {}
            self.emit(living, Kind.AGENT_STARTED, agent=AGENT, **more)

    def ask(self, living: Living, *, has_key: bool) -> None:
        run = living.context.run
        ask = ask_with_key(run, "delete") if has_key else self.parts.ids.new(AskId)
        event = self.draft(living, Kind.INPUT_REQUESTED, ask=ask, prompt="?", options=[0, 1])
        if ask not in living.asks:
            living.asks.append(ask)
            self.asks.take(AskUser(event, ask), self.waited_for(living))

    def end(self, living: Living) -> None:
        """What is open is closed, then it ends."""
        if living.tools:
            self.emit_tool(living, Kind.TOOL_COMPLETED)
            living.tools.clear()
        elif living.asks:
            for ask in living.asks:
                self.asks.take(WithdrawAsk(ask), self.waited_for(living))
            living.asks.clear()
        else:
            self.emit_end(living, "cancelled" if living.waiting.cancelled else "ok")

    def stop(self, run: RunId) -> NotAgain | None:
        """Its user stops it; what the journal is to keep."""
        live = self.parts.live_runs.get(run)
        if live is None or self.stories[run].stopped:
            return None
        live.cancel()
        self.parts.stopped.add(run)
        self.stories[run].stopped = True
        return NotAgain(self.user, run)

    def gone(self, run: RunId, words: Draft | None = None) -> None:
        """The code of a live run leaves."""
        del self.alive[run]
        self.parts.live_runs.pop(run, None)
        self.parts.turns.leave(run)
        self.leave(run, words)

    def die(self, *, process_too: bool) -> None:
        """The user's actors stop, and the runs with them."""
        self.core.give_up()
        if process_too:  # a stop that was not kept is forgotten
            for story in self.stories.values():
                story.stopped = story.stop_kept
        for run in self.alive:
            self.parts.live_runs.pop(run, None)
            self.parts.turns.leave(run)
        self.alive = {}

    # Helpers

    def emit(self, living: Living, kind: Kind, **data: JSON) -> None:
        self.core.emit(self.draft(living, kind, **data), self.waited_for(living))

    def emit_tool(self, living: Living, kind: Kind) -> None:
        self.emit(living, kind, tool_call=living.tools[0], tool_name="pay")

    def emit_end(self, living: Living, how: str) -> None:
        words = run_completed(event=self.parts.ids.new(EventId), run=living.context, outcome=how)
        self.core.emit(words, self.waited_for(living, words))

    def draft(self, living: Living, kind: Kind, **data: JSON) -> Draft:
        at, event = living.context, self.parts.ids.new(EventId)
        return draft(
            event=event,
            kind=kind,
            thread=at.thread,
            run=at.run,
            parent=None,
            request=at.request,
            data=data,
        )

    def waited_for(self, living: Living, end: Draft | None = None) -> Reply[Record]:
        """A reply that the run waits for: if there is an error its code leaves."""
        living.busy += 1
        reply: Reply[Record] = Reply()
        reply.then(partial(self.heard, living, end))
        return reply

    def heard(self, living: Living, end: Draft | None, result: Any) -> None:
        living.busy -= 1
        failed = isinstance(result, outcome.Error)
        if (failed or end is not None) and self.alive.get(living.context.run) is living:
            self.gone(living.context.run, end if failed else None)
