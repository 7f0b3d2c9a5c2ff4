"""What every running supervisor has: a place in the tree, children, a restart window.

The tasks of all children live in the nursery of the root, not in one nursery per supervisor: so a
task that ignores its cancellation delays only the end of the whole tree.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import Context, ContextVar, copy_context
from functools import partial
from threading import get_ident
from types import MappingProxyType
from typing import Self, TypeVar, overload

import trio

from greenroom.actors.actor import Actor, Resting
from greenroom.actors.exit import (
    KILLED,
    Callbacks,
    ExitKind,
    ExitReason,
    call_each,
    ended_by,
    enrol,
    wait_for_end,
)
from greenroom.actors.killable import Killable
from greenroom.actors.reactors.own_thread import check_thread
from greenroom.actors.ref import Ref
from greenroom.actors.text.safe import is_a
from greenroom.supervisor.child import Child, Life
from greenroom.supervisor.child_info import ChildCounts, ChildInfo, ChildState
from greenroom.supervisor.child_spec import ChildSpec, Restart, Shutdown
from greenroom.supervisor.crash.actor_note import actor_of, note_actor
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.crash.crash_report import CrashReport, ReportContext
from greenroom.supervisor.errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildLeftBehind,
    ChildNotRunning,
    NoSuchChild,
    RestartIntensityExceeded,
    SupervisorError,
    SupervisorStopped,
    UnexpectedChild,
)
from greenroom.supervisor.restarts import Intensity, RestartWindow

MOST_NAMED = 100
"""The number of crashes that a supervisor names when it gives up: the last in its window."""

M = TypeVar("M")
V = TypeVar("V")

_parent: ContextVar[SupervisorRef] = ContextVar("greenroom supervisor")


def parent() -> SupervisorRef:
    """The supervisor whose child this task belongs to.

    For start functions and actor factories: `parent().child("outbox")` is the sibling that
    started before. Raises `SupervisorError` in a task that no supervisor started.
    """
    ref = _parent.get(None)
    if ref is None:
        raise SupervisorError(
            "parent() must be called in a task that a supervisor started",
            advice="call it in a start function or an actor's factory",
        )
    return ref


class SupervisorRef(Resting, Killable):
    """A running supervisor. Reading it sends no message.

    `path` names it in the whole tree: `root/users`. `parent` is None at the root.
    """

    __slots__ = (
        "__weakref__",
        "_children",
        "_context",
        "_costly_ends",
        "_crash_log",
        "_killed",
        "_left_behind",
        "_life",
        "_nursery",
        "_stopping",
        "_thread",
        "_up_since",
        "_when_stopped",
        "_window",
        "exit_reason",
        "intensity",
        "name",
        "parent",
        "path",
    )
    default_restart = Restart.PERMANENT
    strategy_name: str

    def __init__(
        self,
        name: str,
        *,
        intensity: Intensity,
        nursery: trio.Nursery,
        parent: SupervisorRef | None,
        crash_log: CrashLog,
    ) -> None:
        self.name: str = name
        self.parent: SupervisorRef | None = parent
        self.path: str = f"{parent.path}/{name}" if parent else name
        self.intensity: Intensity = intensity
        self._nursery = nursery
        self._thread: int = parent._thread if parent else get_ident()
        self._crash_log = crash_log
        self._window = RestartWindow(intensity)
        self._costly_ends: Sequence[CrashReport] = ()
        self._children: dict[str, Child] = {}
        self._left_behind: dict[Life, str] | None = None
        self._context = copy_context()
        self._context.run(_parent.set, self)
        self._stopping = self._killed = False
        self._life: Life | None = None
        self._when_stopped: Callbacks | None = None
        self.exit_reason: ExitReason | None = None
        self._up_since: float | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}{' (stopped)' if self._stopping else ''}>"

    # ---- reading -------------------------------------------------------------------------

    @overload
    def child(self, id: ChildSpec[V], /) -> V: ...
    @overload
    def child(self, id: str, kind: type[Actor[M]]) -> Ref[M]: ...
    @overload
    def child(self, id: str, kind: type[V]) -> V: ...
    @overload
    def child(self, id: str) -> object: ...
    def child(self, id: str | ChildSpec[V], kind: type[object] = object) -> object:  # noqa: A002
        """The value that the child's present life started with: a `Ref`, a supervisor's ref, None.

        `kind` is the class of the value, or of the actor behind a `Ref`: type checkers then know
        the type, as they do if you give a spec, and a child of another class raises
        `UnexpectedChild`. Raises `NoSuchChild`, or `ChildNotRunning` while the child is stopped,
        starting or restarting.
        """
        child = self._find(id.id if isinstance(id, ChildSpec) else id)
        if child.state not in (ChildState.RUNNING, ChildState.STOPPING):
            raise ChildNotRunning(f"{child.id!r} of {self.path!r} is {child.state.value}")
        if not (isinstance(child.value, kind) or isinstance(actor_of(child.value), kind)):
            raise UnexpectedChild(self.path, child.id, child.value, kind)
        return child.value

    def children(self) -> Mapping[str, ChildState]:
        """Every child's state by id, in start order."""
        return MappingProxyType({id_: child.state for id_, child in self._children.items()})

    def which_children(self) -> list[ChildInfo]:
        return [
            ChildInfo(child.id, child.value, child.state, child.spec.kind)
            for child in self._children.values()
        ]

    def count_children(self) -> ChildCounts:
        children = self._children.values()
        supervisors = sum(child.spec.kind == "supervisor" for child in children)
        return ChildCounts(
            specs=len(children),
            active=sum(child.is_active for child in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )

    def get_child_spec(self, id: str) -> ChildSpec:  # noqa: A002 - supervisor(3)'s name for it
        """Raises `NoSuchChild`."""
        return self._find(id).spec

    def crashes(self) -> tuple[CrashReport, ...]:
        """The last crash reports of the whole tree, oldest first."""
        return self._crash_log.reports()

    @property
    def uptime(self) -> float:
        """Seconds since its children have started; 0 before that, and after its end."""
        if self._up_since is None or self.exit_reason is not None:
            return 0.0
        return trio.current_time() - self._up_since

    @property
    def stopped(self) -> bool:
        """Whether it is stopping or has ended: it takes no more children."""
        return self._stopping

    def left_behind(self) -> tuple[str, ...]:
        """The ids of children that ignore their cancellation and still run."""
        return tuple((self._left_behind or {}).values())

    async def wait_stopped(self) -> ExitReason:
        """Wait until the supervisor and all its children have ended; returns its exit reason."""
        await wait_for_end(self.when_stopped)
        assert self.exit_reason is not None, "_announce_end sets the reason first"
        return self.exit_reason

    def when_stopped(self, callback: Callable[[ExitReason], None]) -> Callable[[], None]:
        """As `Ref.when_stopped`: once the supervisor and all its children have ended."""
        check_thread(self._thread, self)
        callbacks = self._when_stopped = self._when_stopped or {}
        call_off = enrol(callbacks, callback)
        if self.exit_reason is not None:
            call_each(callbacks, self.exit_reason)
        return call_off

    @property
    def restart_budget(self) -> int:
        """The number of restarts that may follow now before the supervisor gives up."""
        return self._window.budget(trio.current_time())

    # ---- keeping children: for the two kinds of supervisor --------------------------------

    def _come_up(self, task_status: trio.TaskStatus[Self]) -> None:
        self._up_since = trio.current_time()
        task_status.started(self)

    def _find(self, id_: str) -> Child:
        child = self._children.get(id_)
        if child is None:
            raise self._no_such_child(id_)
        return child

    def _no_such_child(self, id_: str) -> NoSuchChild:
        return NoSuchChild(self.path, id_)

    def _check_absent(self, id_: str) -> None:
        """Raises `AlreadyStarted` or `AlreadyPresent`."""
        present = self._children.get(id_)
        if present is None:
            return
        restarting = present.state is ChildState.RESTARTING
        if restarting or present.state is ChildState.STOPPED:
            raise AlreadyPresent(self.path, id_, restarting=restarting)
        raise AlreadyStarted(self.path, id_, present.value)

    def _check_open(self) -> None:
        if self._stopping:
            raise SupervisorStopped(f"supervisor {self.path!r} has stopped")
        check_thread(self._thread, self)

    async def _orderly(self, work: Awaitable[None]) -> None:
        """Do the work; if it fails or is cancelled, stop the children, shielded, then announce the
        end. The reason is noted before the first checkpoint, which could replace it."""
        try:
            await work
        except BaseException as error:
            reason = ended_by(error)
            self._stopping = True
            with trio.CancelScope(shield=True):
                await self._stop_children()
            self._announce_end(reason)
            raise

    def _announce_end(self, reason: ExitReason) -> None:
        for child in self._children.values():
            child.close()
        self.exit_reason = KILLED if self._killed else reason
        self._context = Context()  # it refers to this supervisor, and nothing more is started in it
        self._life = None  # it knows this supervisor
        call_each(self._when_stopped or {}, self.exit_reason)

    def _may_rest(self) -> bool:
        """Whether its task may end while it waits: it was not asked to stop."""
        return self._life is not None and not self._life.is_to_end

    def _rest(self) -> None:
        assert self._life is not None, "it may rest"
        self._life.rest(self)

    def _wake(self) -> None:
        """There is work: start a task for it if the supervisor rests."""
        if self._life is not None:
            self._life.wake()

    async def resume(self) -> None:
        await self._orderly(self._work())

    async def _work(self) -> None:
        """Do what there is to do. Returns only to rest, if it may."""
        raise NotImplementedError

    def _kill(self) -> Iterable[Killable]:
        """Its time is over: end all below it now, in any order."""
        self._killed = True
        return [child.life for child in self._children.values() if child.life is not None]

    async def _stop_children(self) -> None:
        raise NotImplementedError

    def _spawn(self, child: Child) -> Life:
        """Begin a new life. Its task gets this supervisor's context, not the caller's."""
        path = f"{self.path}/{child.id}"
        life = child.life = Life(child, self, path)
        child.restarting = False
        life.begin()
        return life

    def _run_life(self, life: Life, resting: Resting | None) -> None:
        context = resting.context.copy() if resting and resting.context else self._context
        context.run(partial(self._nursery.start_soon, name=life.path), life.run, resting)

    def _place_life(self, life: Life, place: Callable[[Life], None]) -> None:
        self._context.copy().run(life.place, place)

    def _start_task(self, name: str, run: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a task of the tree, in this supervisor's context, not the caller's."""
        self._context.run(partial(self._nursery.start_soon, name=name), run, *args)

    def _life_ended(self, child: Child, life: Life) -> None:
        """Each life calls it once, as its last action."""
        if self._left_behind is not None:
            self._left_behind.pop(life, None)

    def _report_end(self, child: Child, life: Life) -> CrashReport | None:
        """Report a life that did not end as it should. A failed start is reported to its caller.

        The end of a child that its own spec kills (brutal_kill) is not reported.
        """
        reason = life.reason
        assert reason is not None, "called when a life has ended"
        by_spec = child.spec.shutdown is Shutdown.BRUTAL_KILL and life.stop_asked
        if not life.is_up or (reason.kind is ExitKind.KILLED and by_spec):
            return None
        unwanted = child.restart.follows(reason) and not (life.stop_asked or self._stopping)
        gave_up = reason.error is not None and is_a(reason.error, RestartIntensityExceeded)
        news = unwanted or gave_up or not reason.orderly
        context: ReportContext = "shutdown" if life.stop_asked or self._stopping else "crash"
        return self._report(child, reason, context, life.value) if news else None

    def _report(
        self, child: Child, reason: ExitReason, context: ReportContext, value: object = None
    ) -> CrashReport:
        life, factory = child.life, child.spec.recorded
        return self._crash_log.record(
            self.path,
            child.id,
            reason,
            context=context,
            callers=child.callers,
            restarts=child.restarts,
            uptime=trio.current_time() - life.since if life is not None and life.is_up else 0.0,
            budget=self.restart_budget,
            actor=note_actor(value, factory, record=factory is not None),
            led_here=partial(self._led_here, child),
        )

    def _led_here(self, child: Child, earlier: CrashReport) -> bool:
        """Whether an earlier crash restarted this child: its own, or one of a supervisor above."""
        if earlier.supervisor == self.path:
            return child.id in self._affected(earlier.child)
        return f"{self.path}/".startswith(f"{earlier.path}/")

    def _affected(self, failed: str) -> tuple[str, ...]:
        """The ids of the children that are restarted with a child."""
        return (failed,)

    def _count_restart(self, child: Child, end: CrashReport) -> RestartIntensityExceeded | None:
        """Note that `child` will be restarted; returns an error if that is one restart too many."""
        child.restarts += 1
        self._crash_log.restarts += 1
        is_bearable = self._window.record(trio.current_time())
        named = min(self._window.counted, MOST_NAMED)
        led_here = self._costly_ends[1 - named :] if named > 1 else ()
        self._costly_ends = [*led_here, end.without_live_error().without_recording()]
        if is_bearable:
            return None
        return RestartIntensityExceeded(self.path, str(self.intensity), [*led_here, end])

    async def _await_end(self, child: Child) -> ChildLeftBehind | None:
        """Wait for a cancelled child; past its time leave it behind, and return an error for it."""
        life = child.life
        if life is None:
            return None
        gone = await life.wait_gone()
        if child.life is life:
            child.life = None
        return None if gone else self._leave_behind(child, life)

    def _leave_behind(self, child: Child, life: Life) -> ChildLeftBehind:
        error = ChildLeftBehind(self.path, child.id)
        left_behind = self._left_behind = self._left_behind or {}
        if life not in left_behind:
            left_behind[life] = child.id
            self._report(child, ExitReason(ExitKind.KILLED, error), "shutdown", life.value)
        return error
