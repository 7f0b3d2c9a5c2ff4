"""Diagrams of a machine's table, and questions about it (pure).

All of it comes from the table alone, so a diagram shows what the machine does.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TypeVar

from greenroom.actors.machine.check import dead_ends_among, reachable_from
from greenroom.actors.machine.machine import Machine

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")

# Mermaid reads these as keywords if a state has them as its id (stateDiagram.jison).
MERMAID_KEYWORDS = frozenset(
    {"class", "classdef", "click", "default", "direction", "end", "note", "state", "style"}
)


def mermaid(machine: Machine[S, D, C]) -> str:
    """The machine as a Mermaid `stateDiagram-v2`. A row that only stays is drawn as a loop."""
    lines = ["stateDiagram-v2"]
    lines += [
        f'    state "{state.name}" as {_mermaid_id(state)}'
        for state in machine.states
        if _mermaid_id(state) != state.name
    ]
    lines.append(f"    [*] --> {_mermaid_id(machine.initial)}")
    lines += [
        f"    {_mermaid_id(source)} --> {_mermaid_id(target)} : {', '.join(events)}"
        for (source, target), events in _arrows(machine).items()
    ]
    lines += [
        f"    {_mermaid_id(state)} --> [*]" for state in machine.states if state in machine.final
    ]
    return "\n".join(lines) + "\n"


def dot(machine: Machine[S, D, C]) -> str:
    """The machine in Graphviz' DOT language; final states have a double line."""
    lines = [
        f"digraph {_quoted(machine.name)} {{",
        "    rankdir=LR;",
        "    node [shape=box, style=rounded];",
        "    start [shape=point];",
    ]
    lines += [
        f"    {_quoted(state.name)} [peripheries=2];"
        for state in machine.states
        if state in machine.final
    ]
    lines.append(f"    start -> {_quoted(machine.initial.name)};")
    lines += [
        f"    {_quoted(source.name)} -> {_quoted(target.name)} [label={_quoted(*events)}];"
        for (source, target), events in _arrows(machine).items()
    ]
    return "\n".join([*lines, "}"]) + "\n"


def table(machine: Machine[S, D, C]) -> str:
    """A Markdown table of state × event: where it may go, `stays`, or — if it is refused."""
    events = machine.events
    header = ["state", *(event.__name__ for event in events)]
    lines = [_cells(header), _cells("---" for _ in header)]
    for state in machine.states:
        lines.append(_cells([state.name, *(_targets(machine, state, event) for event in events)]))
    return "\n".join(lines) + "\n"


def reachable(machine: Machine[S, D, C], start: S | None = None) -> frozenset[S]:
    """The states that events may lead to from `start` (by default the initial state)."""
    return reachable_from(machine.initial if start is None else start, machine.table.exits)


def dead_ends(machine: Machine[S, D, C]) -> list[S]:
    """The states without a way out that are not final; a `Machine` has none, by its check."""
    taking = {state for state in machine.states if machine.takes(state)}
    return dead_ends_among(machine.states, machine.final, taking, machine.table.exits)


def unhandled_pairs(machine: Machine[S, D, C]) -> list[tuple[S, type[object]]]:
    """The pairs that `step` refuses, without final states: check that each is intended."""
    return [
        (state, event)
        for state in machine.states
        if state not in machine.final
        for event in machine.events
        if event not in machine.takes(state)
    ]


def _arrows(machine: Machine[S, D, C]) -> dict[tuple[S, S], list[str]]:
    arrows: dict[tuple[S, S], list[str]] = {}
    for source, event, target in machine.edges():
        arrows.setdefault((source, source if target is None else target), []).append(event.__name__)
    return arrows


def _targets(machine: Machine[S, D, C], state: S, event: type[object]) -> str:
    row = machine.takes(state).get(event)
    if row is None:
        return "—"
    return ", ".join(target.name for target in machine.states if target in row.to) or "stays"


def _mermaid_id(state: enum.Enum) -> str:
    return f"{state.name}_" if state.name.lower() in MERMAID_KEYWORDS else state.name


def _quoted(*lines: str) -> str:
    """A DOT string: a quote is escaped, and so is what would escape its end (dotlanguage)."""
    escaped = (line.replace("\\", r"\\").replace('"', r"\"") for line in lines)
    return '"' + r"\n".join(escaped) + '"'


def _cells(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
