"""The declaration of a machine, its rows and all else, as frozen data (pure)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Generic, Never, TypeVar

import attrs

from greenroom.actors.machine.step import Step

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")
E = TypeVar("E")


@attrs.frozen(init=False)
class On(Generic[S, D, C]):
    """One row of the table: in any of `sources`, `event` (exact type) goes to `handler`.

    `to` is the state, or states, the handler may go to; staying is always allowed.
    """

    sources: frozenset[S]
    event: type[object]
    handler: Callable[[D, Never], Step[S, D, C]]
    to: frozenset[S]

    def __init__(
        self,
        source: S | Collection[S],
        event: type[E],
        handler: Callable[[D, E], Step[S, D, C]],
        *,
        to: S | Collection[S] = (),
    ) -> None:
        self.__attrs_init__(states_of(source), event, handler, states_of(to))


@attrs.frozen
class Table(Generic[S, D, C]):
    """The declaration of a machine; see `Machine` for its fields. `check_table` checks it."""

    name: str
    states: tuple[S, ...]
    initial: S
    final: frozenset[S]
    transitions: tuple[On[S, D, C], ...]
    on_enter: Mapping[S, Callable[[D], Step[S, D, C]]]
    timers: Mapping[type[object], frozenset[S]] | None

    @property
    def exits(self) -> dict[S, set[S]]:
        """For each state the other states its rows may go to."""
        exits: dict[S, set[S]] = {state: set() for state in self.states}
        for row in self.transitions:
            for source in row.sources:
                exits[source] |= row.to - {source}
        return exits


def states_of(states: S | Collection[S]) -> frozenset[S]:
    """One state, or several. Any other value counts as one state, which the check refuses."""
    if isinstance(states, enum.Enum | str) or not isinstance(states, Iterable):
        return frozenset((states,))
    return frozenset(states)
