"""The check of a machine's table, made once when the machine is made (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Set
from typing import TypeVar

from greenroom.actors.errors import ActorError
from greenroom.actors.machine.table import On, Table

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")


class MisdeclaredMachine(ActorError):
    """The table of a machine contradicts itself; the message names the part."""

    def __init__(self, machine: str, fault: str) -> None:
        super().__init__(f"machine {machine!r}: {fault}")
        self.machine = machine


def check_kinds(machine: str, parts: Iterable[tuple[str, object, bool]]) -> None:
    """Raise `MisdeclaredMachine` for the first part that is not what its sentence asks for."""
    for sentence, part, is_so in parts:
        if not is_so:
            raise MisdeclaredMachine(machine, f"{sentence}, not {part!r}")


def check_table(table: Table[S, D, C]) -> None:
    """Raise `MisdeclaredMachine` for the first thing that is wrong with the table."""
    check_kinds(table.name, _events_and_functions(table))
    _check_states_known(table)
    _check_pairs_unique(table)
    exits = table.exits
    _check_final_states_end(table)
    _check_all_reachable(table, exits)
    _check_no_dead_ends(table, exits)
    _check_timers_taken(table)


def reachable_from(start: S, exits: Mapping[S, Set[S]]) -> frozenset[S]:
    """`start`, and every state that some path leads to from there."""
    found, frontier = {start}, {start}
    while frontier:
        frontier = set[S]().union(*(exits[state] for state in frontier)) - found
        found |= frontier
    return frozenset(found)


def dead_ends_among(
    states: Iterable[S], final: Set[S], taking: Set[S], exits: Mapping[S, Set[S]]
) -> list[S]:
    """The states without a way out: not final, and without an event or a path to a final state.

    A machine without final states runs for ever: there, a state only has to take an event.
    """
    return [
        state
        for state in states
        if state not in final
        and (state not in taking or (final and not final & reachable_from(state, exits)))
    ]


def event_names(events: Iterable[type[object]]) -> str:
    """The names of event classes for a message: `Say, SocketGone`, or `nothing`."""
    return ", ".join(event.__name__ for event in events) or "nothing"


def _events_and_functions(table: Table[S, D, C]) -> Iterable[tuple[str, object, bool]]:
    for row in table.transitions:
        yield "a row of `transitions` must be an `On`", row, isinstance(row, On)
        event, handler = row.event, row.handler
        yield "the event of a row must be a class", event, isinstance(event, type)
        yield f"the handler of {event.__name__} must be a function", handler, callable(handler)
    for action in table.on_enter.values():
        yield "an enter action must be a function", action, callable(action)
    for event, _ in _timers_of(table):
        yield "the event of a timer must be a class", event, isinstance(event, type)


def _check_states_known(table: Table[S, D, C]) -> None:
    """Compare by identity: a string equals a member of a StrEnum, but has no name."""
    mentioned: list[tuple[str, Iterable[S]]] = [
        ("initial", (table.initial,)),
        ("final", table.final),
        ("on_enter", table.on_enter),
        *((f"the timer {event.__name__}", states) for event, states in _timers_of(table)),
        *((f"the row of {row.event.__name__}", row.sources | row.to) for row in table.transitions),
    ]
    for where, states in mentioned:
        for state in states:
            if not any(state is member for member in table.states):
                raise MisdeclaredMachine(
                    table.name, f"{where} names a state that is not in `states`: {state!r}"
                )


def _check_pairs_unique(table: Table[S, D, C]) -> None:
    seen: set[tuple[S, type[object]]] = set()
    for row in table.transitions:
        if not row.sources:
            raise MisdeclaredMachine(table.name, f"the row of {row.event.__name__} names no state")
        for source in row.sources:
            if (source, row.event) in seen:
                raise MisdeclaredMachine(
                    table.name,
                    f"{row.event.__name__} in {source.name} is listed twice; a pair has one row",
                )
            seen.add((source, row.event))


def _check_final_states_end(table: Table[S, D, C]) -> None:
    for row in table.transitions:
        for source in row.sources & table.final:
            raise MisdeclaredMachine(
                table.name,
                f"{source.name} is final, so it must have no row; it takes {row.event.__name__}",
            )


def _check_all_reachable(table: Table[S, D, C], exits: Mapping[S, Set[S]]) -> None:
    reached = reachable_from(table.initial, exits)
    for state in table.states:
        if state not in reached:
            raise MisdeclaredMachine(
                table.name,
                f"no row leads to {state.name} from {table.initial.name}, the initial state",
            )


def _check_no_dead_ends(table: Table[S, D, C], exits: Mapping[S, Set[S]]) -> None:
    taking = set[S]().union(*(row.sources for row in table.transitions))
    for state in dead_ends_among(table.states, table.final, taking, exits):
        raise MisdeclaredMachine(
            table.name,
            f"{state.name} is a dead end: it is not final, and no row leads to a final state",
        )


def _check_timers_taken(table: Table[S, D, C]) -> None:
    taken = {(source, row.event) for row in table.transitions for source in row.sources}
    for event, states in _timers_of(table):
        if not states:
            raise MisdeclaredMachine(
                table.name, f"the timer {event.__name__} must name the states that it may come in"
            )
        for state in sorted(states, key=table.states.index):
            if (state, event) not in taken:
                raise MisdeclaredMachine(
                    table.name,
                    f"the timer {event.__name__} may come in {state.name}, which does not take it",
                )


def _timers_of(table: Table[S, D, C]) -> Iterable[tuple[type[object], frozenset[S]]]:
    return () if table.timers is None else table.timers.items()
