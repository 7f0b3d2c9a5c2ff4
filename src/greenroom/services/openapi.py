"""The description of `/api/` for programs, in OpenAPI 3.1 (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import orjson

from greenroom.delivery.events.kinds import JSON

TEXT: Final[JSON] = {"type": "string"}
NUMBER: Final[JSON] = {"type": "number", "minimum": 0}
WHOLE: Final[JSON] = {"type": "integer", "minimum": 0}
ANY: Final[JSON] = {"description": "any JSON"}

SAYS: Final[Mapping[str, Mapping[str, JSON]]] = {
    "agent_thinking": {"text": TEXT},
    "partial_result": {"text": TEXT},
    "text": {
        "text": TEXT,
        "stream": TEXT,
        "end": {"type": "boolean"},
        "flush": {"type": "boolean"},
    },
    "thoughts": {
        "text": TEXT,
        "stream": TEXT,
        "end": {"type": "boolean"},
        "flush": {"type": "boolean"},
    },
    "tool_executing": {"tool_name": TEXT, "arguments": ANY, "tool_call": TEXT},
    "tool_completed": {
        "tool_name": TEXT,
        "tool_call": TEXT,
        "duration_ms": WHOLE,
        "result": ANY,
        "error": TEXT,
        "failure": {"$ref": "#/components/schemas/Failure"},
    },
    "final_report": {"report": ANY},
    "input_requested": {
        "prompt": TEXT,
        "options": {"type": "array", "items": ANY},
        "schema": ANY,
        "expires_in": NUMBER,
        "counts_time": {"type": "boolean"},
        "key": TEXT,
    },
    "input_withdrawn": {"ask": TEXT},
    "typing": {},
    "title": {"title": TEXT},
    "limit": {"seconds": NUMBER},
}
"""The kinds of entries, and the fields of their data."""

PROBLEMS: Final[Mapping[str, str]] = {
    "400": "The request is not what the path takes: `BadEntry`, `BadEvent`, `BadId`, `BadPolicy`.",
    "401": "The token is no service token that is valid now: `BadToken`.",
    "403": "The token does not allow this user, agent or machine: `OutOfScope`.",
    "404": "Unknown to this service and the running server: `UnknownRun`, `UnknownEvent`.",
    "408": "The body did not come: `BadBody`.",
    "409": "Not now: `OutOfOrder`, `RunOver`, `KeyConflict`.",
    "413": "The body, or a line of it, is too large: `BadBody`.",
    "429": "Too many: `TooManyRemoteRuns`, `TooManyRequests`, `TooManyAsks`. Come back later.",
    "500": "The server failed.",
    "503": "The server cannot do this now: `ServerStops`, `EventNotKept`, `UserUnavailable`.",
}


def _object(properties: Mapping[str, JSON], *required: str, closed: bool = False) -> JSON:
    shape: dict[str, JSON] = {"type": "object", "properties": properties}
    shape |= {"required": [*required]} if required else {}
    return shape | ({"additionalProperties": False} if closed else {})


def _ref(name: str) -> JSON:
    return {"$ref": f"#/components/schemas/{name}"}


def _parameter(name: str, where: str, schema: JSON, about: str) -> JSON:
    needed = {"required": True} if where == "path" else {}
    return {"name": name, "in": where, "schema": schema, "description": about, **needed}


RUN: Final = _parameter("run", "path", TEXT, "The run's id.")
KEY: Final = _parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 128},
    "A request that is repeated with its key is carried out once, and answered alike.",
)
USER: Final = _parameter(
    "user", "query", TEXT, "Whose run it is: a repeated request finds its events after a restart."
)


def _operation(
    about: str,
    answer: JSON,
    *parameters: JSON,
    body: Mapping[str, JSON] | None = None,
    status: str = "200",
) -> JSON:
    known: dict[str, JSON] = {
        each: {"description": words, "content": {"application/problem+json": _content("Problem")}}
        for each, words in PROBLEMS.items()
    }
    known[status] = {"description": "Done.", "content": {"application/json": {"schema": answer}}}
    operation: dict[str, JSON] = {
        "summary": about,
        "parameters": [*parameters],
        "responses": known,
        "security": [{"serviceToken": []}],
    }
    return operation | ({"requestBody": {"required": True, "content": body}} if body else {})


def _content(name: str) -> JSON:
    return {"schema": _ref(name)}


def _example(schema: JSON, example: JSON) -> JSON:
    return {"schema": schema, "example": example}


def _paths() -> JSON:
    return {
        "/api/runs": {"post": _begin()},
        "/api/runs/{run}": {"get": _state()},
        "/api/runs/{run}/events": {"post": _say()},
        "/api/runs/{run}/end": {"post": _end()},
        "/api/runs/{run}/history": {"get": _history()},
        "/api/events/{event}": {"get": _standing()},
    }


def _begin() -> JSON:
    example: JSON = {"user": "alice", "agent": "analyst", "input": {"question": "How many?"}}
    body = {"application/json": _example(_ref("Beginning"), example)}
    return _operation("Begin a run.", _ref("Begun"), KEY, body=body, status="201")


def _state() -> JSON:
    return _operation(
        "How a run is. With `after` and `wait`, once it has a newer version.",
        _ref("State"),
        RUN,
        _parameter("after", "query", WHOLE, "The version that is known."),
        _parameter("wait", "query", NUMBER, "Seconds to wait, 60 at most."),
    )


def _say() -> JSON:
    lines = '{"kind":"text","data":{"text":"Hello"}}\n{"kind":"typing"}\n'
    one: JSON = {"kind": "agent_thinking", "data": {"text": "Let me see."}}
    return _operation(
        "Say something in a run: one entry, a batch, or a line for each.",
        _ref("Results"),
        *(RUN, KEY, USER),
        body={
            "application/json": _example(
                {"anyOf": [_ref("Entry"), _ref("Batch")]}, {"events": [one]}
            ),
            "application/x-ndjson": _example(TEXT, lines),
        },
    )


def _end() -> JSON:
    body = {"application/json": _example(_ref("End"), {"outcome": "completed"})}
    return _operation("End a run.", _ref("State"), *(RUN, KEY), body=body)


def _history() -> JSON:
    return _operation(
        "The last events of the run's thread, oldest first.",
        _object({"events": {"type": "array", "items": {"type": "object"}}}, "events"),
        RUN,
        _parameter("before", "query", WHOLE, "Only events below this offset."),
        _parameter("limit", "query", WHOLE, "How many; 200 if left out."),
    )


def _standing() -> JSON:
    return _operation(
        "How far an event got. With `stage` and `wait`, once it has got there.",
        _ref("Standing"),
        _parameter("event", "path", TEXT, "The event's id."),
        _parameter("stage", "query", {"enum": STAGES[2:]}, "What to wait for."),
        _parameter("wait", "query", NUMBER, "Seconds to wait, 60 at most."),
    )


STAGES: Final[list[JSON]] = [*("accepted", "sent", "received", "displayed", "confirmed")]
STATES: Final[list[JSON]] = [
    *("running", "completed", "cancelled", "failed", "timed_out", "lost", "over", "unknown"),
]


RECEIPT: Final[Mapping[str, JSON]] = {"event": TEXT, "kind": TEXT, "offset": WHOLE, "at": WHOLE}
OBJECTS: Final[JSON] = {"type": "array", "items": {"type": "object"}}
STATE: Final[Mapping[str, JSON]] = {
    **dict.fromkeys(("run", "thread", "user", "agent", "request", "pressure", "end"), TEXT),
    "parent": {"type": ["string", "null"]},
    "lease": NUMBER,
    "version": WHOLE,
    "state": {"enum": STATES},
    "failure": {"type": "object"},
    "asks": {"type": "array", "items": _object({"ask": TEXT, "state": TEXT, "value": ANY})},
}


def _schemas() -> JSON:
    return {**_of_requests(), **_of_answers(), "Problem": _problem()}


def _of_requests() -> Mapping[str, JSON]:
    beginning: Mapping[str, JSON] = {
        **dict.fromkeys(("user", "thread", "agent", "parent"), TEXT),
        "input": ANY,
        "seconds": NUMBER,
        "policy": {"type": ["object", "null"]},
    }
    entries: JSON = [
        _object({"kind": {"const": kind}, "data": _object(fields, closed=True)}, "kind")
        for kind, fields in SAYS.items()
    ]
    batch: JSON = {"type": "array", "maxItems": 1_000, "items": _ref("Entry")}
    usage: JSON = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}
    outcomes: list[JSON] = [*("completed", "cancelled", "failed", "lost")]
    return {
        "Beginning": _object(beginning, "user"),
        "Entry": {"oneOf": entries},
        "Batch": _object({"events": batch}, "events"),
        "End": _object({"outcome": {"enum": outcomes}, "failure": _ref("Failure"), "usage": usage}),
        "Failure": _object(dict.fromkeys(("error", "message", "traceback"), TEXT), closed=True),
    }


def _of_answers() -> Mapping[str, JSON]:
    last: JSON = {"type": ["object", "null"]}
    results: Mapping[str, JSON] = {"count": WHOLE, "results": OBJECTS, "last": last}
    standing: Mapping[str, JSON] = {
        "stage": {"enum": STAGES},
        "outcome": {"type": ["string", "null"]},
        "reached": {"type": "boolean"},
        "sessions": OBJECTS,
    }
    return {
        "State": _object(STATE, "run", "state"),
        "Begun": _object({**STATE, "started": _object(RECEIPT, *RECEIPT)}, "run", "started"),
        "Results": _object({**results, "run": _ref("State")}, "count", "run"),
        "Standing": _object({**RECEIPT, **standing}, "event", "stage", "reached"),
    }


def _problem() -> JSON:
    faults: list[JSON] = [*("caller", "client", "operator", "greenroom")]
    needed: Mapping[str, JSON] = {
        **dict.fromkeys(("type", "title", "detail"), TEXT),
        "status": WHOLE,
        "fault": {"enum": faults},
        "error": {"type": "string", "description": "The error's name in Python."},
        "retry": {"type": "boolean", "description": "Whether the same may succeed later."},
    }
    index: JSON = {"type": "integer", "description": "The entry that was refused."}
    return _object({**needed, "advice": TEXT, "index": index}, *needed)


@cache
def openapi() -> bytes:
    """The whole description."""
    token = {"type": "http", "scheme": "bearer", "description": "greenroom token --service"}
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "greenroom: speak to users from another process", "version": "1"},
            "paths": _paths(),
            "components": {
                "schemas": _schemas(),
                "securitySchemes": {"serviceToken": token},
            },
        }
    )
