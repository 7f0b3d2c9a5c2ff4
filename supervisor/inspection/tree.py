"""The supervision tree at one moment, taken without a message or a wait."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeAlias

import attrs
import trio

from greenroom.actors.mailbox import MailboxStatistics
from greenroom.actors.ref import Ref
from greenroom.supervisor.child import Child
from greenroom.supervisor.child_info import ChildState
from greenroom.supervisor.child_spec import ChildKind
from greenroom.supervisor.crash.actor_note import Move, actor_of, last_message, moves_of, runner_of
from greenroom.supervisor.inspection.cpu_meter import cpu_meter
from greenroom.supervisor.supervisor_ref import SupervisorRef

Facts: TypeAlias = dict[str, Any]  # fields of a `TreeNode` by name


@attrs.frozen
class TreeNode:
    """A child or supervisor. `uptime` is in seconds, of the present incarnation.

    An actor's: `mailbox` (its `taken` less its `in_hand` were processed, the one at work
    counted), `last_message` (a type's name), `machine` with its `phase` and last `moves`. A
    supervisor's: `strategy`, `budget` (restarts left before it gives up), `left_behind`,
    `children`, and `hidden`, how many more there are. `cpu_share` (of the last 5 s, 0 to 1) and
    `cpu_seconds` are None unless a `CpuMeter` is on.
    """

    id: str
    path: str
    kind: ChildKind
    state: ChildState
    restarts: int = 0
    uptime: float = 0.0
    mailbox: MailboxStatistics | None = None
    last_message: str | None = None
    machine: str | None = None
    phase: str | None = None
    moves: tuple[Move, ...] = ()
    cpu_share: float | None = None
    cpu_seconds: float | None = None
    strategy: str | None = None
    budget: int | None = None
    left_behind: tuple[str, ...] = ()
    hidden: int = 0
    children: tuple[TreeNode, ...] = ()

    @property
    def waiting(self) -> int:
        """Messages that an actor has not started on: in its mailbox, and in its present batch."""
        return self.mailbox.depth + self.mailbox.in_hand if self.mailbox is not None else 0

    @property
    def processed(self) -> int:
        """Messages that an actor has handled, including the one it handles now."""
        return self.mailbox.taken - self.mailbox.in_hand if self.mailbox is not None else 0

    def walk(self) -> Iterator[TreeNode]:
        """This node and all below it, parents first."""
        left = [self]
        while left:
            node = left.pop()
            yield node
            left += reversed(node.children)

    def find(self, path: str) -> TreeNode | None:
        return next((node for node in self.walk() if node.path == path), None)


def snapshot(supervisor: SupervisorRef, *, children: int | None = None) -> TreeNode:
    """The tree from `supervisor` down. Call it inside the trio run the supervisor lives in.

    With `children`, only that many children of each supervisor, the first ones, are included; the
    others are counted.
    """
    drafts = [_DraftNode(_of_root(supervisor), supervisor)]
    for draft in drafts:  # it grows meanwhile: a tree may be deeper than Python's stack
        if draft.supervisor is not None:
            draft.facts |= _of_supervisor(draft.supervisor, children)
            draft.below = list(_drafts_below(draft.supervisor, children))
            drafts += draft.below
    for draft in reversed(drafts):  # children were found after their parents
        draft.node = TreeNode(**draft.facts, children=tuple(each.node for each in draft.below))
    return drafts[0].node


def node_of(supervisor: SupervisorRef, child: Child) -> TreeNode:
    """A child, whose own children are only counted."""
    value = child.value
    facts = _of_child(supervisor.path, child)
    if isinstance(value, SupervisorRef):
        facts |= _of_supervisor(value, 0)
    return TreeNode(**facts)


@attrs.define(eq=False)
class _DraftNode:
    """A node whose children are not known yet."""

    facts: Facts
    supervisor: SupervisorRef | None
    below: list[_DraftNode] = attrs.field(factory=list)
    node: TreeNode = attrs.field(init=False)


def _of_root(supervisor: SupervisorRef) -> Facts:
    return {
        "id": supervisor.name,
        "path": supervisor.path,
        "kind": "supervisor",
        "state": ChildState.RUNNING if supervisor.exit_reason is None else ChildState.STOPPED,
        "uptime": supervisor.uptime,
    }


def _drafts_below(supervisor: SupervisorRef, limit: int | None) -> Iterator[_DraftNode]:
    for child in islice(supervisor._children.values(), limit):
        value = child.value
        below = value if isinstance(value, SupervisorRef) else None
        yield _DraftNode(_of_child(supervisor.path, child), below)


def _of_supervisor(supervisor: SupervisorRef, limit: int | None) -> Facts:
    children = len(supervisor._children)
    return {
        "strategy": supervisor.strategy_name,
        "budget": supervisor.restart_budget,
        "left_behind": supervisor.left_behind(),
        "hidden": max(0, children - limit) if limit is not None else 0,
    }


def _of_child(parent_path: str, child: Child) -> Facts:
    return {
        "id": child.id,
        "path": f"{parent_path}/{child.id}",
        "kind": child.spec.kind,
        "state": child.state,
        "restarts": child.restarts,
        "uptime": _uptime(child),
        **_usage(child),
        **(_of_actor(child.value) if isinstance(child.value, Ref) else {}),
    }


def _of_actor(ref: Ref[object]) -> Facts:
    actor = actor_of(ref)
    runner = runner_of(actor) if actor is not None else None
    return {
        "mailbox": ref.statistics(),
        "last_message": last_message(actor) if actor is not None else None,
        "machine": runner.machine.name if runner is not None else None,
        "phase": runner.state.name if runner is not None else None,
        "moves": moves_of(runner.log) if runner is not None else (),
    }


def _usage(child: Child) -> Facts:
    meter = cpu_meter()
    if meter is None:
        return {}
    usage = child.life.usage if child.life is not None else None
    if usage is None:
        return {"cpu_share": 0.0, "cpu_seconds": 0.0}
    return {"cpu_share": usage.share(meter.now()), "cpu_seconds": usage.seconds}


def _uptime(child: Child) -> float:
    life = child.life
    return trio.current_time() - life.since if life is not None and life.is_up else 0.0


def render(node: TreeNode) -> str:
    """The tree as text, one line for each node."""
    return "\n".join(_lines(node))


def _lines(root: TreeNode) -> Iterator[str]:
    left = [(root, "", "")]
    while left:
        node, first, rest = left.pop()
        yield first + _line(node)
        below = [(child, f"{rest}├─ ", f"{rest}│  ") for child in node.children[:-1]]
        below += [(child, f"{rest}└─ ", f"{rest}   ") for child in node.children[-1:]]
        left += reversed(below)


def _line(node: TreeNode) -> str:
    facts = [node.strategy] if node.strategy else []
    if node.state is not ChildState.RUNNING:
        facts.append(node.state.value)
    if node.phase is not None:
        facts.append(node.phase)
    if node.waiting:
        facts.append(f"{node.waiting} waiting")
    if node.restarts:
        facts.append(f"{node.restarts} restarts")
    if node.hidden:
        facts.append(f"{node.hidden} more")
    if node.left_behind:
        facts.append(f"left behind: {', '.join(node.left_behind)}")
    return f"{node.id} ({', '.join(facts)})" if facts else node.id
