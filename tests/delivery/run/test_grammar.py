"""The grammar of a run, held to a model that knows nothing of machines."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from greenroom.actors.machine.diagram import mermaid
from greenroom.delivery.events.ids import IdSource, ToolCallId
from greenroom.delivery.run.grammar import (
    RUN_GRAMMAR,
    AgentCompleted,
    AgentFailed,
    AgentStarted,
    FinalReport,
    OutOfOrder,
    Progress,
    RunStage,
    RunStep,
    Spoken,
    ToolCompleted,
    ToolExecuting,
)

_numbers = count(1)
IDS = IdSource(now_ms=lambda: 0, random_bits=lambda _: next(_numbers))
CALLS = [IDS.new(ToolCallId) for _ in range(3)]
A_CALL = st.sampled_from(CALLS)


class GrammarMachine(RuleBasedStateMachine):
    """The model: what was said, in order. `undo` takes back what the journal did not keep."""

    def __init__(self) -> None:
        super().__init__()
        self.run = Spoken()
        self.said: list[RunStep] = []

    def allowed(self, step: RunStep) -> bool:
        begun = any(isinstance(each, AgentStarted) for each in self.said)
        reported = any(isinstance(each, FinalReport) for each in self.said)
        if any(isinstance(each, AgentCompleted | AgentFailed) for each in self.said):
            return False
        match step:
            case AgentStarted():
                return not begun
            case AgentFailed():
                return True
            case Progress():
                return begun and not reported
            case ToolExecuting(call):
                return begun and not reported and call not in self.open_tools()
            case ToolCompleted(call):
                return begun and not reported and call in self.open_tools()
            case FinalReport():
                return begun and not reported and not self.open_tools()
            case AgentCompleted():
                return begun and not self.open_tools()

    def open_tools(self) -> set[ToolCallId]:
        return {
            call
            for call in CALLS
            if sum(isinstance(e, ToolExecuting) and e.call == call for e in self.said)
            > sum(isinstance(e, ToolCompleted) and e.call == call for e in self.said)
        }

    def say(self, step: RunStep) -> None:
        if self.allowed(step):
            self.run = self.run.after(step)
            self.said.append(step)
        else:
            before = self.run
            with pytest.raises(OutOfOrder):
                self.run.after(step)
            assert self.run == before

    @rule(step=st.sampled_from([AgentStarted(), Progress(), FinalReport()]))
    def say_something(self, step: RunStep) -> None:
        self.say(step)

    @rule(call=A_CALL)
    def execute(self, call: ToolCallId) -> None:
        self.say(ToolExecuting(call, "tool"))

    @rule(call=A_CALL)
    def complete(self, call: ToolCallId) -> None:
        self.say(ToolCompleted(call))

    @rule(step=st.sampled_from([AgentCompleted(), AgentFailed()]))
    def end(self, step: RunStep) -> None:
        self.say(step)

    @rule(
        step=st.sampled_from(
            [AgentStarted(), Progress(), FinalReport(), AgentCompleted(), AgentFailed()]
        )
    )
    def say_what_is_not_kept(self, step: RunStep) -> None:
        self.not_kept(step)

    @rule(call=A_CALL, other=A_CALL)
    def tools_that_are_not_kept_while_others_are(self, call: ToolCallId, other: ToolCallId) -> None:
        step: RunStep = ToolExecuting(call, "tool")
        self.not_kept(ToolCompleted(call) if call in self.open_tools() else step, meanwhile=other)

    def not_kept(self, step: RunStep, meanwhile: ToolCallId | None = None) -> None:
        if not self.allowed(step):
            return
        before = self.run
        self.run = before.after(step)
        if meanwhile is not None and meanwhile != getattr(step, "call", None):
            executing = meanwhile in self.open_tools()
            self.say(ToolCompleted(meanwhile) if executing else ToolExecuting(meanwhile, "tool"))
        self.run = self.run.without(step, before)

    @invariant()
    def the_stage_and_the_open_tools_are_the_models(self) -> None:
        ended = any(isinstance(each, AgentCompleted | AgentFailed) for each in self.said)
        assert (self.run.stage is RunStage.ENDED) is ended
        assert set(self.run.executing) == (set() if ended else self.open_tools())


TestGrammar = GrammarMachine.TestCase
TestGrammar.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestGrammar.pytestmark = [pytest.mark.requirement("R03", "R31")]


def test_the_refusal_names_the_event_and_where_the_run_is() -> None:
    not_started = "final_report is not allowed now: the run has not started"
    with pytest.raises(OutOfOrder, match=not_started):
        Spoken().after(FinalReport())


def test_a_report_while_a_tool_executes_names_the_tool() -> None:
    run = Spoken().after(AgentStarted()).after(ToolExecuting(CALLS[0], "get_costs"))
    with pytest.raises(OutOfOrder, match="not allowed while a tool executes: get_costs"):
        run.after(FinalReport())


def test_the_diagram_in_the_guide_is_the_grammars() -> None:
    guide = Path(__file__).parents[3] / "docs" / "runs.md"
    assert f"```mermaid\n{mermaid(RUN_GRAMMAR)}```\n" in guide.read_text(encoding="utf-8")
