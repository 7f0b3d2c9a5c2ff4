"""The events of a run as chunks of an AI SDK message (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import ASK_KINDS, JSON, Event, Kind
from greenroom.transport.front_ends.ai_sdk.run_state import RunState, empty_run, fold
from greenroom.transport.front_ends.questions import CLOSED, QUESTION, is_yes, yes_or_no
from greenroom.transport.front_ends.texts import As, Does, Texts, TextStep, whole, with_reference

Chunk: TypeAlias = dict[str, JSON]

HEADERS: Final[Mapping[str, str]] = {"x-vercel-ai-ui-message-stream": "v1"}
_TYPES: Final[Mapping[As, Mapping[Does, str]]] = {
    As.TEXT: {Does.BEGIN: "text-start", Does.ADD: "text-delta", Does.END: "text-end"},
    As.THOUGHT: {
        Does.BEGIN: "reasoning-start",
        Does.ADD: "reasoning-delta",
        Does.END: "reasoning-end",
    },
}
_OURS: Final[Chunk] = {"dynamic": True, "providerExecuted": True}
"""The tools are the server's: the page calls none of them."""


class AiSdkRun:
    """One run, shown as the message that has the run's id."""

    headers: Mapping[str, str] = HEADERS
    last_words = b"data: [DONE]\n\n"

    def __init__(self, run: RunId) -> None:
        self.asks: dict[str, Event] = {}
        self.is_over = False
        self._run = run
        self._texts = Texts()
        self._calls: set[str] = set()  # tools, questions and sub-runs
        self._approvals: set[str] = set()
        self._sub_runs: dict[RunId, RunState] = {}

    def begin(self) -> list[Chunk]:
        """What an earlier stream of this run put into the message is taken out of it."""
        start: Chunk = {"type": "start", "messageId": self._run}
        return [{**start, "messageMetadata": {"run": self._run}}, {"type": "reset-step"}]

    def of(self, event: Event) -> list[Chunk]:
        """What an event of the run, or of one of its sub-runs, comes to."""
        if event.kind in ASK_KINDS:
            return [*self._ends_text(event), *self._question(event)]
        if event.run == self._run:
            return [*self._ends_text(event), *self._own(event)]
        return self._sub_run(event)

    def interrupted(self, answered: Iterable[str] = ()) -> list[Chunk]:
        """The message ends for now, until the open questions are answered; nothing if there are
        none but those that were `answered` just now."""
        for ask in answered:
            self.asks.pop(ask, None)
        if not self.asks or self.is_over:
            return []
        self.is_over = True
        return [
            *map(text_chunk, self._texts.end()),
            {"type": "finish", "finishReason": "tool-calls"},
        ]

    def broken(self, _: int, message: str) -> list[Chunk]:
        """The stream ends, whatever the run does."""
        self.is_over = True
        return [{"type": "error", "errorText": message}]

    def reopened(self) -> list[Chunk]:
        """A message is always read from its beginning."""
        return []

    def placed(self, message: Chunk, _epoch: str, _offset: int) -> Chunk:
        """The AI SDK refuses what it does not know."""
        return message

    def _ends_text(self, event: Event) -> Iterable[Chunk]:
        return map(text_chunk, self._texts.take(event))

    def _own(self, event: Event) -> Iterable[Chunk]:
        data = event.data
        match event.kind:
            case Kind.AGENT_STARTED:
                attempt = {"attempt": data["attempt"]} if data.get("attempt") else {}
                known = {"run": event.run, "thread": event.thread, "agent": data["agent"]}
                return [metadata({**known, **attempt})]
            case Kind.TOOL_EXECUTING:
                return self._tool(data, data.get("arguments"))
            case Kind.TOOL_COMPLETED:
                return [*self._tool(data, None), result(data)]
            case Kind.FINAL_REPORT:
                return self._report(data["report"], event.offset)
            case Kind.AGENT_COMPLETED:
                return self._completed(data)
            case Kind.AGENT_FAILED:
                return self._failed(data)
        return ()

    def _tool(self, data: Mapping[str, JSON], arguments: JSON) -> Sequence[Chunk]:
        given = {} if arguments is None else arguments
        return self._call(str(data["tool_call"]), data["tool_name"], given)

    def _call(self, call: str, name: JSON, given: JSON, title: Chunk | None = None) -> list[Chunk]:
        """A call that is not in the message yet."""
        if call in self._calls:
            return []
        self._calls.add(call)
        known: Chunk = {"toolCallId": call, "toolName": name, "input": given}
        return [{"type": "tool-input-available", **known, **_OURS, **(title or {})}]

    def _report(self, report: JSON, offset: int) -> Iterable[Chunk]:
        """A report that is the whole answer is its text."""
        if isinstance(report, str) and not self._texts.has_text:
            return map(text_chunk, whole(As.TEXT, f"report-{offset}", report))
        return [{"type": "data-report", "id": self._run, "data": report}]

    def _completed(self, data: Mapping[str, JSON]) -> Sequence[Chunk]:
        self.is_over = True
        known: Chunk = {"run": self._run, **data}
        if data["outcome"] == "cancelled":
            return [metadata(known), {"type": "abort", "reason": "The run was stopped."}]
        return [{"type": "finish", "finishReason": "stop", "messageMetadata": known}]

    def _failed(self, data: Mapping[str, JSON]) -> Sequence[Chunk]:
        self.is_over = True
        known: Chunk = {"run": self._run, "outcome": "failed", "reason": data["reason"]}
        reference = data.get("reference")
        if reference is not None:
            known["reference"] = reference
        words = with_reference(data["message"], reference)
        return [metadata(known), {"type": "error", "errorText": words}]

    def _question(self, event: Event) -> Iterable[Chunk]:
        data = event.data
        call = str(data["ask"])
        if event.kind is Kind.INPUT_REQUESTED:
            self.asks[call] = event
            return self._asked(call, data)
        self.asks.pop(call, None)
        if call not in self._calls:
            return ()
        if event.kind is Kind.INPUT_CLOSED:
            words = CLOSED[str(data["reason"])]
            return [{"type": "tool-output-error", "toolCallId": call, "errorText": words, **_OURS}]
        return self._answered(call, data["value"])

    def _asked(self, call: str, data: Mapping[str, JSON]) -> Iterable[Chunk]:
        given = {name: value for name, value in data.items() if name != "ask"}
        yield from self._call(call, QUESTION, given, {"title": data["prompt"]})
        if yes_or_no(data.get("options")):
            self._approvals.add(call)
            yield {"type": "tool-approval-request", "approvalId": call, "toolCallId": call}

    def _answered(self, call: str, value: JSON) -> Iterable[Chunk]:
        approved = is_yes(value)
        if call in self._approvals:
            response: Chunk = {"type": "tool-approval-response", "approvalId": call}
            yield {**response, "approved": approved}
            if not approved:
                yield {"type": "tool-output-denied", "toolCallId": call}
                return
        yield {"type": "tool-output-available", "toolCallId": call, "output": value, **_OURS}

    def _sub_run(self, event: Event) -> list[Chunk]:
        """A sub-run is a tool, whose output so far is its state."""
        state = fold(self._sub_runs.get(event.run, empty_run(event.run)), event)
        self._sub_runs[event.run] = state
        given = event.data.get("input") if event.kind is Kind.AGENT_STARTED else None
        name = state.get("agent", "agent")
        call = self._call(event.run, name, {} if given is None else given)
        ended = map(text_chunk, self._texts.end()) if call else ()
        return [*ended, *call, sub_run_output(event, state)]


def sub_run_output(event: Event, state: RunState) -> Chunk:
    if event.kind is Kind.AGENT_FAILED:
        words = with_reference(event.data["message"], event.data.get("reference"))
        failed: Chunk = {"type": "tool-output-error", "toolCallId": event.run}
        return {**failed, "errorText": words, **_OURS}
    so_far: Chunk = {"type": "tool-output-available", "toolCallId": event.run, "output": state}
    preliminary = {} if event.kind is Kind.AGENT_COMPLETED else {"preliminary": True}
    return {**so_far, **_OURS, **preliminary}


def result(data: Mapping[str, JSON]) -> Chunk:
    """How a tool ended."""
    reference, error = data.get("reference"), data.get("error")
    known: Chunk = {"duration_ms": data["duration_ms"]}
    if reference is not None:
        known["reference"] = reference
    call: Chunk = {"toolCallId": data["tool_call"], "toolMetadata": known, **_OURS}
    if error is None:
        return {"type": "tool-output-available", "output": data.get("result"), **call}
    return {"type": "tool-output-error", "errorText": with_reference(error, reference), **call}


def text_chunk(step: TextStep) -> Chunk:
    chunk: Chunk = {"type": _TYPES[step.shown_as][step.does], "id": step.id}
    return {**chunk, "delta": step.text} if step.does is Does.ADD else chunk


def metadata(known: Chunk) -> Chunk:
    return {"type": "message-metadata", "messageMetadata": known}
