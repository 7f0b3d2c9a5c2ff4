"""Runs as agents may have them, drawn by hypothesis: texts, tools, questions and sub-runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hypothesis import strategies as st

from greenroom.delivery.events.kinds import Event
from tests.protocol.projections import RUN, event_of

Draw: TypeAlias = Callable[..., Any]
ENDS = st.sampled_from(["ok", "cancelled", "failed", None])
FAILED = {"error": "Error", "message": "It failed.", "reason": "crash", "reference": "evt_1"}


class _Writer:
    """Writes the events of a run, as far as `delivery/run/grammar.py` lets an agent."""

    def __init__(self, draw: Draw) -> None:
        self.events: list[Event] = []
        self._draw = draw
        self._parents: dict[str, str] = {RUN: ""}  # of the runs that go on
        self._open: dict[str, str] = {}  # calls and questions, by run
        self._count = 0

    def write(self, run: str, kind: str, **data: object) -> None:
        parent = {"parent": self._parents[run]} if run != RUN else {}
        written = {"kind": kind, "run": run, **parent, "data": data}
        self.events.append(event_of(written, len(self.events) + 1))

    def step(self) -> None:
        run = self._draw(st.sampled_from(list(self._parents)))
        action = self._draw(st.sampled_from(ACTIONS))
        action(self, run)

    def text(self, run: str) -> None:
        self.write(run, "partial_result", text=self._draw(st.sampled_from(["a", ""])), index=0)

    def thought(self, run: str) -> None:
        number = self._draw(st.sampled_from([0, 1, None]))
        place = {} if number is None else {"thought": number, "index": 0}
        self.write(run, "agent_thinking", text="hm", **place)

    def call(self, run: str) -> None:
        call = self._new("call", run)
        self.write(run, "tool_executing", tool_call=call, tool_name="add")

    def ask(self, run: str) -> None:
        options = self._draw(st.sampled_from([["yes", "no"], ["a", "b", "c"], [1, 0]]))
        self.write(
            run, "input_requested", ask=self._new("ask", run), prompt="Sure?", options=options
        )

    def settle(self, _: str) -> None:
        if self._open:
            self._settle(self._draw(st.sampled_from(list(self._open))))

    def report(self, run: str) -> None:
        self.write(run, "final_report", report=self._draw(st.sampled_from(["all", {"of": 1}])))

    def sub_run(self, run: str) -> None:
        self._count += 1
        sub_run = f"run_{self._count}"
        self._parents[sub_run] = run
        self.write(sub_run, "agent_started", agent="scout")

    def end(self, run: str) -> None:
        if run != RUN:
            self.end_as(run, self._draw(st.sampled_from(["ok", "cancelled", "failed"])))

    def end_as(self, run: str, outcome: str) -> None:
        """What is in a run ends before it."""
        for sub_run in [each for each, parent in self._parents.items() if parent == run]:
            self.end_as(sub_run, outcome)
        for open_one in [each for each, whose in self._open.items() if whose == run]:
            self._settle(open_one)
        if outcome == "failed":
            self.write(run, "agent_failed", **FAILED)
        else:
            self.write(run, "agent_completed", outcome=outcome)
        del self._parents[run]

    def _new(self, prefix: str, run: str) -> str:
        self._count += 1
        self._open[f"{prefix}_{self._count}"] = run
        return f"{prefix}_{self._count}"

    def _settle(self, name: str) -> None:
        run = self._open.pop(name)
        if name.startswith("call"):
            error = self._draw(st.sampled_from([{}, {"error": "No."}]))
            self.write(
                run, "tool_completed", tool_call=name, tool_name="add", duration_ms=1, **error
            )
        elif self._draw(st.booleans()):
            self.write(run, "input_answered", ask=name, value="no", session="s")
        else:
            self.write(run, "input_closed", ask=name, reason="expired")


ACTIONS = [
    *[_Writer.text, _Writer.thought, _Writer.call, _Writer.ask, _Writer.settle],
    *[_Writer.report, _Writer.sub_run, _Writer.end],
]


@st.composite
def runs(draw: Draw) -> list[Event]:
    """A run from its beginning, perhaps to its end."""
    writer = _Writer(draw)
    writer.write(RUN, "user_said", body="How much?", say="say-1")
    writer.write(RUN, "agent_started", agent="analyst")
    for _ in range(draw(st.integers(0, 25))):
        writer.step()
    outcome = draw(ENDS)
    if outcome:
        writer.end_as(RUN, outcome)
    return writer.events
