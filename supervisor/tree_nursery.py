"""The one nursery of a tree, where the tasks of all children of all its supervisors live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

from greenroom.supervisor.supervisor_ref import SupervisorRef, _parent


async def run_in_tree(
    live: Callable[[trio.Nursery, SupervisorRef | None], Awaitable[None]],
) -> None:
    """Run a supervisor in the tree its task belongs to, or else as the root of a new one."""
    parent = _parent.get(None)
    if parent is not None:
        return await live(parent._nursery, parent)
    with unwrapped():
        async with trio.open_nursery() as nursery:
            await live(nursery, None)
    return None


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise what one task raised as itself: a nursery wraps every error in a group."""
    alone: BaseException | None = None
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        alone = next(iter(group.exceptions))
    if alone is not None:
        context = alone.__context__
        try:
            raise alone
        finally:
            alone.__context__ = context  # raising it here made the group its context
            del alone
