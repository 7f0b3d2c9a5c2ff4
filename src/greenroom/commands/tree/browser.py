"""Browsing a live tree: what a key does, as a machine; what is shown is a function of its data.

Nothing here knows a terminal: `screen` reads keys and draws.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step, go, stay
from greenroom.actors.machine.table import On
from greenroom.supervisor.inspection.as_json import CrashLine
from greenroom.supervisor.inspection.tree import TreeNode

PAGE = 10


class Mode(enum.Enum):
    BROWSING = "browsing"
    SEARCHING = "searching"
    INSPECTING = "inspecting"
    CLOSED = "closed"


class Order(enum.Enum):
    """How the rows are sorted; the worst first but for `TREE`."""

    TREE = "tree"
    WAITING = "waiting"
    RESTARTS = "restarts"
    CPU = "cpu"

    @property
    def following(self) -> Order:
        every = list(Order)
        return every[(every.index(self) + 1) % len(every)]


RANK: Mapping[Order, Callable[[TreeNode], float]] = {
    Order.WAITING: lambda node: node.waiting,
    Order.RESTARTS: lambda node: node.restarts,
    Order.CPU: lambda node: node.cpu_share or 0.0,
}


@attrs.frozen
class Key:
    """A key by its name (`up`, `enter`, `escape`) or the character it types."""

    name: str


@attrs.frozen
class Looked:
    """The tree and the crashes as they are now."""

    tree: TreeNode
    crashes: tuple[CrashLine, ...]


@attrs.frozen
class LookFailed:
    """The server did not answer; what was seen last stays on the screen."""

    message: str


@attrs.frozen
class Row:
    """A node and how deep it hangs."""

    node: TreeNode
    depth: int


@attrs.frozen
class View:
    """What is looked at. `selected` is a path, so it stays on its node when rows move."""

    tree: TreeNode | None = None
    crashes: tuple[CrashLine, ...] = ()
    problem: str | None = None
    order: Order = Order.TREE
    query: str = ""
    selected: str = ""

    @property
    def rows(self) -> list[Row]:
        """The nodes that match the search, in the chosen order."""
        if self.tree is None:
            return []
        found = [row for row in _walk(self.tree, 0) if self.query.lower() in row.node.path.lower()]
        if self.order is Order.TREE:
            return found
        rank = RANK[self.order]
        return sorted(found, key=lambda row: -rank(row.node))

    @property
    def index(self) -> int:
        """The selected row's number; 0 when it is gone."""
        paths = [row.node.path for row in self.rows]
        return paths.index(self.selected) if self.selected in paths else 0

    @property
    def node(self) -> TreeNode | None:
        """The selected node."""
        rows = self.rows
        return rows[self.index].node if rows else None


def _walk(node: TreeNode, depth: int) -> list[Row]:
    return [Row(node, depth), *(row for each in node.children for row in _walk(each, depth + 1))]


Decision: TypeAlias = Step[Mode, View, None]


def looked(view: View, event: Looked) -> Decision:
    return stay(attrs.evolve(view, tree=event.tree, crashes=event.crashes, problem=None))


def look_failed(view: View, event: LookFailed) -> Decision:
    return stay(attrs.evolve(view, problem=event.message))


def browse(view: View, key: Key) -> Decision:
    match key.name:
        case "q" | "ctrl-c":
            return go(Mode.CLOSED, view)
        case "/":
            return go(Mode.SEARCHING, attrs.evolve(view, query=""))
        case "escape":
            return stay(attrs.evolve(view, query=""))
        case "s":
            return stay(attrs.evolve(view, order=view.order.following, selected=""))
        case "enter" if view.node is not None:
            return go(Mode.INSPECTING, attrs.evolve(view, selected=view.node.path))
    return stay(_moved(view, key.name))


def search(view: View, key: Key) -> Decision:
    match key.name:
        case "ctrl-c":
            return go(Mode.CLOSED, view)
        case "escape":
            return go(Mode.BROWSING, attrs.evolve(view, query=""))
        case "enter":
            return go(Mode.BROWSING, view)
        case "backspace":
            return stay(attrs.evolve(view, query=view.query[:-1]))
        case name if len(name) == 1:
            return stay(attrs.evolve(view, query=view.query + name))
    return stay(_moved(view, key.name))


def inspect(view: View, key: Key) -> Decision:
    match key.name:
        case "ctrl-c" | "q":
            return go(Mode.CLOSED, view)
        case "escape" | "enter" | "backspace" | "left":
            return go(Mode.BROWSING, view)
    return stay(_moved(view, key.name))


STEPS = {
    "up": -1,
    "k": -1,
    "down": 1,
    "j": 1,
    "page_up": -PAGE,
    "page_down": PAGE,
    "home": -(10**9),
    "end": 10**9,
}


def _moved(view: View, key: str) -> View:
    rows = view.rows
    if key not in STEPS or not rows:
        return view
    index = min(max(view.index + STEPS[key], 0), len(rows) - 1)
    return attrs.evolve(view, selected=rows[index].node.path)


OPEN = {Mode.BROWSING, Mode.SEARCHING, Mode.INSPECTING}

BROWSER: Machine[Mode, View, None] = Machine(
    name="browser",
    states=Mode,
    initial=Mode.BROWSING,
    final={Mode.CLOSED},
    transitions=[
        On(OPEN, Looked, looked),
        On(OPEN, LookFailed, look_failed),
        On(Mode.BROWSING, Key, browse, to={Mode.SEARCHING, Mode.INSPECTING, Mode.CLOSED}),
        On(Mode.SEARCHING, Key, search, to={Mode.BROWSING, Mode.CLOSED}),
        On(Mode.INSPECTING, Key, inspect, to={Mode.BROWSING, Mode.CLOSED}),
    ],
)
