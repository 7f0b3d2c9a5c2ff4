"""The running supervisor. It starts its children in order, restarts them by its strategy, and stops
them in reverse. One loop handles ends and admin calls one by one, as OTP's supervisor does."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar, cast

import attrs
import outcome
import trio

from greenroom.actors.exit import crashed
from greenroom.actors.mailbox import Mailbox
from greenroom.actors.reply import Reply
from greenroom.actors.text.safe import is_a
from greenroom.actors.timers import alarm_clock
from greenroom.supervisor.child import (
    UP,
    Child,
    Life,
    callers_here,
    current_life,
    life_that_may_rest,
)
from greenroom.supervisor.child_info import ChildState
from greenroom.supervisor.child_spec import ChildSpec, Restart
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.errors import (
    ChildLeftBehind,
    ChildRestarting,
    ChildRunning,
    Ignore,
    NoSuchChild,
    SignificantChildrenEnded,
    StartFailed,
    SupervisorStopped,
)
from greenroom.supervisor.flags import SupervisorDefinition, check_child_specs, check_flags
from greenroom.supervisor.restarts import Intensity
from greenroom.supervisor.strategy import AutoShutdown, Strategy
from greenroom.supervisor.supervisor_ref import SupervisorRef

T = TypeVar("T")
V = TypeVar("V")


@attrs.frozen(eq=False)
class _Ended:
    """A life ended by itself."""

    child: Child
    life: Life
    report: CrashReport | None


@attrs.frozen(eq=False)
class _RestartDue:
    """The restart with this number is due; void if the child was stopped or restarted since."""

    child: Child
    number: int


@attrs.frozen(eq=False)
class _Call:
    """An admin call and the place for its answer."""

    do: Callable[[], Awaitable[object]]
    reply: Reply[object]


class StaticSupervisorRef(SupervisorRef):
    """A running `Supervisor`. Admin calls queue behind restarts that are under way.

    If a caller is cancelled while it waits, the call is carried out all the same. All calls raise
    `SupervisorStopped` if the supervisor ends first. Never await one in a start function of the
    same supervisor: it would wait for itself.
    """

    __slots__ = ("_mailbox", "auto_shutdown", "strategy", "strategy_name")

    def __init__(
        self, definition: SupervisorDefinition, nursery: trio.Nursery, parent: SupervisorRef | None
    ) -> None:
        super().__init__(
            definition.name,
            intensity=definition.intensity,
            nursery=nursery,
            parent=parent,
            crash_log=parent._crash_log if parent else definition.crash_log or CrashLog(),
        )
        self.strategy: Strategy = definition.strategy
        self.strategy_name: str = definition.strategy.value
        self.auto_shutdown: AutoShutdown = definition.auto_shutdown
        self._mailbox: Mailbox[_Ended | _RestartDue | _Call] = Mailbox()
        life = current_life.get(None)
        callers = life.callers if life is not None and parent is not None else ()
        for spec in definition.children:
            self._children[spec.id] = Child(spec, self.default_restart, callers)

    # ---- admin calls ----------------------------------------------------------------------

    async def start_child(self, spec: ChildSpec[V]) -> V:
        """Add a child after the others and start it; returns its started value.

        That is the whole `Started` if it gave one, and None if its start raised `Ignore`.
        Raises `AlreadyStarted`, `AlreadyPresent`, or `StartFailed` (and forgets the spec).
        """
        check_child_specs([spec], self.auto_shutdown, supervisor=self.name)
        callers = callers_here()
        return cast(V, await self._call(partial(self._add, spec, callers)))

    async def terminate_child(self, id: str) -> None:  # noqa: A002 - supervisor(3)'s name for it
        """Stop a child and wait until it is gone. Its spec stays, unless it is temporary.

        Does nothing to a stopped child. Raises `NoSuchChild`, or `ChildLeftBehind` if the child
        ignores its cancellation.
        """
        await self._call(partial(self._terminate, id))

    async def restart_child(self, id: str) -> object:  # noqa: A002 - supervisor(3)'s name for it
        """Start a stopped child again; returns its started value.

        Raises `NoSuchChild`, `ChildRunning`, `ChildRestarting` or `StartFailed`.
        """
        return await self._call(partial(self._start_again, id))

    async def delete_child(self, id: str) -> None:  # noqa: A002 - supervisor(3)'s name for it
        """Remove a stopped child. Raises `NoSuchChild`, `ChildRunning` or `ChildRestarting`."""
        await self._call(partial(self._delete, id))

    async def change_specs(
        self,
        specs: Iterable[ChildSpec],
        *,
        strategy: Strategy | None = None,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown | None = None,
    ) -> None:
        """Replace specs and flags, as OTP's code_change does; no child starts or stops.

        The start order is that of `specs` from now on; children that are not named keep their
        specs and come after them. The restart and shutdown of a spec hold at once, its start from
        the next start on; a new id is added as a stopped child. Raises `InvalidChildSpec`, and then
        changes nothing.
        """
        new = tuple(specs)
        flags = (strategy or self.strategy, intensity or self.intensity)
        ends = auto_shutdown or self.auto_shutdown
        check_flags(self.name, *flags, ends)
        check_child_specs(new, ends, supervisor=self.name)
        await self._call(partial(self._change, new, *flags, ends))

    async def _call(self, do: Callable[[], Awaitable[T]]) -> T:
        self._check_open()
        reply: Reply[T] = Reply()
        await self._mailbox.put(_Call(do, reply))  # type: ignore[arg-type]  # Reply[T], T any
        self._wake()
        if self._stopping:
            self._refuse_calls()
        return await reply.wait()

    async def _add(self, spec: ChildSpec, callers: tuple[str, ...]) -> object:
        self._check_absent(spec.id)
        child = self._children[spec.id] = Child(spec, self.default_restart, callers)
        try:
            return await self._start(child)
        except StartFailed:
            child.close()
            del self._children[spec.id]
            raise

    async def _terminate(self, id_: str) -> None:
        child = self._find(id_)
        left_behind = await self._stop(child)
        self._retire(child)
        if left_behind is not None:
            raise left_behind

    async def _start_again(self, id_: str) -> object:
        child = self._find_stopped(id_)
        try:
            return await self._start(child)
        except StartFailed:
            child.close()
            raise

    async def _delete(self, id_: str) -> None:
        del self._children[self._find_stopped(id_).id]

    async def _change(
        self,
        specs: tuple[ChildSpec, ...],
        strategy: Strategy,
        intensity: Intensity,
        auto_shutdown: AutoShutdown,
    ) -> None:
        self.strategy, self.strategy_name = strategy, strategy.value
        self.intensity: Intensity = intensity
        self.auto_shutdown = auto_shutdown
        self._window.change(intensity)
        old = self._children
        self._children = {spec.id: self._changed(old.pop(spec.id, None), spec) for spec in specs}
        self._children.update(old)

    def _changed(self, child: Child | None, spec: ChildSpec) -> Child:
        if child is None:
            return Child(spec, self.default_restart)
        child.take(spec, self.default_restart)
        return child

    def _no_such_child(self, id_: str) -> NoSuchChild:
        """With the id that was meant: here ids are names in a program, and few."""
        return NoSuchChild(self.path, id_, among=self._children)

    def _find_stopped(self, id_: str) -> Child:
        child = self._find(id_)
        match child.state:
            case ChildState.STOPPED:
                return child
            case ChildState.RESTARTING:
                raise ChildRestarting(self.path, id_)
            case _:
                raise ChildRunning(
                    f"{child.id!r} of {self.path!r} is running", advice="terminate_child() stops it"
                )

    # ---- the loop ---------------------------------------------------------------------------

    async def _live(self, task_status: trio.TaskStatus[StaticSupervisorRef]) -> None:
        self._life = life_that_may_rest(task_status)
        await self._orderly(self._begin(task_status))

    async def _begin(self, task_status: trio.TaskStatus[StaticSupervisorRef]) -> None:
        for child in list(self._children.values()):
            await self._start(child)
        self._come_up(task_status)
        await self._work()

    async def _work(self) -> None:
        while self._mailbox or not self._may_rest():
            await self._handle(await self._mailbox.take_all())
        self._rest()

    def _deliver(self, event: _Ended | _RestartDue) -> None:
        self._mailbox.put_owed(event)
        self._wake()

    async def _stop_children(self) -> None:
        await self._stop_all(self._children.values())
        self._refuse_calls()

    async def _handle(self, batch: deque[_Ended | _RestartDue | _Call]) -> None:
        try:
            while batch:
                await self._handle_one(batch.popleft())
        finally:
            self._mailbox.put_back(batch)

    async def _handle_one(self, event: _Ended | _RestartDue | _Call) -> None:
        match event:
            case _Call(do, reply):
                await _answer(do, reply)
            case _RestartDue(child, number) if child.restarting and child.restarts == number:
                await self._restart(child)
            case _Ended(child, life, report) if child.life is life:
                await self._ended(child, life, report)

    async def _ended(self, child: Child, life: Life, report: CrashReport | None) -> None:
        assert life.reason is not None, "called when a life has ended"
        if report is None or not child.restart.follows(life.reason):
            child.life = None
            self._retire(child)
            if child.spec.significant and self._calls_for_shutdown():
                raise SignificantChildrenEnded(self.path, child.id)
            return
        delay = self._mark_restarting(child, report)
        if delay:
            await self._stop_all(self._others_affected(child))
            self._restart_later(child, delay)
        else:
            await self._restart(child)

    def _mark_restarting(self, child: Child, report: CrashReport) -> float:
        """Count a restart; returns its delay. Raises `RestartIntensityExceeded`."""
        too_many = self._count_restart(child, report)
        if too_many is not None:
            raise too_many
        delay = child.next_delay()
        child.restarting = True
        child.life = None
        return delay

    def _restart_later(self, child: Child, delay: float) -> None:
        """Even without a delay, use the mailbox, so that other calls get their turn."""
        retry = _RestartDue(child, child.restarts)
        if delay:
            alarm_clock().set(delay, partial(self._deliver, retry))
        else:
            self._deliver(retry)

    async def _restart(self, child: Child) -> None:
        """Restart the children that the strategy names. A start that fails is tried again later,
        and counted. As in OTP, children that were stopped before start with their group.
        """
        await self._stop_all(self._others_affected(child))
        for id_ in self.strategy.affected(self._children, child.id):
            member = self._children[id_]
            if member is not child and member.restart is Restart.TEMPORARY:
                self._retire(member)
                continue
            try:
                await self._start(member)
            except StartFailed as failure:
                self._retry(member, failure)
                return

    def _others_affected(self, child: Child) -> list[Child]:
        return [self._children[id_] for id_ in self._affected(child.id) if id_ != child.id]

    def _affected(self, failed: str) -> tuple[str, ...]:
        return self.strategy.affected(self._children, failed)

    def _retry(self, child: Child, failure: StartFailed) -> None:
        assert failure.__cause__ is not None, "_start raises it from the error"
        report = self._report(child, crashed(failure.__cause__), "restart")
        self._restart_later(child, self._mark_restarting(child, report))

    async def _start(self, child: Child) -> object:
        life = self._spawn(child)
        up, life.up = await life.up.wait_outcome(), UP
        if isinstance(up, outcome.Value):
            return up.value
        child.life = None
        if not is_a(up.error, Ignore):
            raise StartFailed(self.path, child.id, up.error)
        self._retire(child)
        return None

    async def _stop(self, child: Child) -> ChildLeftBehind | None:
        child.cancel()
        return await self._await_end(child)

    async def _stop_all(self, children: Iterable[Child]) -> None:
        for child in reversed(list(children)):
            await self._stop(child)

    def _retire(self, child: Child) -> None:
        """A stopped child keeps its place, except a temporary one."""
        child.close()
        if child.restart is Restart.TEMPORARY:
            self._children.pop(child.id, None)

    def _calls_for_shutdown(self) -> bool:
        if self.auto_shutdown is not AutoShutdown.ALL_SIGNIFICANT:
            return self.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT
        return not any(
            child.spec.significant and child.state is not ChildState.STOPPED
            for child in self._children.values()
        )

    def _life_ended(self, child: Child, life: Life) -> None:
        super()._life_ended(child, life)
        report = self._report_end(child, life)
        if life.is_up and not life.stop_asked:
            self._deliver(_Ended(child, life, report))

    def _refuse_calls(self) -> None:
        for event in self._mailbox.take_all_nowait():
            if isinstance(event, _Call):
                event.reply.fail(SupervisorStopped(f"supervisor {self.path!r} has stopped"))


async def _answer(do: Callable[[], Awaitable[object]], reply: Reply[object]) -> None:
    try:
        reply.succeed(await do())
    except Exception as error:  # noqa: BLE001 - it is the caller's
        reply.fail(error)
    except BaseException:
        reply.fail(SupervisorStopped("the supervisor was stopped during this call"))
        raise
