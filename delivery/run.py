"""A run: one turn of an agent, and the only place events of agents come from."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import attrs
import trio

from greenroom.actors.machine import UnlistedPair
from greenroom.actors.machine_runner import MachineRunner
from greenroom.delivery.context import UserContext
from greenroom.delivery.draft import BadEvent, draft
from greenroom.delivery.events import JSON, Event, Kind
from greenroom.delivery.grammar import (
    RUN_GRAMMAR,
    Completed,
    Failed,
    OutOfOrder,
    Progress,
    Reported,
    RunState,
    Stage,
    Started,
    ToolCompleted,
    ToolExecuting,
)
from greenroom.delivery.ids import EventId, IdSource, RunId, ThreadId, ToolCallId
from greenroom.delivery.journal_writer import LookUp
from greenroom.delivery.receipt import Receipt
from greenroom.delivery.user_messages import AgentTyping, Emit

if TYPE_CHECKING:
    from greenroom.delivery.user_handle import UserHandle


class Pressure(enum.Enum):
    """How the user's clients keep up, so that an agent can say less or sum up."""

    NONE = "none"
    SOME = "some"
    NOBODY_LISTENING = "nobody listening"


@attrs.define
class ToolCall:
    """A tool at work. Give its outcome to `result` before the block ends."""

    id: ToolCallId
    name: str
    value: JSON = None

    def result(self, value: JSON) -> None:
        """What the tool found; sent with `tool_completed` when the block ends."""
        self.value = value


class Run:
    """One turn of an agent for one user, entered with `runtime.run(...)`.

    Every event method is keyword-only, checks its fields at the call (`BadEvent`), keeps to the
    run's grammar (`OutOfOrder`), and returns a `Receipt` once the event is durable. It raises
    `EventNotKept` when the journal refused, `ActorStopped` when the user's actors restarted.
    """

    def __init__(
        self,
        context: UserContext,
        *,
        agent: str,
        user: UserHandle,
        ids: IdSource,
        parent: RunId | None = None,
    ) -> None:
        self.context = context
        self.agent = agent
        self.parent = parent
        self._user = user
        self._ids = ids
        self._grammar = MachineRunner(RUN_GRAMMAR, RunState())
        self._scope = trio.CancelScope()
        self._first: Receipt | None = None
        self._index = 0
        self._tool_starts: dict[ToolCallId, float] = {}

    def __repr__(self) -> str:
        return f"<Run {self.context.run} of {self.agent!r} for {self.context.user!r}>"

    @property
    def thread(self) -> ThreadId:
        """The conversation this run belongs to."""
        return self.context.thread

    @property
    def cancelled(self) -> bool:
        """The user stopped this run."""
        return self._scope.cancel_called

    @property
    def ended(self) -> bool:
        """Its last event was emitted."""
        return self._grammar.state is Stage.ENDED

    @property
    def pressure(self) -> Pressure:
        """Whether the user's clients keep up; reading it costs nothing."""
        listening, behind = self._user.gauge.listening, self._user.gauge.behind
        if not listening:
            return Pressure.NOBODY_LISTENING
        return Pressure.SOME if behind > 128 else Pressure.NONE

    # The seven events

    async def agent_started(self, *, input: JSON = None) -> Receipt:  # noqa: A002  # wire's word
        """The agent is at work. Entering the run says it; by hand it may be said once more,
        which gives the same receipt."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        data: dict[str, JSON] = {"agent": self.agent}
        return await self._emit(
            Started(), Kind.AGENT_STARTED, data if input is None else {**data, "input": input}
        )

    async def agent_thinking(self, *, text: str) -> Receipt:
        """What the agent is thinking, for people to follow."""
        data: JSON = {"text": _text(Kind.AGENT_THINKING, "text", text)}
        return await self._emit(Progress(), Kind.AGENT_THINKING, data)

    async def partial_result(self, *, text: str) -> Receipt:
        """The next piece of the answer; pieces are numbered from 0."""
        data: JSON = {"text": _text(Kind.PARTIAL_RESULT, "text", text), "index": self._index}
        receipt = self._emit(Progress(), Kind.PARTIAL_RESULT, data)
        self._index += 1
        return await receipt

    async def tool_executing(
        self, *, tool_name: str, arguments: JSON = None, tool_call: ToolCallId | None = None
    ) -> Receipt:
        """A tool starts. `tool_call` tells calls of one tool apart; made if not given."""
        call = self._ids.new(ToolCallId) if tool_call is None else ToolCallId.parse(tool_call)
        _text(Kind.TOOL_EXECUTING, "tool_name", tool_name)
        data: dict[str, JSON] = {"tool_call": call, "tool_name": tool_name}
        if arguments is not None:
            data["arguments"] = arguments
        self._tool_starts[call] = trio.current_time()
        return await self._emit(ToolExecuting(call, tool_name), Kind.TOOL_EXECUTING, data)

    async def tool_completed(
        self,
        *,
        tool_name: str,
        tool_call: ToolCallId | None = None,
        result: JSON = None,
        error: str | None = None,
        duration_ms: int | None = None,
    ) -> Receipt:
        """A tool is done. Without `tool_call`: the last one of that name that executes."""
        _text(Kind.TOOL_COMPLETED, "tool_name", tool_name)
        call = self._executing(tool_name) if tool_call is None else ToolCallId.parse(tool_call)
        if duration_ms is None:
            started = self._tool_starts.get(call, trio.current_time())
            duration_ms = round((trio.current_time() - started) * 1000)
        data: dict[str, JSON] = {"tool_call": call, "tool_name": tool_name}
        data |= {"result": result} if error is None else {"error": error}
        data["duration_ms"] = _whole(Kind.TOOL_COMPLETED, "duration_ms", duration_ms)
        return await self._emit(ToolCompleted(call), Kind.TOOL_COMPLETED, data)

    async def final_report(self, *, report: JSON) -> Receipt:
        """The answer as a whole, in whatever shape the agent's clients know."""
        return await self._emit(Reported(), Kind.FINAL_REPORT, {"report": report})

    async def agent_completed(self, *, outcome: str = "ok") -> Receipt:
        """The end. Leaving the run says it, unless it was said by hand."""
        if outcome not in ("ok", "cancelled"):
            raise BadEvent(f'agent_completed: outcome is "ok" or "cancelled", not {outcome!r}')
        return await self._emit(Completed(), Kind.AGENT_COMPLETED, {"outcome": outcome})

    # Beside them

    @asynccontextmanager
    async def tool(self, tool_name: str, arguments: JSON = None) -> AsyncIterator[ToolCall]:
        """A tool's work as a block: says when it starts, when it is done, or how it failed."""
        call = ToolCall(self._ids.new(ToolCallId), tool_name)
        await self.tool_executing(tool_name=tool_name, arguments=arguments, tool_call=call.id)
        try:
            yield call
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            await self.tool_completed(tool_name=tool_name, tool_call=call.id, error=text)
            raise
        await self.tool_completed(tool_name=tool_name, tool_call=call.id, result=call.value)

    @asynccontextmanager
    async def sub_run(self, *, agent: str, input: JSON = None) -> AsyncIterator[Run]:  # noqa: A002  # wire's word
        """A run within this one: same user and thread, its events carry this run as parent."""
        context = attrs.evolve(self.context, run=self._ids.new(RunId))
        run = Run(context, agent=agent, user=self._user, ids=self._ids, parent=self.context.run)
        async with run.live(input):
            yield run

    async def history(self, *, limit: int = 200) -> list[Event]:
        """The last events of this thread, oldest first, this run's own among them."""
        page = await self._user.look_up.ask(
            LookUp(
                lambda journal: journal.history(
                    self.context.user, thread=self.thread, before=None, limit=limit
                )
            )
        )
        return [Event.decode(record.body) for record in page.records]

    def typing(self) -> None:
        """Show that the agent is writing, on live sockets only. Never kept, never blocks."""
        self._user.actor.tell_owed(AgentTyping(self.thread, self.agent))

    def cancel(self) -> None:
        """Stop this run: its block is cancelled and it ends with outcome `cancelled`."""
        self._scope.cancel()

    @asynccontextmanager
    async def live(self, input: JSON = None) -> AsyncIterator[Run]:  # noqa: A002  # wire's word
        """Run for the length of a block; the runtime enters it for you.

        However the block ends, the run ends for the user: completed, cancelled, or failed.
        """
        runs = self._user.live_runs
        runs[self.context.run] = self.cancel
        try:
            with self._scope:
                try:
                    self._first = await self.agent_started(input=input)
                    yield self
                except BaseException as error:
                    await self._end_shielded(error)
                    raise
                await self._end_shielded(None)
        finally:
            del runs[self.context.run]

    # Inside

    async def _emit(self, step: object, kind: Kind, data: JSON) -> Receipt:
        event = draft(
            event=self._ids.new(EventId),
            kind=kind,
            thread=self.context.thread,
            run=self.context.run,
            parent=self.parent,
            request=self.context.request,
            data=data,
        )
        self._advance(step, kind)
        record = await self._user.actor.ask(Emit(event))
        return Receipt(record.id, kind, record.offset, record.at, lambda: self._user.actor)

    def _advance(self, step: object, kind: Kind) -> None:
        try:
            self._grammar.handle(step)
        except UnlistedPair as error:
            raise OutOfOrder(
                f"{kind} cannot come now: the run is {self._grammar.state.value}",
                advice="see the run's grammar in docs/runs.md",
            ) from error

    async def _end_shielded(self, error: BaseException | None) -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + END_SECONDS):
            if not self.ended:
                await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        """Close what is open, then say how the run ended."""
        for call, name in list(self._grammar.data.executing.items()):
            await self.tool_completed(tool_name=name, tool_call=call, error="it did not complete")
        if error is None:
            await self.agent_completed()
        elif _is_cancelled(error) and self.cancelled:
            await self._completed_cancelled()
        elif _is_cancelled(error):
            await self._fail("Stopped", "the server stopped the run", "lost")
        else:
            await self._fail(type(error).__name__, str(error)[:MAX_MESSAGE], "crash")

    async def _completed_cancelled(self) -> None:
        """A run cancelled before it had begun has nothing to complete: it never was there."""
        if self._grammar.state is not Stage.CREATED:
            await self.agent_completed(outcome="cancelled")
        else:
            await self._fail("Cancelled", "stopped before it had begun", "lost")

    async def _fail(self, error: str, message: str, reason: str) -> None:
        data: JSON = {"error": error, "message": message, "reason": reason}
        await self._emit(Failed(), Kind.AGENT_FAILED, data)

    def _executing(self, tool_name: str) -> ToolCallId:
        calls = [call for call, name in self._grammar.data.executing.items() if name == tool_name]
        if not calls:
            raise OutOfOrder(f"tool_completed: no tool {tool_name!r} is executing")
        return calls[-1]


END_SECONDS = 10.0
"""How long a run's last words may take when it is cancelled."""

MAX_MESSAGE = 1000

Agent: TypeAlias = Callable[[Run, JSON], Awaitable[None]]


def _is_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_cancelled(each) for each in error.exceptions)
    return isinstance(error, trio.Cancelled)


def _text(kind: Kind, field: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadEvent(f"{kind}: {field} is a str, not {type(value).__name__}")
    return value


def _whole(kind: Kind, field: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadEvent(f"{kind}: {field} is an int of 0 or more, not {value!r}")
    return value
