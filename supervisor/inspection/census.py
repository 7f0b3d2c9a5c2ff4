"""A count of the actors in a tree, by class: far cheaper than a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import nlargest
from typing import Final, TypeAlias

import attrs

from greenroom.actors.ref import Ref
from greenroom.supervisor.crash.actor_note import actor_of, runner_of
from greenroom.supervisor.supervisor_ref import SupervisorRef

MOST_FULL: Final = 5

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


def counting(census: Census, root: SupervisorRef) -> Iterator[None]:
    """The same in steps, for `Slices`: who comes or goes meanwhile may be missed."""
    for place in _places(root):
        census.count(place)
        yield


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
