"""The supervisor that can be run: as the root of a tree, or as the child of another."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

import attrs
import trio

from greenroom.supervisor.child_spec import ChildSpec, Restart, Shutdown, SupervisorStart
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.errors import SignificantChildrenEnded
from greenroom.supervisor.flags import SupervisorDefinition, each_of
from greenroom.supervisor.nursery.tree_nursery import open_root, run_in_tree
from greenroom.supervisor.restarts import USUAL, Backoff, Intensity
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.supervisor.strategy import AutoShutdown, Strategy
from greenroom.supervisor.supervisor_ref import SupervisorRef


@attrs.frozen
class Supervisor(SupervisorDefinition):
    """The definition of a supervisor; `run` is a start function, so it can be a child itself.

    Only the root's `crash_log` is used: every supervisor below shares it.
    """

    async def run(
        self, *, task_status: trio.TaskStatus[StaticSupervisorRef] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run until cancelled, shut down by significant children, or out of restart budget.

        Raises `StartFailed` or `RestartIntensityExceeded`, with every child stopped before; under
        a supervisor `SignificantChildrenEnded` as well, so that it counts as a shutdown.
        """
        await run_in_tree(self._live, task_status)

    async def _live(
        self,
        nursery: trio.Nursery,
        parent: SupervisorRef | None,
        task_status: trio.TaskStatus[StaticSupervisorRef],
    ) -> None:
        ref = StaticSupervisorRef(self, nursery, parent)
        try:
            await ref._live(task_status)
        except SignificantChildrenEnded:
            if parent is not None:
                raise


def open_supervisor(
    name: str,
    children: Iterable[ChildSpec] = (),
    *,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: Intensity | None = None,
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    crash_log: CrashLog | None = None,
) -> AbstractAsyncContextManager[StaticSupervisorRef]:
    """Run a tree's root for the length of a block; leaving the block stops it in order.

    Raises `StartFailed` instead of entering the block; a root that gives up cancels the block
    and raises `RestartIntensityExceeded` out of it.
    """
    root = Supervisor(
        name,
        each_of(children, name),
        strategy=strategy,
        intensity=intensity or USUAL,
        auto_shutdown=auto_shutdown,
        crash_log=crash_log,
    )
    return open_root(root._live)


def supervisor_child(
    id: str,  # noqa: A002 - supervisor(3)'s name for it
    children: Iterable[ChildSpec],
    *,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: Intensity | None = None,
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    restart: Restart | None = None,
    shutdown: float | Shutdown = Shutdown.INFINITY,
    significant: bool = False,
    backoff: Backoff | None = None,
) -> ChildSpec[StaticSupervisorRef]:
    """A spec for a supervisor; its value is a `StaticSupervisorRef`.

    Leave `shutdown` at infinity: its children's own times bound how long it takes.
    """
    supervisor = Supervisor(
        id,
        each_of(children, id),
        strategy=strategy,
        intensity=intensity or USUAL,
        auto_shutdown=auto_shutdown,
    )
    start = SupervisorStart(supervisor.run)
    return ChildSpec(id, start, restart, shutdown, significant, kind="supervisor", backoff=backoff)
