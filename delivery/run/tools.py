"""The tools of a run: as two events, or as a block that emits both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import attrs
import trio

from greenroom.actors.exit import ended_by
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.ids import EventId, IdSource, ToolCallId
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.run.block import block
from greenroom.delivery.run.emitter import Emitter
from greenroom.delivery.run.event_fields import checked_name, checked_text, checked_whole
from greenroom.delivery.run.failures.error_words import ErrorWords
from greenroom.delivery.run.failures.failure import CauseDraft
from greenroom.delivery.run.grammar import OutOfOrder, ToolCompleted, ToolExecuting
from greenroom.delivery.run.life import last_words
from greenroom.delivery.run.receipt import Receipt


@attrs.define
class ToolCall:
    """An executing tool. Pass its result to `result` before the block ends."""

    id: ToolCallId
    name: str
    value: JSON = None

    def result(self, value: JSON) -> None:
        """Set the tool's result; it is emitted with `tool_completed` when the block ends."""
        self.value = value


class ToolClock:
    """When each call of a run's tools began, in seconds of the caller's clock."""

    def __init__(self) -> None:
        self._began: dict[ToolCallId, float] = {}

    def start(self, call: ToolCallId, now: float) -> None:
        self._began[call] = now

    def stop(self, call: ToolCallId) -> None:
        self._began.pop(call, None)

    def age_ms(self, call: ToolCallId, now: float) -> int:
        """The age of a call in milliseconds; 0 for a call that never began."""
        return round((now - self._began.get(call, now)) * 1000)


def call_meant(
    executing: Mapping[ToolCallId, str], tool_name: str, call: ToolCallId | None
) -> ToolCallId:
    """The call that a `tool_completed` ends: by default the last call of that name.

    The grammar refuses a call that is not in `executing`. Raises `OutOfOrder` and `BadEvent`.
    """
    if call is None:
        calls = [call for call, name in executing.items() if name == tool_name]
        if not calls:
            raise OutOfOrder(
                f"tool_completed: no tool {tool_name!r} is executing",
                advice="emit tool_executing first",
            )
        return calls[-1]
    parsed = ToolCallId.parse(call)
    called = executing.get(parsed, tool_name)
    if called != tool_name:
        raise BadEvent(
            f"tool_completed: `tool_name` of {call} must be {called!r}, not {tool_name!r}"
        )
    return parsed


class RunTools:
    """The part of `Run` that uses tools."""

    _emitter: Emitter
    _ids: IdSource
    _errors: ErrorWords
    _tools: ToolClock

    async def tool_executing(
        self, *, tool_name: str, arguments: JSON = None, tool_call: ToolCallId | None = None
    ) -> Receipt:
        """A tool starts. `tool_call` distinguishes calls of the same tool; by default a new id."""
        call = self._ids.new(ToolCallId) if tool_call is None else ToolCallId.parse(tool_call)
        data: dict[str, JSON] = {"tool_call": call}
        data["tool_name"] = checked_name(Kind.TOOL_EXECUTING, "tool_name", tool_name)
        data |= {} if arguments is None else {"arguments": arguments}
        started = trio.current_time()
        receipt = await self._emitter.emit(
            ToolExecuting(call, tool_name), Kind.TOOL_EXECUTING, data
        )
        self._tools.start(call, started)
        return receipt

    async def tool_completed(
        self,
        *,
        tool_name: str,
        tool_call: ToolCallId | None = None,
        result: JSON = None,
        error: str | BaseException | None = None,
        duration_ms: int | None = None,
    ) -> Receipt:
        """A tool has finished: with its `result`, or with the `error` that it failed with.

        A text is shown to the user as it is. Of an exception the user reads what `show_errors`
        says, and operators find it by its reference.

        `tool_call` defaults to the last call of that name that is executing, and `duration_ms` to
        the time since `tool_executing`.
        """
        kind = Kind.TOOL_COMPLETED
        name = checked_name(kind, "tool_name", tool_name)
        call = call_meant(self._emitter.spoken.executing, name, tool_call)
        if error is not None and result is not None:
            raise BadEvent(f"{kind}: pass `result` or `error`, not both")
        if duration_ms is None:
            duration_ms = self._tools.age_ms(call, trio.current_time())
        data: dict[str, JSON] = {"tool_call": call, "tool_name": tool_name}
        event, failure = self._ids.new(EventId), None
        if error is None:
            data["result"] = result
        else:
            words, failure = self._worded(error)
            data |= {"error": checked_text(kind, "error", words), "reference": event}
        data["duration_ms"] = checked_whole(kind, "duration_ms", duration_ms)
        receipt = await self._emitter.emit(
            ToolCompleted(call), kind, data, event=event, beside=failure
        )
        self._tools.stop(call)
        return receipt

    @block
    async def tool(self, tool_name: str, arguments: JSON = None) -> AsyncIterator[ToolCall]:
        """A tool's work as a block: emits `tool_executing`, then `tool_completed` in any case."""
        call = ToolCall(self._ids.new(ToolCallId), tool_name)
        await self.tool_executing(tool_name=tool_name, arguments=arguments, tool_call=call.id)
        try:
            yield call
            await self._complete(call, result=call.value)
        except BaseException as error:
            cause = ended_by(error).error
            with self._emitter.requirement.lifted(), last_words(self):
                await self._complete(call, error="cancelled" if cause is None else cause)
            raise

    def _worded(self, error: str | BaseException) -> tuple[str, CauseDraft | None]:
        """What the user reads of a tool's error, and what is kept of it."""
        if isinstance(error, BaseException):
            words = self._errors.of_tool(error, self)
            return words, self._errors.cause(error)
        return error, None

    async def _complete(
        self, call: ToolCall, *, result: JSON = None, error: str | BaseException | None = None
    ) -> None:
        if call.id in self._emitter.spoken.executing:  # otherwise it was emitted by hand
            await self.tool_completed(
                tool_name=call.name, tool_call=call.id, result=result, error=error
            )
