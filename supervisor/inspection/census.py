"""A count of the actors in a tree, by class: far cheaper than a snapshot, and without names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nlargest
from itertools import islice
from typing import Final, TypeAlias, TypeVar

import attrs
import trio

from greenroom.actors.ref import Ref
from greenroom.supervisor.crash.actor_note import actor_of, runner_of
from greenroom.supervisor.supervisor_ref import SupervisorRef

SLICE: Final = 100
"""What is counted at a time, in a millisecond or so, before other tasks run."""

MOST_FULL: Final = 5

T = TypeVar("T")
Place: TypeAlias = tuple[str, str, Ref[object]]
"""An actor, its id, and the path of its supervisor."""

Fullness: TypeAlias = tuple[int, str]
"""The messages that wait in an actor's mailbox, and the actor's path."""


@attrs.define
class Census:
    """By the name of an actor's class: the number of actors, the messages that wait in all their
    mailboxes, and those in the fullest one. `phases` counts machines by (machine, state); `fullest`
    has the fullest mailboxes that are not empty."""

    actors: Counter[str] = attrs.field(factory=Counter)
    waiting: Counter[str] = attrs.field(factory=Counter)
    deepest: dict[str, int] = attrs.field(factory=dict)
    phases: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    fullest: list[Fullness] = attrs.field(factory=list)

    def count(self, place: Place) -> None:
        """Add one actor."""
        parent, id_, ref = place
        actor = actor_of(ref)
        if actor is None:
            return
        name, mailbox = type(actor).__name__, ref.statistics()
        depth = mailbox.depth + mailbox.in_hand
        self.actors[name] += 1
        self.waiting[name] += depth
        self.deepest[name] = max(depth, self.deepest.get(name, 0))
        if depth and (len(self.fullest) < MOST_FULL or depth > self.fullest[-1][0]):
            full = (depth, f"{parent}/{id_}")
            self.fullest = nlargest(MOST_FULL, [*self.fullest, full])
        runner = runner_of(actor)
        if runner is not None:
            self.phases[runner.machine.name, runner.state.name.lower()] += 1


def take_census(root: SupervisorRef) -> Census:
    """Count from `root` down, without a message or a wait. Call it in the trio run of the root."""
    census = Census()
    for place in _places(root):
        census.count(place)
    return census


async def take_census_in_slices(root: SupervisorRef) -> Census:
    """The same, with other tasks running in between: who comes or goes meanwhile may be missed."""
    census = Census()
    for some in slices(_places(root)):
        for place in some:
            census.count(place)
        await trio.lowlevel.checkpoint()
    return census


def slices(items: Iterable[T], size: int = SLICE) -> Iterator[list[T]]:
    """The items in lists of `size`; the last may be shorter."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _places(root: SupervisorRef) -> Iterator[Place]:
    supervisors = [root]
    while supervisors:
        supervisor = supervisors.pop()
        for child in tuple(supervisor._children.values()):
            value = child.value
            if isinstance(value, SupervisorRef):
                supervisors.append(value)
            elif isinstance(value, Ref):
                yield supervisor.path, child.id, value
