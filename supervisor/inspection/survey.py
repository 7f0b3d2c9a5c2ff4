"""A survey: the load of every node of a running tree, taken in small steps.

A snapshot of ten thousand users takes longer than a turn may. A survey can stop after each node,
and what it has found goes on changing meanwhile. It keeps columns of numbers and the children
themselves: an object for each node would bring on full garbage collections, which take a second.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from greenroom.actors.actor import Actor
from greenroom.actors.recording.weight import weight_of
from greenroom.actors.ref import Ask, Ref
from greenroom.supervisor.child import Child
from greenroom.supervisor.crash.actor_note import actor_of
from greenroom.supervisor.inspection.cpu_meter import cpu_meter
from greenroom.supervisor.supervisor_ref import SupervisorRef

WEIGHED, WEIGHED_BYTES = 4, 64 * 1024
"""The waiting messages of a mailbox that are weighed, and the bytes at which that ends for each."""

LOADS: Final = ("waiting", "restarts", "cpu", "held")
"""What a node carries: messages that wait, restarts, the share of a processor (0 to 1), and the
bytes of the messages that it holds, an estimate: those that wait, and the last that it handled."""

Loads: TypeAlias = dict[str, "array[float]"]


def _columns() -> Loads:
    return {name: array("d") for name in LOADS}


class Survey:
    """The nodes below a supervisor, each with all that is below it behind it; the root is the
    first, and has no `Child`. `parents` and `levels` (1 at the root) are by the place of a node,
    and so are `children` and `below`, the numbers of its children and of all nodes below it, `own`,
    what it carries itself, and `total`, what they all carry."""

    def __init__(self, root: SupervisorRef) -> None:
        self.root = root
        self.nodes: list[Child | None] = [None]
        self.ids: list[str] = [root.name]
        self.parents: array[int] = array("l", [-1])
        self.levels: array[int] = array("l", [1])
        self.children: array[int] = array("l")
        self.below: array[int] = array("l")
        self.own = _columns()
        self.total = _columns()
        self._meter = cpu_meter()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def measures_cpu(self) -> bool:
        return self._meter is not None

    def steps(self) -> Iterator[None]:
        """Take it. It yields after each step of some microseconds, and is whole at the end."""
        self._add_loads(0, 0, 0.0, 0)
        yield from self._find()
        for name in LOADS:
            self.total[name] = self.own[name][:]
        self.children = array("l", bytes(self.levels.itemsize * len(self)))
        self.below = self.children[:]
        yield from self._add_up()

    def _find(self) -> Iterator[None]:
        parent, children = 0, _children_of(self.root)
        waiting = []
        while True:
            for child in children:
                place = len(self.ids)
                self._add(child, parent)
                yield
                if isinstance(child.value, SupervisorRef):
                    waiting.append((parent, children))
                    parent, children = place, _children_of(child.value)
                    break
            else:
                if not waiting:
                    return
                parent, children = waiting.pop()

    def _add(self, child: Child, parent: int) -> None:
        self.nodes.append(child)
        self.ids.append(child.id)
        self.parents.append(parent)
        self.levels.append(self.levels[parent] + 1)
        life, cpu = child.life, 0.0
        value = None if life is None else life.value
        if self._meter is not None and life is not None and life.usage is not None:
            cpu = life.usage.share(self._meter.now())
        if isinstance(value, Ref):
            self._add_loads(value._mailbox.not_begun, child.restarts, cpu, held_by(value))
        else:
            self._add_loads(0, child.restarts, cpu, 0)

    def _add_loads(self, *loads: float) -> None:
        for column, load in zip(self.own.values(), loads, strict=True):
            column.append(load)

    def _add_up(self) -> Iterator[None]:
        totals = list(self.total.values())
        for place in range(len(self) - 1, 0, -1):
            parent = self.parents[place]
            self.children[parent] += 1
            self.below[parent] += self.below[place] + 1
            for total in totals:
                if total[place]:
                    total[parent] += total[place]
            yield

    def path(self, place: int) -> str:
        """The path of the node at this place."""
        ids: list[str] = []
        while place >= 0:
            ids.append(self.ids[place])
            place = self.parents[place]
        return "/".join(reversed(ids))


def _children_of(supervisor: SupervisorRef) -> Iterator[Child]:
    """Those it has now: it changes in the pauses."""
    return iter([*supervisor._children.values()])


def held_by(ref: Ref[object]) -> int:
    """The bytes of the messages that wait for an actor, as far as the first few tell, and of the
    last that it handled."""
    actor = actor_of(ref)
    return 0 if actor is None else actor.recent.weight + _waiting_bytes(ref, actor)


def _waiting_bytes(ref: Ref[object], actor: Actor[object]) -> int:
    count = ref._mailbox.not_begun
    if not count:
        return 0
    first: Sequence[object] = ref._mailbox.first(WEIGHED)
    weight = sum(weight_of(_told(each), WEIGHED_BYTES) for each in first)
    return weight * count // len(first)


def _told(message: object) -> object:
    return message.request if isinstance(message, Ask) else message
