"""What `explore` found, and how it reads."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import attrs

from greenroom.testing.machines.trace import Trace, short

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")

SHOWN = 5
"""The number of deadlocks and violations shown; the object has all of them."""


@attrs.frozen
class Violation:
    """A violation, and the shortest sequence that leads to it."""

    what: str
    trace: Trace


@attrs.frozen
class Deadlock(Generic[S, D]):
    """A situation, not final, out of which no explored event and no running timer leads."""

    state: S
    data: D
    trace: Trace


@attrs.frozen
class Exploration(Generic[S, D]):
    """What there is within `depth` events of the start; `str()` of it is for people.

    `complete` is False if longer sequences would find more situations. `shortest` has for each
    state reached a shortest way there. Pairs are (state, event type) of the table. `trapped` are
    situations that lead on, but to no end (only known of a complete exploration).
    """

    machine: str
    depth: int
    complete: bool
    situations: int
    states: tuple[S, ...]
    shortest: Mapping[S, Trace]
    covered: frozenset[tuple[S, type[object]]]
    uncovered: tuple[tuple[S, type[object]], ...]
    idle_timers: tuple[type[object], ...]
    deadlocks: tuple[Deadlock[S, D], ...]
    trapped: tuple[Deadlock[S, D], ...]
    violations: tuple[Violation, ...]

    @property
    def unreached(self) -> tuple[S, ...]:
        """States the table leads to, but no explored sequence did."""
        return tuple(state for state in self.states if state not in self.shortest)

    @property
    def farthest(self) -> Trace:
        """The longest of the shortest ways: no state needs more events than this."""
        return max(self.shortest.values(), key=len)

    @property
    def sound(self) -> bool:
        """No violation, no deadlock and no trap were found; `uncovered` is a separate question."""
        return not (self.violations or self.deadlocks or self.trapped)

    def check(self) -> None:
        """Raise `AssertionError` with the whole report unless it is `sound`."""
        if not self.sound:
            raise AssertionError(f"\n{self}")

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def _lines(found: Exploration[S, D]) -> Iterator[str]:
    whole = "all there is" if found.complete else f"cut off at {found.depth} events"
    pairs = len(found.covered) + len(found.uncovered)
    yield (
        f"machine {found.machine!r}: {len(found.shortest)} of {len(found.states)} states, "
        f"{len(found.covered)} of {pairs} pairs, {found.situations} situations ({whole})"
    )
    yield ""
    yield from _ways(found)
    yield from _section("states not reached", [state.name for state in found.unreached])
    yield from _section("pairs not covered", [_pair(*pair) for pair in found.uncovered])
    yield from _section("timers never started", [timer.__name__ for timer in found.idle_timers])
    yield from _stuck("deadlocks: nothing leads on from", found.deadlocks)
    yield from _stuck("traps: no end can be reached from", found.trapped)
    yield from _violations(found.violations)
    if found.sound:
        yield ""
        yield "no violation, no deadlock" + ("" if found.complete else " as far as it looked")


def _ways(found: Exploration[S, D]) -> Iterator[str]:
    rows = [("state", "events", "shortest way")]
    rows += [
        (state.name, str(len(trace)), trace.way())
        for state, trace in sorted(found.shortest.items(), key=lambda each: len(each[1]))
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, events, way in rows:
        yield f"  {name.ljust(widths[0])}  {events.rjust(widths[1])}  {way}"


def _section(title: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield ""
        yield f"{title} ({len(names)}):"
        yield from (f"  {name}" for name in names)


def _stuck(title: str, stuck: Sequence[Deadlock[S, D]]) -> Iterator[str]:
    if not stuck:
        return
    yield ""
    yield f"{title} ({len(stuck)}):"
    for each in stuck[:SHOWN]:
        yield f"  {each.state.name} with {short(each.data)}, after {each.trace.way()}"
    if len(stuck) > SHOWN:
        yield f"  … and {len(stuck) - SHOWN} more"


def _violations(violations: Sequence[Violation]) -> Iterator[str]:
    for number, each in enumerate(violations[:SHOWN], start=1):
        yield ""
        yield f"violation {number} of {len(violations)}: {each.what}"
        yield from (f"  {line}" for line in each.trace.table().splitlines())


def _pair(state: enum.Enum, event: type[object]) -> str:
    return f"{event.__name__} in {state.name}"
