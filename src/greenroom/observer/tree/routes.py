"""The endpoints of the tree: its windows, and one node."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from greenroom.observer.tree.lookout import Lookout
from greenroom.observer.tree.node_door import NodeDoor
from greenroom.observer.tree.nodes_door import Admits, NodesDoor
from greenroom.supervisor.supervisor_ref import SupervisorRef
from greenroom.transport.door.paths import Handler


def tree_routes(
    root: SupervisorRef,
    admits: Admits,
    draining: Callable[[], bool],
    wall_clock: Callable[[], float],
) -> Mapping[str, Handler]:
    """The routes to add to an admin door. `admits` checks the visitor of a stream as it goes on."""
    nodes = NodesDoor(Lookout(root, wall_clock), admits, draining)
    return {**nodes.routes(), **NodeDoor(root, wall_clock).routes()}
