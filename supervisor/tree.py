"""The supervision tree at one moment. Taking it sends no message and waits for nobody."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import trio

from greenroom.actors.mailbox import MailboxStatistics
from greenroom.actors.ref import Ref
from greenroom.supervisor.child import Child, ChildState
from greenroom.supervisor.child_spec import Kind
from greenroom.supervisor.supervisor_ref import SupervisorRef, last_messages


@attrs.frozen
class TreeNode:
    """A child or supervisor. `uptime` is in seconds, of the present incarnation.

    `mailbox` and `last_message` (a type's name) are an actor's; `strategy`, `budget` (restarts
    left before it gives up), `left_behind` and `children` a supervisor's.
    """

    id: str
    path: str
    kind: Kind
    state: ChildState
    restarts: int = 0
    uptime: float = 0.0
    mailbox: MailboxStatistics | None = None
    last_message: str | None = None
    strategy: str | None = None
    budget: int | None = None
    left_behind: tuple[str, ...] = ()
    children: tuple[TreeNode, ...] = ()

    def walk(self) -> Iterator[TreeNode]:
        """This node and all below, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, path: str) -> TreeNode | None:
        return next((node for node in self.walk() if node.path == path), None)


def snapshot(supervisor: SupervisorRef) -> TreeNode:
    """The tree from `supervisor` down. Call it inside the trio run the supervisor lives in."""
    state = ChildState.RUNNING if supervisor.exit_reason is None else ChildState.STOPPED
    return _with_children(
        TreeNode(supervisor.name, supervisor.path, "supervisor", state), supervisor
    )


def _with_children(node: TreeNode, supervisor: SupervisorRef) -> TreeNode:
    return attrs.evolve(
        node,
        strategy=supervisor.strategy_name,
        budget=supervisor.restart_budget,
        left_behind=supervisor.left_behind(),
        children=tuple(_node(supervisor.path, child) for child in supervisor._children.values()),
    )


def _node(parent_path: str, child: Child) -> TreeNode:
    value = child.value
    messages = last_messages(value)
    node = TreeNode(
        id=child.id,
        path=f"{parent_path}/{child.id}",
        kind=child.spec.kind,
        state=child.state,
        restarts=child.restarts,
        uptime=_uptime(child),
        mailbox=value.statistics() if isinstance(value, Ref) else None,
        last_message=type(messages[-1]).__name__ if messages else None,
    )
    return _with_children(node, value) if isinstance(value, SupervisorRef) else node


def _uptime(child: Child) -> float:
    life = child.life
    return trio.current_time() - life.since if life is not None and life.is_up else 0.0


def render(node: TreeNode) -> str:
    """The tree as text, a line for each node."""
    return "\n".join(_lines(node, "", ""))


def _lines(node: TreeNode, first: str, rest: str) -> Iterator[str]:
    yield first + _line(node)
    for child in node.children[:-1]:
        yield from _lines(child, f"{rest}├─ ", f"{rest}│  ")
    for child in node.children[-1:]:
        yield from _lines(child, f"{rest}└─ ", f"{rest}   ")


def _line(node: TreeNode) -> str:
    facts = [node.strategy] if node.strategy else []
    if node.state is not ChildState.RUNNING:
        facts.append(node.state.value)
    if node.mailbox is not None and node.mailbox.depth:
        facts.append(f"{node.mailbox.depth} waiting")
    if node.restarts:
        facts.append(f"{node.restarts} restarts")
    if node.left_behind:
        facts.append(f"left behind: {', '.join(node.left_behind)}")
    return f"{node.id} ({', '.join(facts)})" if facts else node.id
