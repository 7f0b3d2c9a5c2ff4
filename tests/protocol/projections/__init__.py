"""Runs, and what front-end protocols show of them: the same on the server as in clients/js."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import Event, Kind, class_of
from greenroom.transport.front_ends.ag_ui.events import AgUiRun
from greenroom.transport.front_ends.ai_sdk.chunks import AiSdkRun

FOLDER = Path(__file__).parent
RUN = RunId("run_01kbx3m9sebmv8t2v9w0c4d5e6")
THREAD = "thread_01kbx3m9sebmv8t2v9w0c4d5e6"
SHOWN = {"thread_id": "thread-1", "run_id": "run-1"}

Json: TypeAlias = dict[str, Any]  # Any: JSON as it stands in the files


def vectors() -> Sequence[Json]:
    found = sorted(FOLDER.glob("*.json"))
    return [{"name": path.stem, **json.loads(path.read_text())} for path in found]


def events_of(vector: Json) -> list[Event]:
    """The events of a vector, which writes down what matters of them."""
    return [event_of(each, offset) for offset, each in enumerate(vector["events"], 1)]


def event_of(written: Json, offset: int) -> Event:
    kind = Kind(written["kind"])
    fields = {"run": RUN, "thread": THREAD, "class": class_of(kind), "at": 0, "request": "req_1"}
    return Event.from_json({"id": f"evt_{offset}", "offset": offset, **fields, **written})


def ag_ui_of(vector: Json) -> list[Json]:
    """The whole run, up to its end or the questions that it waits for."""
    run = AgUiRun(RUN, **SHOWN)
    shown = [*run.begin(), *(each for event in events_of(vector) for each in run.of(event))]
    return [*shown, *run.interrupted()]


def ai_sdk_of(vector: Json) -> list[Json]:
    run = AiSdkRun(RUN)
    return [*run.begin(), *(each for event in events_of(vector) for each in run.of(event))]
