"""The dynamic supervisor: many children of a kind, each on its own (Elixir's DynamicSupervisor).

Children start in parallel, in the tasks of their callers, so a slow start delays no other. There is
no loop: below another supervisor it has a task only while it ends.
"""

from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar, cast

import attrs
import outcome
import trio

from greenroom.actors.exit import ended_by
from greenroom.actors.reply import ReplyOutcome
from greenroom.actors.text.safe import is_a
from greenroom.actors.timers import alarm_clock
from greenroom.supervisor.child import UP, Child, Life, callers_here, life_that_may_rest
from greenroom.supervisor.child_spec import ChildSpec, Restart, Shutdown, SupervisorStart
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.errors import (
    Ignore,
    InvalidChildSpec,
    RestartIntensityExceeded,
    StartFailed,
    TooManyChildren,
)
from greenroom.supervisor.flags import check_child_specs, check_flags
from greenroom.supervisor.nursery.tree_nursery import open_root, run_in_tree
from greenroom.supervisor.restarts import USUAL, Backoff, Intensity
from greenroom.supervisor.strategy import AutoShutdown, Strategy
from greenroom.supervisor.supervisor_ref import SupervisorRef, parent

V = TypeVar("V")


@attrs.frozen
class DynamicSupervisor:
    """The definition of a dynamic supervisor; `run` is a start function."""

    name: str
    max_children: float = attrs.field(default=math.inf, kw_only=True)
    intensity: Intensity = attrs.field(default=USUAL, kw_only=True)
    crash_log: CrashLog | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_flags(self.name, Strategy.ONE_FOR_ONE, self.intensity, AutoShutdown.NEVER)
        if not (isinstance(self.max_children, int | float) and self.max_children >= 0):
            raise InvalidChildSpec(
                f"max_children must be a number, 0 or more, not {self.max_children!r}"
            )

    async def run(
        self, *, task_status: trio.TaskStatus[DynamicSupervisorRef] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run until cancelled. Raises `RestartIntensityExceeded`, all children stopped before."""
        await run_in_tree(self._live, task_status)

    def place(self, task_status: trio.TaskStatus[DynamicSupervisorRef]) -> None:
        """Bring it up as a child that rests, without a task."""
        above = parent()
        DynamicSupervisorRef(self, above._nursery, above)._come_up_at_rest(task_status)

    async def _live(
        self,
        nursery: trio.Nursery,
        parent: SupervisorRef | None,
        task_status: trio.TaskStatus[DynamicSupervisorRef],
    ) -> None:
        await DynamicSupervisorRef(self, nursery, parent)._live(task_status)


def open_dynamic_supervisor(
    name: str,
    *,
    max_children: float = math.inf,
    intensity: Intensity | None = None,
    crash_log: CrashLog | None = None,
) -> AbstractAsyncContextManager[DynamicSupervisorRef]:
    """Run a dynamic supervisor as a tree's root for the length of a block, as `open_supervisor`.

    Leaving the block stops its children. A root that gives up cancels the block and raises
    `RestartIntensityExceeded` out of it.
    """
    root = DynamicSupervisor(
        name,
        max_children=max_children,
        intensity=intensity or USUAL,
        crash_log=crash_log,
    )
    return open_root(root._live)


def dynamic_supervisor_child(
    id: str,  # noqa: A002 - supervisor(3)'s name for it
    *,
    max_children: float = math.inf,
    intensity: Intensity | None = None,
    restart: Restart | None = None,
    shutdown: float | Shutdown = Shutdown.INFINITY,
    significant: bool = False,
    backoff: Backoff | None = None,
) -> ChildSpec[DynamicSupervisorRef]:
    """A spec for a dynamic supervisor; its value is a `DynamicSupervisorRef`."""
    supervisor = DynamicSupervisor(id, max_children=max_children, intensity=intensity or USUAL)
    start = SupervisorStart(supervisor.run, supervisor.place)
    return ChildSpec(id, start, restart, shutdown, significant, kind="supervisor", backoff=backoff)


class DynamicSupervisorRef(SupervisorRef):
    """A running `DynamicSupervisor`. A child that ended for good leaves nothing behind."""

    __slots__ = ("_end", "_gave_up", "max_children")
    default_restart = Restart.TEMPORARY
    strategy_name = "dynamic"

    def __init__(
        self, definition: DynamicSupervisor, nursery: trio.Nursery, parent: SupervisorRef | None
    ) -> None:
        super().__init__(
            definition.name,
            intensity=definition.intensity,
            nursery=nursery,
            parent=parent,
            crash_log=parent._crash_log if parent else definition.crash_log or CrashLog(),
        )
        self.max_children: float = definition.max_children
        self._gave_up: RestartIntensityExceeded | None = None
        self._end: trio.Event | None = None

    async def start_child(self, spec: ChildSpec[V]) -> V:
        """Start a child and wait until it is up; returns its started value.

        A `Started` whole; None when its start raised `Ignore`. Raises `StartFailed` with the true
        error as cause, `AlreadyStarted`, `AlreadyPresent` (it waits for its restart),
        `TooManyChildren`, `SupervisorStopped`. Cancelled while it waits, it takes the child along,
        as `nursery.start` does, within the child's shutdown time.
        """
        child = self._admit(spec)
        life = self._spawn(child)
        try:
            up = await life.up.wait_outcome()
        except BaseException:
            life.cancel(spec.grace)
            self._see_off(child)
            raise
        life.up = UP
        if isinstance(up, outcome.Value):
            return cast(V, up.value)
        if is_a(up.error, Ignore):
            return cast(V, None)
        raise StartFailed(self.path, spec.id, up.error)

    def start_child_soon(self, spec: ChildSpec) -> None:
        """Start a child without waiting; a start that fails is reported like a crash.

        Raises `AlreadyStarted`, `AlreadyPresent`, `TooManyChildren`, `SupervisorStopped`.
        """
        child = self._admit(spec)
        self._spawn(child).up.then(partial(self._report_failed, child))

    def _report_failed(self, child: Child, up: ReplyOutcome[object]) -> None:
        """Report a start that failed: it has no caller who would learn of it."""
        wanted = self._stopping or (child.life is not None and child.life.stop_asked)
        if isinstance(up, outcome.Error) and not (wanted or is_a(up.error, Ignore)):
            self._report(child, ended_by(up.error, cancelled=False), "start")

    async def terminate_child(self, id: str) -> None:  # noqa: A002 - supervisor(3)'s name for it
        """Stop a child, wait until it is gone, forget it.

        Raises `NoSuchChild`, `SupervisorStopped`, or `ChildLeftBehind` when it ignores its
        cancellation. A caller that is cancelled while it waits withdraws nothing: the shutdown
        time still holds.
        """
        self._check_open()
        child = self._find(id)
        child.cancel()
        try:
            left_behind = await self._await_end(child)
        except BaseException:
            self._see_off(child)
            raise
        self._forget(child)
        if left_behind is not None:
            raise left_behind

    def _see_off(self, child: Child) -> None:
        """Enforce the shutdown time of a cancelled child whose caller has gone."""
        if not self._stopping:  # otherwise the supervisor waits for it already
            name = f"{self.path}/{child.id} (ending)"
            self._start_task(name, self._wait_off, child)

    async def _wait_off(self, child: Child) -> None:
        with trio.CancelScope(shield=True):
            await self._await_end(child)
        self._forget(child)

    def _admit(self, spec: ChildSpec) -> Child:
        self._check_open()
        if not isinstance(spec, ChildSpec) or spec.significant:
            check_child_specs([spec], AutoShutdown.NEVER, supervisor=self.name)
        self._check_absent(spec.id)
        if len(self._children) >= self.max_children:
            raise TooManyChildren(f"{self.path!r} has {self.max_children} children already")
        child = Child(spec, self.default_restart, callers_here())
        self._children[spec.id] = child
        return child

    async def _live(self, task_status: trio.TaskStatus[DynamicSupervisorRef]) -> None:
        self._life = life_that_may_rest(task_status)
        await self._orderly(self._begin(task_status))

    def _come_up_at_rest(self, task_status: trio.TaskStatus[DynamicSupervisorRef]) -> None:
        self._life = life_that_may_rest(task_status)
        self._rest()
        self._come_up(task_status)

    async def _begin(self, task_status: trio.TaskStatus[DynamicSupervisorRef]) -> None:
        self._come_up(task_status)
        await self._work()

    async def _work(self) -> None:
        """Wait for the end: it is cancelled, or gives up."""
        while self._gave_up is None:
            if self._may_rest():
                return self._rest()
            self._end = trio.Event()
            await self._end.wait()
        raise self._gave_up

    async def _stop_children(self) -> None:
        """Stop them all at once: that takes as long as the slowest."""
        for child in self._children.values():
            child.cancel()
        for child in sorted(self._children.values(), key=_deadline):
            await self._await_end(child)
            self._forget(child)

    def _life_ended(self, child: Child, life: Life) -> None:
        super()._life_ended(child, life)
        if child.life is not life:
            return
        if life.stop_asked or not self._is_to_restart(child, life):
            self._report_end(child, life)
            self._forget(child)
        else:
            self._restart(child, life)

    def _is_to_restart(self, child: Child, life: Life) -> bool:
        """By its restart type; but a first start that fails is reported to its caller.

        A restart that is declined ends the child (OTP's simple_one_for_one_restart_ignore).
        """
        assert life.reason is not None, "called when a life has ended"
        first = child.restarts == 0 and not life.is_up
        error = life.reason.error
        declined = not life.is_up and error is not None and is_a(error, Ignore)
        return not (first or declined) and child.restart.follows(life.reason)

    def _restart(self, child: Child, life: Life) -> None:
        assert life.reason is not None, "called when a life has ended"
        report = self._report(child, life.reason, "crash" if life.is_up else "restart", life.value)
        too_many = self._count_restart(child, report)
        if too_many is None:
            self._spawn_after(child, child.next_delay())
        elif self._gave_up is None:
            self._gave_up = too_many
            if self._end is not None:
                self._end.set()
            self._wake()

    def _spawn_after(self, child: Child, delay: float) -> None:
        if not delay:
            self._spawn(child)
            return
        child.restarting = True
        child.life = None
        alarm_clock().set(delay, partial(self._spawn_if_wanted, child))

    def _spawn_if_wanted(self, child: Child) -> None:
        """Called by the alarm clock: the child or the supervisor may have ended in the meantime."""
        if self._children.get(child.id) is child and not self._stopping:
            self._spawn(child)

    def _forget(self, child: Child) -> None:
        child.close()
        if self._children.get(child.id) is child:
            del self._children[child.id]


def _deadline(child: Child) -> float:
    """When it must have ended: the supervisor waits first for the child whose time ends first."""
    deadline = child.life.deadline if child.life is not None else None
    return deadline if deadline is not None else 0.0
