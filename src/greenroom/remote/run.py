"""A run that this process speaks in, and that a server elsewhere keeps and delivers."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, TypeVar, cast, overload

import anyio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.asks.run_asks import with_schema
from greenroom.delivery.asks.user_ask import NO_DEFAULT, NoDefault, Wording
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import IdSource, RunId, ThreadId, ToolCallId
from greenroom.delivery.events.kinds import JSON, Event
from greenroom.delivery.events.threads import checked_title
from greenroom.delivery.journal.paging import check_page
from greenroom.delivery.run.block import block
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.delivery.run.pressure import Pressure
from greenroom.delivery.run.receipt import Receipt, Required, Requirement
from greenroom.delivery.run.tools import ToolCall
from greenroom.remote.ask import RemoteAsk
from greenroom.remote.lane import RemoteLane
from greenroom.remote.life import LAST_SECONDS, RemoteLife
from greenroom.remote.receipt import RemoteReceipt
from greenroom.remote.requests import Asking, new_key
from greenroom.remote.running import Running, failure_of
from greenroom.remote.text import RemoteText

T = TypeVar("T")
J = TypeVar("J", bound=JSON)


class RemoteRun:
    """One turn of an agent for one user, entered with `server.run(...)`. Its methods are those of
    `greenroom.Run`, and raise what those raise; besides `NotAnswered` if the server does not
    answer in time, and `RunOver` once the run has ended."""

    def __init__(self, life: RemoteLife) -> None:
        begun = life.state
        self.context = UserContext.new(
            user=begun["user"],
            thread=begun["thread"],
            run=begun["run"],
            request=begun["request"],
        )
        self.agent: str = begun["agent"]
        self._life = life
        self._first: RemoteReceipt | None = life.receipt(begun["started"])
        self._requirement = Requirement()
        self._streams = itertools.count()
        self._steps: dict[str, tuple[anyio.Lock, list[JSON]]] = {}
        self._ids = IdSource()

    def __repr__(self) -> str:
        return f"<RemoteRun {self.context.run} of {self.agent!r} for {str(self.context.user)!r}>"

    @property
    def thread(self) -> ThreadId:
        """The conversation this run belongs to."""
        return self.context.thread

    @property
    def parent(self) -> RunId | None:
        """The run that this run is a sub-run of, if any."""
        parent = self._life.state["parent"]
        return None if parent is None else RunId.trusted(parent)

    @property
    def cancelled(self) -> bool:
        """True if the user stopped this run, or `cancel` did."""
        return self._life.cancelled

    @property
    def ended(self) -> bool:
        """True once the run's last event was emitted."""
        return self._life.ended

    @property
    def attempt(self) -> int:
        """1: a run of another process is not taken up again."""
        return 1

    @property
    def goes_on(self) -> bool:
        """False: a run of another process is not taken up again."""
        return False

    @property
    def requirement(self) -> Requirement:
        """What the run requires of each of its events."""
        return self._requirement

    @property
    def pressure(self) -> Pressure:
        """How well the user's clients keep up, as the server said last."""
        return self._life.pressure

    async def agent_started(self, *, input: JSON = None) -> Receipt:  # noqa: A002  # wire's word
        """The receipt of the event that entering the run emitted, once."""
        if self._first is None or input is not None:
            raise OutOfOrder("agent_started is not allowed now: the run is running")
        first, self._first = self._first, None
        return cast(Receipt, first)

    async def agent_thinking(self, *, text: str) -> Receipt:
        """What the agent is thinking, for the user to follow."""
        return await self._emit("agent_thinking", text=text)

    async def partial_result(self, *, text: str) -> Receipt:
        """The next piece of the answer."""
        return await self._emit("partial_result", text=text)

    async def tool_executing(
        self, *, tool_name: str, arguments: JSON = None, tool_call: ToolCallId | None = None
    ) -> Receipt:
        """A tool starts."""
        return await self._emit(
            "tool_executing", tool_name=tool_name, arguments=arguments, tool_call=tool_call
        )

    async def tool_completed(
        self,
        *,
        tool_name: str,
        tool_call: ToolCallId | None = None,
        result: JSON = None,
        error: str | BaseException | None = None,
        duration_ms: int | None = None,
    ) -> Receipt:
        """A tool has finished: with its `result`, or with the `error` that it failed with."""
        failure = failure_of(error) if isinstance(error, BaseException) else None
        return await self._emit(
            "tool_completed",
            tool_name=tool_name,
            tool_call=tool_call,
            result=result,
            error=error if isinstance(error, str) else None,
            failure=failure,
            duration_ms=duration_ms,
        )

    async def final_report(self, *, report: JSON) -> Receipt:
        """The complete answer, in any form that the agent's clients understand."""
        return await self._emit("final_report", report=report)

    def add_usage(self, counts: Mapping[str, int]) -> None:
        """Add to what this run has used, such as `{"input_tokens": 120, "output_tokens": 40}`. The
        sums go to the server with the end. Raises `BadEvent`, and `OutOfOrder` once it has ended.
        """
        if self._life.ended:
            raise OutOfOrder("usage cannot be added to a run that has ended")
        self._life.usage.add(counts)

    async def agent_completed(self, *, outcome: Literal["ok", "cancelled"] = "ok") -> Receipt:
        """The end. Leaving the run emits this event, unless you have."""
        life = self._life
        await life.lane.flushed()
        if life.ended:
            raise OutOfOrder("agent_completed is not allowed now: the run has ended")
        await life.end_as({"outcome": "cancelled" if outcome == "cancelled" else "completed"})
        said = await life.requests.get(f"/api/events/{life.state['end']}")
        return cast(Receipt, life.receipt(said))

    @block
    async def tool(self, tool_name: str, arguments: JSON = None) -> AsyncIterator[ToolCall]:
        """A tool's work as a block: emits `tool_executing`, then `tool_completed` in any case."""
        call = ToolCall(self._ids.new(ToolCallId), tool_name)
        await self.tool_executing(tool_name=tool_name, arguments=arguments, tool_call=call.id)
        try:
            yield call
            await self.tool_completed(tool_name=tool_name, tool_call=call.id, result=call.value)
        except BaseException as error:
            words = error if isinstance(error, Exception) else "cancelled"
            if not self.ended:
                with anyio.CancelScope(shield=True, deadline=anyio.current_time() + LAST_SECONDS):
                    await self._last_word(call, words)
            raise

    async def _last_word(self, call: ToolCall, error: str | BaseException) -> None:
        try:
            await self.tool_completed(tool_name=call.name, tool_call=call.id, error=error)
        except GreenroomError:
            return  # it was completed by hand, or the run is over: its end closes what is open

    def text(self) -> RemoteText:
        """The answer, token by token: `async with run.text() as text: text.write(token)`."""
        return RemoteText(self._life, "text", str(next(self._streams)))

    def thoughts(self) -> RemoteText:
        """One thought, token by token."""
        return RemoteText(self._life, "thoughts", str(next(self._streams)))

    async def stream(self, tokens: AsyncIterable[str]) -> RemoteText:
        """Write the answer from any async iterable of str. Returns the stream once all is kept."""
        async with self.text() as text:
            await text.write_all(tokens)
        return text

    @overload
    def ask(
        self,
        prompt: str,
        *,
        options: Sequence[JSON] | None = None,
        schema: JSON = None,
        expires: float | None = None,
        default: JSON | NoDefault = NO_DEFAULT,
        counts_time: bool = False,
        key: str | None = None,
    ) -> RemoteAsk[JSON]: ...

    @overload
    def ask(
        self,
        prompt: str,
        *,
        answer_type: type[T],
        expires: float | None = None,
        default: T | NoDefault = NO_DEFAULT,
        counts_time: bool = False,
        key: str | None = None,
    ) -> RemoteAsk[T]: ...

    def ask(
        self,
        prompt: str,
        *,
        options: Sequence[JSON] | None = None,
        schema: JSON = None,
        answer_type: type | None = None,
        expires: float | None = None,
        default: object = NO_DEFAULT,
        counts_time: bool = False,
        key: str | None = None,
    ) -> RemoteAsk[Any]:
        """Ask the user, and wait for the answer: `answer = await run.ask("Delete 14 files?")`."""
        wording = Wording(prompt, options, schema, expires, answer_type, default, counts_time, key)
        return RemoteAsk(self._life, with_schema(wording))

    def sub_run(
        self,
        *,
        agent: str,
        input: JSON = None,  # noqa: A002  # wire's word
    ) -> AbstractAsyncContextManager[RemoteRun]:
        """A run within this one: same user and thread, and its events have this run as parent."""
        body = {"user": self.context.user, "agent": agent, "input": input}
        return begin_run(
            self._life.requests, {**body, "parent": self.context.run}, new_key(), self._life.lane
        )

    async def history(self, *, before: int | None = None, limit: int = 200) -> list[Event]:
        """The last events of this thread, oldest first, including those of this run."""
        check_page(before, limit)
        page = await self._life.requests.get(
            f"{self._life.path}/history", before=before, limit=limit
        )
        return [Event.from_json(each) for each in page["events"]]

    def require(self, *, displayed_within: float) -> Required:
        """Fail fast: from now on, the method that emits an event raises `NotDisplayed` unless the
        event is displayed within `displayed_within` seconds."""
        return self._requirement.set(displayed_within)

    def typing(self) -> None:
        """Show that the agent is writing, on live connections only. Never kept; does not block."""
        self._life.lane.put_soon("typing")

    async def set_title(self, title: str) -> None:
        """Name the run's thread in its user's list."""
        await self._life.lane.put("title", title=checked_title(title))

    def set_limit(self, seconds: float) -> None:
        """Limit this run to `seconds` from its beginning. What the server refuses is logged."""
        if not isinstance(seconds, int | float) or not seconds > 0:
            raise ValueError(f"`seconds` must be a number above 0, not {seconds!r}")
        self._life.lane.put_soon("limit", seconds=seconds)

    def cancel(self) -> None:
        """Stop this run: its block is cancelled, and it ends with outcome `cancelled`."""
        self._life.cancel()

    async def step(self, key: str, function: Callable[[], Awaitable[J]]) -> J:
        """What `function()` returned for this key in this run; otherwise call it. This process
        remembers it, as long as the run goes on here."""
        lock, results = self._steps.setdefault(key, (anyio.Lock(), []))
        async with lock:
            if not results:
                results.append(await function())
            return cast(J, results[0])

    # Inside

    async def _emit(self, kind: str, **data: JSON) -> Receipt:
        receipt = cast(Receipt, self._life.receipt(await self._life.lane.put(kind, **data)))
        within = self._requirement.displayed_within
        if within is not None:
            await receipt.wait_displayed(within)
        return receipt


def begin_run(
    requests: Asking, body: Mapping[str, JSON], key: str, after: RemoteLane | None = None
) -> Running[RemoteRun]:
    """The block of a new run."""
    return Running(requests, body, key, RemoteRun, after)
