"""Finding one node of a running tree by its path."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from greenroom.supervisor.child import Child
from greenroom.supervisor.supervisor_ref import SupervisorRef


@attrs.frozen
class FoundChild:
    """A child, and its supervisor."""

    supervisor: SupervisorRef
    child: Child


def find_child(root: SupervisorRef, path: str) -> FoundChild | None:
    """The child at a path, None if there is none now. An id may hold a slash."""
    waiting = [(root, path.removeprefix(f"{root.name}/"))] if path.startswith(root.name) else []
    while waiting:
        supervisor, rest = waiting.pop()
        if rest in supervisor._children:
            return FoundChild(supervisor, supervisor._children[rest])
        waiting += _inside(supervisor, rest)
    return None


def _inside(supervisor: SupervisorRef, path: str) -> Iterator[tuple[SupervisorRef, str]]:
    """The supervisors among the children that the path may lead through, and what is left of it."""
    slash = path.find("/")
    while slash >= 0:
        child = supervisor._children.get(path[:slash])
        if child is not None and isinstance(child.value, SupervisorRef):
            yield child.value, path[slash + 1 :]
        slash = path.find("/", slash + 1)
