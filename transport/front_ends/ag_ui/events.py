"""The events of a run as events of AG-UI 1: https://docs.ag-ui.com/concepts/events (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast

import attrs
import orjson

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.transport.front_ends.ag_ui.interrupts import interrupt_of
from greenroom.transport.front_ends.texts import (
    As,
    Does,
    Texts,
    TextStep,
    whole,
    with_reference,
)

AgUiEvent: TypeAlias = dict[str, JSON]

PROTOCOL_VERSION: Final = "1.0"
HEADERS: Final[Mapping[str, str]] = {}
_OVER: Final = frozenset({"RUN_FINISHED", "RUN_ERROR"})
_STARTS: Final[Mapping[As, Sequence[AgUiEvent]]] = {
    As.TEXT: [{"type": "TEXT_MESSAGE_START", "role": "assistant"}],
    As.THOUGHT: [
        {"type": "REASONING_START"},
        {"type": "REASONING_MESSAGE_START", "role": "reasoning"},
    ],
}
_ADDS: Final = {As.TEXT: "TEXT_MESSAGE_CONTENT", As.THOUGHT: "REASONING_MESSAGE_CONTENT"}
_ENDS: Final[Mapping[As, Sequence[str]]] = {
    As.TEXT: ["TEXT_MESSAGE_END"],
    As.THOUGHT: ["REASONING_MESSAGE_END", "REASONING_END"],
}


@attrs.frozen
class _SubRun:
    name: str
    parent: RunId | None


class AgUiRun:
    """One run, shown as the AG-UI run `run_id` of the AG-UI thread `thread_id`."""

    headers: Mapping[str, str] = HEADERS
    last_words = b""

    def __init__(self, run: RunId, *, thread_id: str, run_id: str) -> None:
        self.asks: dict[str, Event] = {}
        self.is_over = False
        self._run = run
        self._shown: AgUiEvent = {"threadId": thread_id, "runId": run_id}
        self._texts: dict[RunId, Texts] = {}
        self._tools: set[str] = set()
        self._sub_runs: dict[RunId, _SubRun] = {}  # those that go on
        self._report: AgUiEvent = {}

    def begin(self) -> list[AgUiEvent]:
        """What every stream begins with, also one that begins in the middle of a run."""
        return [
            {
                "type": "RUN_STARTED",
                **self._shown,
                "protocolVersion": PROTOCOL_VERSION,
                "metadata": {"greenroom": {"run": self._run}},
            }
        ]

    def reopened(self) -> list[AgUiEvent]:
        """What is open after the events so far, for a stream that begins behind them."""
        sub_runs = [self._started(run, sub_run) for run, sub_run in self._sub_runs.items()]
        texts = [
            shown
            for run, each in self._texts.items()
            for step in each.open
            for shown in self._text(run, step)
        ]
        return [*sub_runs, *texts]

    def of(self, event: Event) -> list[AgUiEvent]:
        """What an event of the run, or of one of its sub-runs, comes to."""
        begun = () if event.run == self._run else self._begin_sub_run(event)
        steps = self._texts_of(event.run).take(event)
        texts = [shown for step in steps for shown in self._text(event.run, step)]
        shown = [*begun, *texts, *self._other(event)]
        self.is_over |= bool(shown) and shown[-1]["type"] in _OVER
        return shown

    def interrupted(self, answered: Iterable[str] = ()) -> list[AgUiEvent]:
        """Leave the run, which goes on, until its open questions are answered; nothing if there are
        none but those that were `answered` just now."""
        for ask in answered:
            self.asks.pop(ask, None)
        if not self.asks or self.is_over:
            return []
        interrupts = [interrupt_of(each, self._run) for each in self.asks.values()]
        outcome: JSON = {"type": "interrupt", "interrupts": interrupts}
        self.is_over = True
        finished: AgUiEvent = {"type": "RUN_FINISHED", **self._shown, "outcome": outcome}
        return [*self._suspended([each["id"] for each in interrupts]), finished]

    def broken(self, code: int, message: str) -> list[AgUiEvent]:
        """The stream ends, whatever the run does."""
        self.is_over = True
        return [{"type": "RUN_ERROR", "message": message, "code": str(code)}]

    def placed(self, message: AgUiEvent, epoch: str, offset: int) -> AgUiEvent:
        """The last event for one of ours says how far a client has got that has it."""
        metadata = cast("Mapping[str, Mapping[str, JSON]]", message.get("metadata", {}))
        ours = {**metadata.get("greenroom", {}), "offset": offset, "epoch": epoch}
        return {**message, "metadata": {**metadata, "greenroom": ours}}

    def _suspended(self, interrupts: Sequence[JSON]) -> Iterable[AgUiEvent]:
        for run, texts in self._texts.items():
            for step in texts.end():
                yield from self._text(run, step)
        for run in reversed(self._sub_runs):
            outcome: JSON = {"type": "suspended", "interruptIds": interrupts}
            yield {"type": "SUBAGENT_FINISHED", "subagentRunId": run, "outcome": outcome}

    def _texts_of(self, run: RunId) -> Texts:
        return self._texts.setdefault(run, Texts())

    def _text(self, run: RunId, step: TextStep) -> Iterable[AgUiEvent]:
        fields: AgUiEvent = {"messageId": f"{run}-{step.id}", **self._by(run)}
        if step.does is Does.BEGIN:
            return [{**start, **fields} for start in _STARTS[step.shown_as]]
        if step.does is Does.END:
            return [{"type": end, **fields} for end in _ENDS[step.shown_as]]
        return [{"type": _ADDS[step.shown_as], **fields, "delta": step.text}] if step.text else []

    def _by(self, run: RunId) -> AgUiEvent:
        """Whose event it is, where it is a sub-run's."""
        return {} if run == self._run else {"subagentRunId": run}

    def _begin_sub_run(self, event: Event) -> Sequence[AgUiEvent]:
        if event.run in self._texts:
            return ()
        name = str(event.data["agent"]) if event.kind is Kind.AGENT_STARTED else "agent"
        parent = event.parent if event.parent != self._run else None
        sub_run = self._sub_runs[event.run] = _SubRun(name, parent)
        return [self._started(event.run, sub_run)]

    def _started(self, run: RunId, sub_run: _SubRun) -> AgUiEvent:
        parent: AgUiEvent = {"parentSubagentRunId": sub_run.parent} if sub_run.parent else {}
        return {"type": "SUBAGENT_STARTED", "subagentRunId": run, "name": sub_run.name, **parent}

    def _other(self, event: Event) -> Iterable[AgUiEvent]:
        match event.kind:
            case Kind.TOOL_EXECUTING:
                return self._tool(event, event.data.get("arguments"))
            case Kind.TOOL_COMPLETED:
                return [*self._tool(event, None), self._result(event)]
            case Kind.INPUT_REQUESTED:
                self.asks[str(event.data["ask"])] = event
            case Kind.INPUT_ANSWERED | Kind.INPUT_CLOSED:
                self.asks.pop(str(event.data["ask"]), None)
            case Kind.FINAL_REPORT:
                return self._reported(event)
            case Kind.AGENT_COMPLETED:
                return self._completed(event)
            case Kind.AGENT_FAILED:
                return self._failed(event)
        return ()

    def _tool(self, event: Event, arguments: JSON) -> Sequence[AgUiEvent]:
        call = str(event.data["tool_call"])
        if call in self._tools:
            return ()
        self._tools.add(call)
        by: AgUiEvent = {"toolCallId": call, **self._by(event.run)}
        delta = orjson.dumps({} if arguments is None else arguments).decode()
        return [
            {"type": "TOOL_CALL_START", "toolCallName": event.data["tool_name"], **by},
            {"type": "TOOL_CALL_ARGS", "delta": delta, **by},
            {"type": "TOOL_CALL_END", **by},
        ]

    def _result(self, event: Event) -> AgUiEvent:
        data, error = event.data, event.data.get("error")
        known = ("duration_ms", "error", "reference")
        ours = {name: data[name] for name in known if data.get(name) is not None}
        content = as_text(data.get("result"))
        if error is not None:
            content = with_reference(error, data.get("reference"))
        return {
            "type": "TOOL_CALL_RESULT",
            "messageId": f"{event.run}-{data['tool_call']}-result",
            "toolCallId": data["tool_call"],
            "role": "tool",
            "content": content,
            "metadata": {"greenroom": ours},
            **self._by(event.run),
        }

    def _reported(self, event: Event) -> Iterable[AgUiEvent]:
        """A report that is the whole answer is its text, too."""
        run, report = event.run, event.data["report"]
        if run == self._run:
            self._report = {"result": report}
        if isinstance(report, str) and not self._texts_of(run).has_text:
            for step in whole(As.TEXT, f"report-{event.offset}", report):
                yield from self._text(run, step)
        yield {"type": "CUSTOM", "name": "final_report", "value": report, **self._by(run)}

    def _completed(self, event: Event) -> Sequence[AgUiEvent]:
        is_ok = event.data["outcome"] == "ok"
        if event.run != self._run:
            stopped: AgUiEvent = {"message": "The run was stopped.", "code": "cancelled"}
            return self._end_sub_run(event.run, {} if is_ok else stopped)
        more = {name: value for name, value in event.data.items() if name != "outcome"}
        metadata: AgUiEvent = {"metadata": {"greenroom": more}} if more else {}
        outcome: AgUiEvent = {"outcome": {"type": "success" if is_ok else "cancelled"}}
        return [{"type": "RUN_FINISHED", **self._shown, **self._report, **metadata, **outcome}]

    def _failed(self, event: Event) -> Sequence[AgUiEvent]:
        data = event.data
        message = with_reference(data["message"], data.get("reference"))
        failure: AgUiEvent = {"message": message, "code": data["reason"]}
        if event.run != self._run:
            return self._end_sub_run(event.run, failure)
        return [{"type": "RUN_ERROR", **failure}]

    def _end_sub_run(self, run: RunId, failure: AgUiEvent) -> Sequence[AgUiEvent]:
        if self._sub_runs.pop(run, None) is None:
            return ()
        if failure:
            return [{"type": "SUBAGENT_ERROR", "subagentRunId": run, **failure}]
        outcome: JSON = {"type": "success"}
        return [{"type": "SUBAGENT_FINISHED", "subagentRunId": run, "outcome": outcome}]


def as_text(value: JSON) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
