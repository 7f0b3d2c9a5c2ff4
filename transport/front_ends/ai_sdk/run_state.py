"""A sub-run as its events tell it: what its tool has for output so far (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, cast

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import JSON, Event, Kind

RunState: TypeAlias = dict[str, JSON]


def empty_run(run: RunId) -> RunState:
    return {
        "run": run,
        "status": "waiting",
        "attempt": 0,
        "text": "",
        "thoughts": [],
        "tools": [],
        "questions": [],
    }


def fold(state: RunState, event: Event) -> RunState:
    """The state after an event. What is not known has no field."""
    ours: RunState = {"thread": event.thread}
    if event.parent is not None:
        ours["parent"] = event.parent
    return {**state, **ours, **_change(state, event)}


def _change(state: RunState, event: Event) -> RunState:
    data = event.data
    match event.kind:
        case Kind.USER_SAID:
            return {"said": data.get("body")}
        case Kind.AGENT_STARTED:
            attempt = data.get("attempt", 1)
            started: RunState = {"agent": data["agent"], "status": "running", "attempt": attempt}
            return {**started, **_anew(state)}
        case Kind.AGENT_THINKING:
            return _think(state, data)
        case Kind.PARTIAL_RESULT:
            return {"text": f"{state['text']}{data['text']}"}
        case Kind.TOOL_EXECUTING:
            return {"tools": [*_listed(state, "tools"), {**data, "status": "executing"}]}
        case Kind.TOOL_COMPLETED:
            return {"tools": _changed(state, "tools", "tool_call", data, _result(data))}
        case Kind.INPUT_REQUESTED:
            return {"questions": [*_listed(state, "questions"), {**data, "status": "open"}]}
        case Kind.INPUT_ANSWERED:
            answered: RunState = {"status": "answered", "value": data["value"]}
            return {"questions": _changed(state, "questions", "ask", data, answered)}
        case Kind.INPUT_CLOSED:
            closed: RunState = {"status": data["reason"]}
            return {"questions": _changed(state, "questions", "ask", data, closed)}
        case Kind.FINAL_REPORT:
            return {"report": data["report"]}
        case Kind.AGENT_COMPLETED:
            used: RunState = {"usage": data["usage"]} if "usage" in data else {}
            return {"status": data["outcome"], **used}
        case Kind.AGENT_FAILED:
            return {"status": "failed", "error": data}
    return {}


def _anew(state: RunState) -> RunState:
    """The attempt that was interrupted has said what this one says again."""
    earlier = cast("Iterable[JSON]", state.get("earlier", ()))
    return {"text": "", "earlier": [*earlier, state["text"]]} if state["text"] else {}


def _think(state: RunState, data: Mapping[str, JSON]) -> RunState:
    thought, text = data.get("thought"), str(data["text"])
    if thought is None or data.get("index") is None:
        return {"thinking": text}
    thoughts = [str(each) for each in cast("Iterable[JSON]", state["thoughts"])]
    number = cast(int, thought)
    thoughts += [""] * (number + 1 - len(thoughts))
    thoughts[number] += text
    return {"thoughts": thoughts}


def _result(data: Mapping[str, JSON]) -> RunState:
    known = {name: data[name] for name in ("result", "error") if name in data}
    return {**known, "status": "failed" if "error" in data else "completed"}


def _listed(state: RunState, name: str) -> Iterable[Mapping[str, JSON]]:
    return cast("Iterable[Mapping[str, JSON]]", state[name])


def _changed(
    state: RunState, name: str, key: str, data: Mapping[str, JSON], change: RunState
) -> JSON:
    """The list `name`, in which the entry that `data` names by `key` is changed."""
    return [{**each, **change} if each[key] == data[key] else each for each in _listed(state, name)]
