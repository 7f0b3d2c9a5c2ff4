"""A count of the actors in a tree, by class: far cheaper than a snapshot, and without names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import attrs

from greenroom.actors.ref import Ref
from greenroom.supervisor.crash.actor_note import actor_of, runner_of
from greenroom.supervisor.supervisor_ref import SupervisorRef


@attrs.define
class Census:
    """By the name of an actor's class: the number of actors, the messages that wait in all their
    mailboxes, and those in the fullest one. `phases` counts machines by (machine, state)."""

    actors: Counter[str] = attrs.field(factory=Counter)
    waiting: Counter[str] = attrs.field(factory=Counter)
    deepest: dict[str, int] = attrs.field(factory=dict)
    phases: Counter[tuple[str, str]] = attrs.field(factory=Counter)

    def count(self, ref: Ref[object]) -> None:
        """Add one actor."""
        actor = actor_of(ref)
        if actor is None:
            return
        name, mailbox = type(actor).__name__, ref.statistics()
        depth = mailbox.depth + mailbox.in_hand
        self.actors[name] += 1
        self.waiting[name] += depth
        self.deepest[name] = max(depth, self.deepest.get(name, 0))
        runner = runner_of(actor)
        if runner is not None:
            self.phases[runner.machine.name, runner.state.name.lower()] += 1


def take_census(root: SupervisorRef) -> Census:
    """Count from `root` down, without a message or a wait. Call it in the trio run of the root."""
    census = Census()
    for ref in _refs(root):
        census.count(ref)
    return census


def _refs(root: SupervisorRef) -> Iterator[Ref[object]]:
    supervisors = [root]
    while supervisors:
        for child in supervisors.pop()._children.values():
            value = child.value
            if isinstance(value, SupervisorRef):
                supervisors.append(value)
            elif isinstance(value, Ref):
                yield value
