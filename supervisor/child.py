"""A child and its lives.

Facts of trio this stands on: an exception that leaves a nursery's task cancels the siblings, so
the wrapper catches all but `KeyboardInterrupt`; cancelling a nursery unwinds its tasks in random
order, so every life has its own scope, shielded from the outside, that only its supervisor cancels.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Protocol

import attrs
import trio

from greenroom.actors.actor import SupervisedStart
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
from greenroom.supervisor.child_spec import ChildSpec, Restart
from greenroom.supervisor.errors import NeverStarted
from greenroom.supervisor.inspection.cpu_usage import CpuUsage
from greenroom.supervisor.restarts import Backoff

KILL_PATIENCE = 1.0
"""Seconds a child has to unwind once its shutdown time is over, before it is left behind."""
PATIENCE_A_LEVEL = 0.1
"""Seconds more for each level below: a supervisor is given up after its children."""


class ChildState(enum.Enum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    RESTARTING = "restarting"


@attrs.frozen
class Started:
    """Given to `task_status.started()`, it tells the caller more than the value (OTP: `Info`).

    `start_child` and `restart_child` return the whole; the supervisor itself knows the value only.
    """

    value: object
    info: object


class LifeKeeper(Protocol):
    """Whose child lives: a supervisor."""

    def _life_ended(self, child: Child, life: Life) -> None:
        """Called once by each life, in its last moment."""


class Life(SupervisedStart, Killable):
    """One incarnation: a task. It is the `task_status` of its own start function.

    It knows its child and supervisor only until it ends, so that nothing it leaves behind waits
    for the garbage collector.
    """

    __slots__ = (
        "_child",
        "_keeper",
        "_waits",
        "callers",
        "deadline",
        "doom",
        "gone",
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
        self.scope = trio.CancelScope(shield=True)
        self.up: Reply[object] = Reply()
        self.gone = trio.Event()
        self.is_up = False
        self.since = 0.0
        self.deadline: float | None = None
        self.value: object = None
        self.doom: ExitReason | None = None
        self.reason: ExitReason | None = None
        self.usage: CpuUsage | None = None

    async def run(self) -> None:
        """The child's task. Only a `KeyboardInterrupt`, alone or in a group, gets out of it.

        Whatever else the child raises is its crash and its supervisor's to judge: an error that
        left this task would cancel the nursery of the whole tree.
        """
        assert self._child is not None, "a life that runs knows its child"
        reason = NORMAL
        current_life.set(self)
        try:
            with self.scope:
                await self._child.spec.start(task_status=self)
            if self.scope.cancelled_caught:
                reason = self.doom or (SHUTDOWN if self._is_in_time() else KILLED)
        except BaseException as error:
            if holds_interrupt(error):
                reason = crashed(error)
                raise
            reason = ended_by(error, cancelled=False)  # the scope keeps its own cancellation
        finally:
            self._end(reason)

    def started(self, value: object = None) -> None:
        """The start function's `task_status.started(value)`."""
        if self.is_up:
            raise RuntimeError("started() was called before, and may be called once")
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
        """Ask it to stop, in `grace` seconds, without waiting. The first asking counts."""
        if self.deadline is None:
            self.deadline = trio.current_time() + grace
            self.scope.cancel()

    def abort(self, reason: ExitReason) -> None:
        """End it for `reason`, which its supervisor then judges by its restart type."""
        if self.reason is None and self.doom is None and not self.stop_asked:
            self.doom = reason
            self.scope.cancel()

    def _kill(self) -> Iterable[Killable]:
        """Its time is over: leave it nothing that a shield protects."""
        self.cancel(0)
        assert self.deadline is not None, "cancel() came before"
        self.deadline = min(self.deadline, trio.current_time())
        for scope in self._waits:
            scope.deadline = self.deadline
        if self.reason is None and isinstance(self.value, Killable):
            return self.value._kill()
        return ()

    async def wait_gone(self) -> bool:
        """Wait until a cancelled life has ended; False when it outlived all patience.

        When its time is over it is killed, which takes a supervisor's whole subtree down.
        """
        assert self.deadline is not None, "cancel() came before"
        if not self.gone.is_set():
            with trio.CancelScope(deadline=self.deadline) as scope:
                self._waits = (*self._waits, scope)
                await self.gone.wait()
        if not self.gone.is_set():
            patience = KILL_PATIENCE + kill(self) * PATIENCE_A_LEVEL
            with trio.CancelScope(deadline=self.deadline + patience):
                await self.gone.wait()
        return self.gone.is_set()

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
        self.gone.set()
        keeper._life_ended(child, self)
        self._child = self._keeper = None
        if reason.orderly and reason.error is not None:
            forget_frames(reason.error)  # no crash report is to show them
        if isinstance(self.value, Ref):
            self.value._forget_actor()


current_life: ContextVar[Life] = ContextVar("greenroom life")
"""The life a task belongs to; tasks it starts inherit it."""


MOST_CALLERS = 10


def callers_here() -> tuple[str, ...]:
    """Who asks for a child in this task: the path of the child it belongs to, and who had asked
    for that one, and so on (Elixir: `$callers`). Empty outside of the tree."""
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
        """Live by this spec from now on."""
        self.spec = spec
        self.restart = spec.restart or default

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def state(self) -> ChildState:
        """A life that just ended still counts as running until its supervisor has dealt with it."""
        if self.restarting:
            return ChildState.RESTARTING
        if self.life is None:
            return ChildState.STOPPED
        if self.life.stop_asked:
            return ChildState.STOPPING
        return ChildState.RUNNING if self.life.is_up else ChildState.STARTING

    @property
    def is_active(self) -> bool:
        """Up, and alive whatever its supervisor has heard of (supervisor.erl, count_child/2)."""
        life = self.life
        return life is not None and life.reason is None and self.state is ChildState.RUNNING

    @property
    def value(self) -> object:
        """What the present life started with; None while there is none."""
        return self.life.value if self.life is not None else None

    def next_delay(self) -> float:
        """Seconds to leave it down, now that its life has ended once more."""
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
        """Ask the present life to stop, and call off a restart that is due."""
        self.restarting = False
        if self.life is not None:
            self.life.cancel(self.spec.grace)

    def leave_to(self, heir: object) -> None:
        """A new life is up: a mailbox that an earlier spec kept fails unless it is the heir's."""
        if self.kept is not heir:
            self.close()

    def close(self) -> None:
        """No restart will follow: what waits in a mailbox that outlived its actor fails."""
        kept, self.kept = self.kept, None
        if kept is not None:
            kept._close(self.last_end)


def _drawn_delay(backoff: Backoff, failures: int) -> float:
    """The delay, or the longest one if the program's `draw` fails or draws what is no share."""
    delays: list[float] = []
    what = "Backoff.draw() failed: the longest delay is used"
    call_guarded(what, lambda: delays.append(backoff.delay(failures)))
    return delays[0] if delays and 0 <= delays[0] <= backoff.limit else backoff.limit
