"""The grammar of a run: which event may follow which, as a machine (pure).

created → running → reported → ended. A tool completes once, while it executes, and a question ends
once, while it is open. Only the end may follow the final report, and nothing may follow the end.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Never, TypeAlias

import attrs

from greenroom.actors.errors import GreenroomError
from greenroom.actors.machine.machine import Machine, UnlistedPair
from greenroom.actors.machine.step import Step, go, stay
from greenroom.actors.machine.table import On
from greenroom.delivery.events.ids import AskId, ToolCallId


class RunStage(enum.Enum):
    """How far a run has got."""

    CREATED = "created"
    RUNNING = "running"
    REPORTED = "reported"
    ENDED = "ended"

    if not TYPE_CHECKING:  # which would take it for a member without a type
        __hash__ = object.__hash__  # Enum's runs in Python, for each event


SO_FAR = {
    RunStage.CREATED: "has not started",
    RunStage.RUNNING: "is running",
    RunStage.REPORTED: "has emitted its final report",
    RunStage.ENDED: "has ended",
}


class OutOfOrder(GreenroomError):
    """The run's grammar does not allow this event now. Nothing was emitted."""


def _for_good(tools: Mapping[ToolCallId, str]) -> Mapping[ToolCallId, str]:
    return MappingProxyType(dict(tools))


@attrs.frozen
class RunState:
    """The tools that execute now, tool call to tool name; and the questions that are open."""

    executing: Mapping[ToolCallId, str] = attrs.field(factory=dict, converter=_for_good)
    asking: Set[AskId] = frozenset()


@attrs.frozen
class AgentStarted:
    words: ClassVar[str] = "agent_started"


@attrs.frozen
class Progress:
    words: str = "agent_thinking or partial_result"
    """The call that was made, for the error that refuses it."""


@attrs.frozen
class ToolExecuting:
    words: ClassVar[str] = "tool_executing"

    call: ToolCallId
    tool_name: str


@attrs.frozen
class ToolCompleted:
    words: ClassVar[str] = "tool_completed"

    call: ToolCallId


@attrs.frozen
class InputRequested:
    words: ClassVar[str] = "input_requested"

    ask: AskId


@attrs.frozen
class InputEnded:
    """`input_answered` or `input_closed`, which the user actor emits."""

    words: ClassVar[str] = "input_answered or input_closed"

    ask: AskId


@attrs.frozen
class FinalReport:
    words: ClassVar[str] = "final_report"


@attrs.frozen
class AgentCompleted:
    words: ClassVar[str] = "agent_completed"


@attrs.frozen
class AgentFailed:
    words: ClassVar[str] = "agent_failed"


GrammarStep: TypeAlias = Step[RunStage, RunState, Never]


def _started(state: RunState, _: AgentStarted) -> GrammarStep:
    return go(RunStage.RUNNING, state)


def _progress(state: RunState, _: Progress) -> GrammarStep:
    return stay(state)


def _executing(state: RunState, event: ToolExecuting) -> GrammarStep:
    if event.call in state.executing:
        raise OutOfOrder(
            f"tool call {event.call} is executing already",
            advice="each call of a tool needs its own `tool_call`",
        )
    return stay(RunState({**state.executing, event.call: event.tool_name}, state.asking))


def _completed_tool(state: RunState, event: ToolCompleted) -> GrammarStep:
    if event.call not in state.executing:
        raise OutOfOrder(
            f"tool call {event.call} is not executing",
            advice="emit tool_executing first, and tool_completed once",
        )
    executing = {k: v for k, v in state.executing.items() if k != event.call}
    return stay(RunState(executing, state.asking))


def _requested(state: RunState, event: InputRequested) -> GrammarStep:
    if event.ask in state.asking:
        raise OutOfOrder(f"question {event.ask} is open already")
    return stay(attrs.evolve(state, asking=state.asking | {event.ask}))


def _input_ended(state: RunState, event: InputEnded) -> GrammarStep:
    if event.ask not in state.asking:
        raise OutOfOrder(f"question {event.ask} is not open")
    return stay(attrs.evolve(state, asking=state.asking - {event.ask}))


def _reported(state: RunState, _: FinalReport) -> GrammarStep:
    _refuse_what_is_open(state, "final_report")
    return go(RunStage.REPORTED, state)


def _completed(state: RunState, _: AgentCompleted) -> GrammarStep:
    _refuse_what_is_open(state, "agent_completed")
    return go(RunStage.ENDED, state)


def _failed(state: RunState, _: AgentFailed) -> GrammarStep:
    return go(RunStage.ENDED, RunState())


def _refuse_what_is_open(state: RunState, kind: str) -> None:
    if state.executing:
        names = ", ".join(sorted(state.executing.values()))
        raise OutOfOrder(
            f"{kind} is not allowed while a tool executes: {names}",
            advice="emit tool_completed first",
        )
    if state.asking:
        raise OutOfOrder(
            f"{kind} is not allowed while a question is open: {', '.join(sorted(state.asking))}",
            advice="wait for the answer, or withdraw the question",
        )


RUN_GRAMMAR: Machine[RunStage, RunState, Never] = Machine(
    name="run",
    states=RunStage,
    initial=RunStage.CREATED,
    final={RunStage.ENDED},
    transitions=[
        On(RunStage.CREATED, AgentStarted, _started, to={RunStage.RUNNING}),
        On(RunStage.RUNNING, Progress, _progress),
        On(RunStage.RUNNING, ToolExecuting, _executing),
        On(RunStage.RUNNING, ToolCompleted, _completed_tool),
        On(RunStage.RUNNING, InputRequested, _requested),
        On(RunStage.RUNNING, InputEnded, _input_ended),
        On(RunStage.RUNNING, FinalReport, _reported, to={RunStage.REPORTED}),
        On({RunStage.RUNNING, RunStage.REPORTED}, AgentCompleted, _completed, to={RunStage.ENDED}),
        On(
            {RunStage.CREATED, RunStage.RUNNING, RunStage.REPORTED},
            AgentFailed,
            _failed,
            to={RunStage.ENDED},
        ),
    ],
)

RunStep: TypeAlias = (
    AgentStarted
    | Progress
    | ToolExecuting
    | ToolCompleted
    | InputRequested
    | InputEnded
    | FinalReport
    | AgentCompleted
    | AgentFailed
)


_PROGRESSING = {
    stage for row in RUN_GRAMMAR.transitions if row.handler is _progress for stage in row.sources
}
"""The stages in which a `Progress` changes nothing: most events are one."""


@attrs.frozen
class Spoken:
    """What a run has emitted so far: its stage, its executing tools and its open questions."""

    stage: RunStage = RunStage.CREATED
    state: RunState = attrs.field(factory=RunState)

    @property
    def executing(self) -> Mapping[ToolCallId, str]:
        """The executing tools: call to name, in the order in which they were called."""
        return self.state.executing

    @property
    def asking(self) -> Set[AskId]:
        """The open questions."""
        return self.state.asking

    def after(self, step: RunStep) -> Spoken:
        """With one more event. Raises `OutOfOrder` if the event is not allowed now."""
        if type(step) is Progress and self.stage in _PROGRESSING:
            return self
        try:
            done = RUN_GRAMMAR.step(self.stage, self.state, step)
        except UnlistedPair as error:
            raise OutOfOrder(
                f"{step.words} is not allowed now: the run {SO_FAR[self.stage]}",
                advice="see the grammar in docs/runs.md",
            ) from error
        if done.state is None and done.data is self.state:
            return self
        return Spoken(done.state or self.stage, done.data)

    def without(self, step: RunStep, before: Spoken) -> Spoken:
        """Undo `step`, which was taken from `before`: the journal did not keep it.

        Tools and questions that other tasks began or ended since then stay as they are.
        """
        executing, asking = dict(self.executing), self.asking
        match step:
            case Progress():
                return self
            case ToolExecuting(call):
                executing.pop(call, None)
            case ToolCompleted(call):
                executing[call] = before.executing[call]
            case InputRequested(ask):
                asking = asking - {ask}
            case _:
                return before
        return Spoken(self.stage, RunState(executing, asking))
