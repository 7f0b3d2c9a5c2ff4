"""Whether the events of a user tell whole runs: the check of tests that kill what runs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import TERMINAL, Event, Kind


def flaws(events: Iterable[Event]) -> Iterator[str]:
    """What is missing, or comes too late; each run begins somewhere among the events."""
    open_runs: dict[RunId, RunId | None] = {}
    open_tools: set[tuple[RunId, object]] = set()
    for event in events:
        call = (event.run, event.data.get("tool_call"))
        if event.kind in (Kind.USER_SAID, Kind.AGENT_STARTED):
            open_runs[event.run] = event.parent
        elif event.run not in open_runs:
            yield f"{event.kind} {event.offset} comes after the end of its run"
        elif event.kind is Kind.TOOL_EXECUTING:
            open_tools.add(call)
        elif event.kind is Kind.TOOL_COMPLETED:
            open_tools.remove(call)
        elif event.kind in TERMINAL:
            del open_runs[event.run]
            if event.run in open_runs.values():
                yield f"{event.run} ends before a run that is a part of it"
            if any(run == event.run for run, _ in open_tools):
                yield f"{event.run} ends while a tool of it executes"
    yield from (f"{run} has no end" for run in open_runs)
