"""Nodes as rows of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from greenroom.actors.ref import Ref
from greenroom.delivery.events.kinds import JSON
from greenroom.observer.tree.listing import Listing
from greenroom.observer.tree.nodes_query import Part
from greenroom.observer.tree.window_feed import Row, Rows
from greenroom.supervisor.child import Child
from greenroom.supervisor.crash.actor_note import actor_of, last_message, runner_of
from greenroom.supervisor.inspection.survey import LOADS, Survey
from greenroom.supervisor.supervisor_ref import SupervisorRef


def rows_of(listing: Listing, part: Part) -> Rows:
    """The rows of a part, in order, by the path of their node."""
    survey = listing.survey
    shown = listing.places[part.offset : part.offset + part.limit]
    top = survey.levels[listing.top] - 1 if listing.top is not None else 0
    return {survey.path(place): _row(survey, place, top) for place in shown}


def _row(survey: Survey, place: int, above: int) -> Row:
    return {
        "path": survey.path(place),
        "id": survey.ids[place],
        "level": survey.levels[place] - above,
        "children": survey.children[place],
        "below": survey.below[place],
        **_loads(survey, survey.own, place),
        "total": _loads(survey, survey.total, place),
        **_facts(survey.nodes[place], survey.root),
    }


def _loads(survey: Survey, loads: Mapping[str, Sequence[float]], place: int) -> dict[str, JSON]:
    said: dict[str, JSON] = {name: round(loads[name][place]) for name in LOADS}
    return {**said, "cpu": round(loads["cpu"][place], 3) if survey.measures_cpu else None}


def _facts(child: Child | None, root: SupervisorRef) -> dict[str, JSON]:
    """What a node is now; it may have changed since it was surveyed."""
    if child is None:
        state = "running" if root.exit_reason is None else "stopped"
        return {"kind": "supervisor", "state": state, "strategy": root.strategy_name}
    said: dict[str, JSON] = {"kind": child.spec.kind, "state": child.state.value}
    if isinstance(child.value, SupervisorRef):
        said["strategy"] = child.value.strategy_name
    elif isinstance(child.value, Ref):
        said.update(_facts_of_actor(child.value))
    return said


def _facts_of_actor(ref: Ref[object]) -> Iterator[tuple[str, JSON]]:
    yield "capacity", ref._mailbox.capacity
    actor = actor_of(ref)
    if actor is not None:
        yield "last_message", last_message(actor)
        runner = runner_of(actor)
        if runner is not None:
            yield "machine", runner.machine.name
            yield "phase", runner.state.name
