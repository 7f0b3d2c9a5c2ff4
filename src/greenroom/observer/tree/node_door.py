"""`GET /admin/node?path=PATH`: one node, with its mailbox, its timers and its machine.

A node that is not there is a 404, which says when and why it ended if a crash report does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import attrs
import orjson

from greenroom.admin.queries import asked_in
from greenroom.delivery.events.kinds import JSON
from greenroom.observer.tree.actor_facts import facts_of_actor
from greenroom.observer.tree.drawings import Drawings
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.inspection.as_json import line_form, node_form
from greenroom.supervisor.inspection.finding import FoundChild, find_child
from greenroom.supervisor.inspection.tree import TreeNode, node_of, snapshot
from greenroom.supervisor.supervisor_ref import SupervisorRef
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer

NODE: Final = "/admin/node"
SCHEMA: Final = "greenroom.node/1"

MOST_CRASHES: Final = 20


@attrs.frozen
class NodeDoor:
    """Answers visitors that were checked. Looking sends no message."""

    root: SupervisorRef
    wall_clock: Callable[[], float]
    drawings: Drawings = attrs.field(factory=Drawings)

    def routes(self) -> Mapping[str, Handler]:
        """The route to add to an admin door."""
        return {NODE: self._node}

    async def _node(self, head: RequestHead) -> Response:
        path = asked_in(head).get("path", [""])[-1]
        if not path:
            raise BadRequest("The query must have the node's `path`.")
        found = find_child(self.root, path)
        if found is None and path != self.root.path:
            return json_answer(orjson.dumps(self._gone(path)), 404)
        node = snapshot(self.root, children=0) if found is None else _node_of(found)
        return json_answer(orjson.dumps(await self._said(path, node, found)))

    async def _said(self, path: str, node: TreeNode, found: FoundChild | None) -> dict[str, JSON]:
        said: dict[str, JSON] = {
            "schema": SCHEMA,
            "at": round(self.wall_clock() * 1000),
            "node": dict(node_form(node)),
            "crashes": [dict(line_form(each)) for each in self._crashes(path)],
        }
        if found is None:
            return {**said, "intensity": str(self.root.intensity)}
        return {**said, **_around(found), **await facts_of_actor(found.child.value, self.drawings)}

    def _crashes(self, path: str) -> list[CrashReport]:
        """Those of the node and of all below it, the newest first."""
        inside = [each for each in self.root.crashes() if _is_inside(each.path, path)]
        return inside[: -MOST_CRASHES - 1 : -1]

    def _gone(self, path: str) -> dict[str, JSON]:
        last = next((each for each in self._crashes(path) if each.path == path), None)
        if last is None:
            said: dict[str, JSON] = {"error": f"there is no node {path[:200]!r} now"}
            return {**said, "advice": "it has ended without a crash that is kept, or never was"}
        return {
            "error": f"{path[:200]!r} has ended: {last.summary}",
            "advice": f"see crash {last.id}",
            "ended_at": round(last.at * 1000),
            "why": last.summary,
            "crash": last.id,
        }


def _node_of(found: FoundChild) -> TreeNode:
    return node_of(found.supervisor, found.child)


def _around(found: FoundChild) -> dict[str, JSON]:
    """What bounds the node's restarts, and what bounds those of its children."""
    above, value = found.supervisor, found.child.value
    said: dict[str, JSON] = {
        "supervisor": {
            "path": above.path,
            "strategy": above.strategy_name,
            "budget": above.restart_budget,
            "intensity": str(above.intensity),
        },
        "restart": found.child.restart.value,
        "callers": list(found.child.callers),
        "last_end": found.child.last_end.kind.value if found.child.restarts else None,
    }
    if isinstance(value, SupervisorRef):
        said["intensity"] = str(value.intensity)
    return said


def _is_inside(path: str, outer: str) -> bool:
    return path == outer or path.startswith(f"{outer}/")
