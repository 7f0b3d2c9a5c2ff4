"""The one nursery of a tree, with the tasks of all children of all its supervisors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias, TypeVar

import trio

from greenroom.supervisor.nursery.nursery_ends import end_by_any_error
from greenroom.supervisor.supervisor_ref import SupervisorRef, _parent

R = TypeVar("R")
Live: TypeAlias = Callable[
    [trio.Nursery, SupervisorRef | None, trio.TaskStatus[R]], Awaitable[None]
]
"""Runs a supervisor in a nursery, below a parent; its ref is the started value."""

end_by_any_error()


async def run_in_tree(live: Live[R], task_status: trio.TaskStatus[R]) -> None:
    """Run a supervisor in the tree that its task belongs to, or as the root of a new tree."""
    parent = _parent.get(None)
    if parent is not None:
        return await live(parent._nursery, parent, task_status)
    with unwrapped():
        async with trio.open_nursery() as nursery:
            await live(nursery, None, task_status)
    return None


@asynccontextmanager
async def open_root(live: Live[R]) -> AsyncIterator[R]:
    """Run a supervisor as the root of a tree for the length of a block, which gets its ref.

    Leaving the block stops the tree. A root that ends by an error cancels the block and raises it.
    """
    with unwrapped():
        async with trio.open_nursery() as nursery:
            yield await nursery.start(_run_as_root, live)
            nursery.cancel_scope.cancel()


async def _run_as_root(live: Live[R], *, task_status: trio.TaskStatus[R]) -> None:
    """Use a nursery for the tree that is not the block's, which ends at another time."""
    with unwrapped():
        async with trio.open_nursery() as nursery:
            await live(nursery, None, task_status)


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise the error of a single task itself: a nursery wraps every error in a group."""
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
