"""The tools executing within a run, and for how long (pure)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.ids import ToolCallId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.grammar import OutOfOrder


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
