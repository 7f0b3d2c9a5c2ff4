"""A child and its lives.

Two facts of trio shape it. An exception that leaves a task of a nursery cancels its siblings:
so the wrapper catches all but `KeyboardInterrupt`. Cancelling a nursery unwinds its tasks in random
order: so every life has a scope of its own, shielded, that only its supervisor cancels.

A supervisor waits nearly all the time, and a dispatcher calls a reactor's handlers, while a parked
task takes 3 to 6 KiB: so such a life rests, and gets another task when there is work for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Protocol

import trio

from greenroom.actors.actor import Resting, SupervisedStart
from greenroom.actors.exit import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    ExitReason,
    crashed,
    ended_by,
    forget_frames,
    holds_interrupt,
)
from greenroom.actors.guard import call_guarded
from greenroom.actors.killable import Killable, kill
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply
from greenroom.supervisor.child_info import ChildState, Started
from greenroom.supervisor.child_spec import ChildSpec, Restart, RestingStart, SupervisorStart
from greenroom.supervisor.errors import NeverStarted
from greenroom.supervisor.inspection.cpu_usage import CpuUsage
from greenroom.supervisor.restarts import Backoff

KILL_PATIENCE = 1.0
"""Seconds that a child has to unwind past its shutdown time, before it is left behind."""
PATIENCE_A_LEVEL = 0.1
"""Additional seconds for each level below: a supervisor is left behind after its children."""


class LifeKeeper(Protocol):
    """The supervisor of a child."""

    def _life_ended(self, child: Child, life: Life) -> None:
        """Called once by each life, in its last moment."""

    def _run_life(self, life: Life, resting: Resting | None) -> None:
        """Start a task that runs the life."""

    def _place_life(self, life: Life, place: Callable[[Life], None]) -> None:
        """Bring the life up in a copy of the supervisor's context, as a task would."""


class Life(SupervisedStart, Killable):
    """One incarnation: a task. It is the `task_status` of its own start function.

    A supervisor's, and a reactor's, may `rest`: it has no task then, until there is work for one.

    It refers to its child and supervisor only until it ends, so that no reference cycle is left
    for the garbage collector.
    """

    __slots__ = (
        "_child",
        "_gone",
        "_keeper",
        "_resting",
        "_waits",
        "callers",
        "deadline",
        "doom",
        "is_up",
        "path",
        "reason",
        "scope",
        "since",
        "up",
        "usage",
        "value",
    )

    def __init__(self, child: Child, keeper: LifeKeeper, path: str) -> None:
        self.path = path
        self.callers = child.callers
        self._child: Child | None = child
        self._keeper: LifeKeeper | None = keeper
        self._waits: tuple[trio.CancelScope, ...] = ()
        self._gone: trio.Event | None = None  # made for the first that waits
        self._resting: Resting | None = None
        self.scope: trio.CancelScope | None = None
        self.up: Reply[object] = Reply()
        self.is_up = False
        self.since = 0.0
        self.deadline: float | None = None
        self.value: object = None
        self.doom: ExitReason | None = None
        self.reason: ExitReason | None = None
        self.usage: CpuUsage | None = None

    def begin(self) -> None:
        """Bring the child up: at once if its start can, or else in a task."""
        assert self._child is not None, "a life that begins knows its child"
        assert self._keeper is not None, "a life that begins knows its supervisor"
        start = self._child.spec.start
        if isinstance(start, SupervisorStart) and start.place is not None:
            self._keeper._place_life(self, start.place)
        else:
            self._start_task(None)

    def place(self, place: Callable[[Life], None]) -> None:
        """Bring the child up at once, in a context of its own."""
        current_life.set(self)
        place(self)

    def _start_task(self, resting: Resting | None) -> None:
        assert self._keeper is not None, "a life that goes on knows its supervisor"
        self.scope = trio.CancelScope(shield=True)
        if self.is_to_end:
            self.scope.cancel()
        self._keeper._run_life(self, resting)

    async def run(self, resting: Resting | None) -> None:
        """The child's task: it starts the child, or resumes one that rested.

        It raises only a `KeyboardInterrupt`, alone or in a group.
        Any other error is the child's crash, which its supervisor judges: an error that left this
        task would cancel the nursery of the whole tree.
        """
        assert self.scope is not None, "_start_task made it"
        assert self._child is not None, "a life that runs knows its child"
        reason, scope = NORMAL, self.scope
        current_life.set(self)
        try:
            with scope:
                await (resting.resume() if resting else self._child.spec.start(task_status=self))
            if scope.cancelled_caught:
                reason = self.doom or (SHUTDOWN if self._is_in_time() else KILLED)
        except BaseException as error:
            self._resting = None
            if holds_interrupt(error):
                reason = crashed(error)
                raise
            reason = ended_by(error, cancelled=False)  # the scope keeps its own cancellation
        finally:
            if self._resting is None:
                self._end(reason)
            self.scope = None

    @property
    def may_rest(self) -> bool:
        return self._child is not None and isinstance(self._child.spec.start, RestingStart)

    def rest(self, resting: Resting) -> None:
        self._resting = resting

    def wake(self) -> None:
        resting, self._resting = self._resting, None
        if resting is not None:
            resting.woken()
            self._start_task(resting)

    @property
    def is_to_end(self) -> bool:
        """Whether it was asked to stop."""
        return self.deadline is not None or self.doom is not None

    def started(self, value: object = None) -> None:
        """The start function's `task_status.started(value)`."""
        if self.is_up:
            raise RuntimeError("task_status.started() must be called once, and was called before")
        self.is_up = True
        self.since = trio.current_time()
        self.value = value.value if isinstance(value, Started) else value
        if self._child is not None:
            self._child.leave_to(self.value)
        self.up.succeed(value)

    @property
    def kept(self) -> Ref[object] | None:
        return self._child.kept if self._child is not None else None

    def keep(self, ref: Ref[object]) -> None:
        assert self._child is not None, "a life that runs knows its child"
        self._child.kept = ref

    @property
    def stop_asked(self) -> bool:
        return self.deadline is not None

    def cancel(self, grace: float) -> None:
        """Ask it to stop within `grace` seconds, without waiting. Only the first call counts."""
        if self.deadline is None:
            self.deadline = trio.current_time() + grace
            self._cut()

    def _cut(self) -> None:
        if self.scope is not None:
            self.scope.cancel()
        else:
            self.wake()

    def abort(self, reason: ExitReason) -> None:
        """End it for `reason`, which its supervisor judges by its restart type."""
        if self.reason is None and self.doom is None and not self.stop_asked:
            self.doom = reason
            self._cut()

    def _kill(self) -> Iterable[Killable]:
        """Its time is over: cut short what it shields, too."""
        self.cancel(0)
        assert self.deadline is not None, "cancel() came before"
        self.deadline = min(self.deadline, trio.current_time())
        for scope in self._waits:
            scope.deadline = self.deadline
        if self.reason is None and isinstance(self.value, Killable):
            return self.value._kill()
        return ()

    async def wait_gone(self) -> bool:
        """Wait until a cancelled life has ended; returns False if it has not after `KILL_PATIENCE`.

        When its time is over it is killed, with the whole subtree if it is a supervisor.
        """
        assert self.deadline is not None, "cancel() came before"
        if self.reason is None:
            with trio.CancelScope(deadline=self.deadline) as scope:
                self._waits = (*self._waits, scope)
                await self._wait_end()
        if self.reason is None:
            patience = KILL_PATIENCE + kill(self) * PATIENCE_A_LEVEL
            with trio.CancelScope(deadline=self.deadline + patience):
                await self._wait_end()
        return self.reason is not None

    async def _wait_end(self) -> None:
        if self._gone is None:
            self._gone = trio.Event()
        await self._gone.wait()

    def _is_in_time(self) -> bool:
        return self.deadline is None or trio.current_time() < self.deadline

    def _end(self, reason: ExitReason) -> None:
        child, keeper = self._child, self._keeper
        assert child is not None, "a life ends once"
        assert keeper is not None, "a life ends once"
        self.reason = child.last_end = reason
        if not self.is_up:
            early = NeverStarted(f"it ended ({reason}) before it was up")
            self.up.fail(early if reason.error is None else reason.error)
        if self._gone is not None:
            self._gone.set()
        keeper._life_ended(child, self)
        self._child = self._keeper = None
        if reason.orderly and reason.error is not None:
            forget_frames(reason.error)  # no crash report shows them
        if isinstance(self.value, Ref):
            self.value._forget_actor()


def life_that_may_rest(task_status: object) -> Life | None:
    """The life of a supervisor's start function, if it may rest."""
    return task_status if isinstance(task_status, Life) and task_status.may_rest else None


UP: Reply[object] = Reply()
"""Replaces the reply of a start whose outcome was taken: a reply that is set never changes."""
UP.succeed(None)

current_life: ContextVar[Life] = ContextVar("greenroom life")
"""The life that a task belongs to; the tasks it starts inherit it."""


MOST_CALLERS = 10


def callers_here() -> tuple[str, ...]:
    """The callers of a `start_child` in this task (Elixir: `$callers`): the path of the child that
    the task belongs to, then the callers that had that child started. Empty outside the tree."""
    life = current_life.get(None)
    return (life.path, *life.callers)[:MOST_CALLERS] if life is not None else ()


class Child:
    """A place among a supervisor's children: a spec, and the life that fills it at the moment."""

    __slots__ = (
        "callers",
        "failures",
        "kept",
        "last_end",
        "life",
        "restart",
        "restarting",
        "restarts",
        "spec",
    )

    def __init__(self, spec: ChildSpec, restart: Restart, callers: tuple[str, ...] = ()) -> None:
        self.callers = callers
        self.life: Life | None = None
        self.restarting = False
        self.restarts = 0
        self.failures = 0
        self.last_end = SHUTDOWN
        self.kept: Ref[object] | None = None
        self.take(spec, restart)

    def take(self, spec: ChildSpec, default: Restart) -> None:
        """Use this spec from now on."""
        self.spec = spec
        self.restart = spec.restart or default

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def state(self) -> ChildState:
        """A life that has just ended counts as running until its supervisor has handled the end."""
        if self.restarting:
            return ChildState.RESTARTING
        if self.life is None:
            return ChildState.STOPPED
        if self.life.stop_asked:
            return ChildState.STOPPING
        return ChildState.RUNNING if self.life.is_up else ChildState.STARTING

    @property
    def is_active(self) -> bool:
        """Whether it is up and alive, even if its supervisor does not know its end yet
        (supervisor.erl, count_child/2)."""
        life = self.life
        return life is not None and life.reason is None and self.state is ChildState.RUNNING

    @property
    def value(self) -> object:
        """The value that the present life started with; None if there is no life."""
        return self.life.value if self.life is not None else None

    def next_delay(self) -> float:
        """Seconds to wait before the next start, now that its life has ended."""
        backoff = self.spec.backoff
        if backoff is None:
            return 0.0
        life = self.life
        if life is not None and life.is_up:
            lived = trio.current_time() - life.since
            self.failures = 0 if lived >= backoff.reset_after else self.failures
        self.failures += 1
        return _drawn_delay(backoff, self.failures)

    def cancel(self) -> None:
        """Ask the present life to stop, and cancel a restart that is due."""
        self.restarting = False
        if self.life is not None:
            self.life.cancel(self.spec.grace)

    def leave_to(self, heir: object) -> None:
        """A new life is up: fail a mailbox that an earlier spec kept, unless the heir has it."""
        if self.kept is not heir:
            self.close()

    def close(self) -> None:
        """No restart follows: fail what waits in a kept mailbox."""
        kept, self.kept = self.kept, None
        if kept is not None:
            kept._close(self.last_end)


def _drawn_delay(backoff: Backoff, failures: int) -> float:
    """The delay, or the longest one if the program's `draw` fails or is not from 0 up to 1."""
    delays: list[float] = []
    what = "Backoff.draw() failed: the longest delay is used"
    call_guarded(what, lambda: delays.append(backoff.delay(failures)))
    return delays[0] if delays and 0 <= delays[0] <= backoff.limit else backoff.limit
