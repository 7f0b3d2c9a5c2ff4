"""A supervision tree on paper: what supervisor(3) says, without any concurrency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import attrs

from greenroom.supervisor import AutoShutdown, ChildState, Restart, Strategy


@attrs.define(eq=False)
class Node:
    """A worker, or what all nodes share. `up` is the only thing that changes in it."""

    id: str
    restart: Restart
    significant: bool = False
    up: bool = False

    def restarts_after(self, *, orderly: bool) -> bool:
        return self.restart is Restart.PERMANENT or (
            self.restart is Restart.TRANSIENT and not orderly
        )


@attrs.define(eq=False)
class Group(Node):
    """A supervisor: `members` by definition, `children` and what is `left` of the budget now."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    budget: int = 3
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    members: tuple[Node, ...] = ()
    children: dict[str, Node] = attrs.field(factory=dict)
    left: int = 0

    def walk(self) -> Iterator[tuple[Group, Node]]:
        """Every node below with the group it belongs to, by definition."""
        for member in self.members:
            yield self, member
            if isinstance(member, Group):
                yield from member.walk()

    def states(self) -> dict[str, ChildState]:
        return {
            id_: ChildState.RUNNING if child.up else ChildState.STOPPED
            for id_, child in self.children.items()
        }


class Model:
    """Does to a tree on paper what is done to a real one, and logs what `Stage` logs."""

    def __init__(self, root: Group) -> None:
        self.root = root
        self.groups = {node.id: group for group, node in root.walk()}
        self.nodes = {node.id: node for _, node in root.walk()}
        self.log: list[str] = []
        self.failing: Counter[str] = Counter()
        self.gave_up = False

    def start(self, node: Node) -> bool:
        if isinstance(node, Group):
            return self._start_group(node)
        if self.failing[node.id]:
            self.failing[node.id] -= 1
            self.log.append(f"!{node.id}")
            return False
        self.log.append(f"+{node.id}")
        node.up = True
        return True

    def _start_group(self, group: Group) -> bool:
        group.up, group.left = True, group.budget
        group.children = {member.id: member for member in group.members}
        if all(self.start(member) for member in group.members):
            return True
        self.stop(group)
        return False

    def stop(self, node: Node) -> None:
        if not node.up:
            return
        if isinstance(node, Group):
            for child in reversed(node.children.values()):
                self.stop(child)
        else:
            self.log.append(f"-{node.id}")
        node.up = False

    def ends(self, node: Node, *, orderly: bool) -> None:
        """It ended by itself; its supervisor sees to that."""
        self.stop(node)
        group = self.groups.get(node.id)
        if group is None:
            return
        if node.restarts_after(orderly=orderly):
            self._restart(group, node)
        else:
            self._retire(group, node)
            if node.significant and self._calls_for_shutdown(group):
                self.ends(group, orderly=True)

    def _restart(self, group: Group, node: Node) -> None:
        group.left -= 1
        if group.left < 0:
            self.gave_up = self.gave_up or group is self.root
            self.ends(group, orderly=True)
            return
        order = list(group.children.values())
        affected = {
            Strategy.ONE_FOR_ONE: [node],
            Strategy.ONE_FOR_ALL: order,
            Strategy.REST_FOR_ONE: order[order.index(node) :],
        }[group.strategy]
        for other in reversed(affected):
            self.stop(other)
        for member in affected:
            if member is not node and member.restart is Restart.TEMPORARY:
                self._retire(group, member)
            elif not self.start(member):
                self._restart(group, member)
                return

    def _retire(self, group: Group, node: Node) -> None:
        if node.restart is Restart.TEMPORARY:
            group.children.pop(node.id, None)

    def _calls_for_shutdown(self, group: Group) -> bool:
        if group.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT:
            return True
        return not any(child.significant and child.up for child in group.children.values())

    # ---- admin calls, as far as they are answered with more than an error -------------------

    def reachable(self, id_: str) -> bool:
        """Whether its supervisor is there to be asked."""
        group = self.groups[id_]
        return group.up and (group is self.root or self._is_child(group))

    def _is_child(self, node: Node) -> bool:
        return node.id in self.groups[node.id].children and self.reachable(node.id)

    def terminate(self, id_: str) -> None:
        if id_ in self.groups[id_].children:
            self.stop(self.nodes[id_])
            self._retire(self.groups[id_], self.nodes[id_])

    def restart(self, id_: str) -> None:
        if id_ in self.groups[id_].children and not self.nodes[id_].up:
            self.start(self.nodes[id_])

    def delete(self, id_: str) -> None:
        if id_ in self.groups[id_].children and not self.nodes[id_].up:
            del self.groups[id_].children[id_]

    def add(self, id_: str) -> None:
        group = self.groups[id_]
        if id_ not in group.children:
            group.children[id_] = self.nodes[id_]
            if not self.start(self.nodes[id_]):
                del group.children[id_]
