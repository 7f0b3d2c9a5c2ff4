"""A child and its lives.

Facts of trio this stands on: an exception that leaves a nursery's task cancels the siblings, so
the wrapper catches `Exception`; cancelling a nursery unwinds its tasks in random order, so every
life has its own scope, shielded from the outside, that only its supervisor cancels.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from contextvars import ContextVar

import trio

from greenroom.actors.exit import KILLED, NORMAL, SHUTDOWN, ExitReason, crashed
from greenroom.actors.reply import Reply
from greenroom.supervisor.child_spec import ChildSpec, Restart, StartFunction
from greenroom.supervisor.errors import NeverStarted
from greenroom.supervisor.usage import Usage

KILL_PATIENCE = 1.0
"""Seconds a child has to unwind once its shutdown time is over, before it is left behind."""


class ChildState(enum.Enum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    RESTARTING = "restarting"


class Life:
    """One incarnation: a task. It is the `task_status` of its own start function."""

    __slots__ = (
        "_on_end",
        "_start",
        "deadline",
        "gone",
        "is_up",
        "reason",
        "scope",
        "since",
        "up",
        "usage",
        "value",
    )

    def __init__(self, start: StartFunction, on_end: Callable[[Life], None]) -> None:
        self._start = start
        self._on_end = on_end
        self.scope = trio.CancelScope(shield=True)
        self.up: Reply[object] = Reply()
        self.gone = trio.Event()
        self.is_up = False
        self.since = 0.0
        self.deadline: float | None = None
        self.value: object = None
        self.reason: ExitReason | None = None
        self.usage: Usage | None = None

    async def run(self) -> None:
        """The child's task. Only what is no `Exception` (KeyboardInterrupt) gets out of it."""
        reason = NORMAL
        current_life.set(self)
        try:
            with self.scope:
                await self._start(task_status=self)
            if self.scope.cancelled_caught:
                reason = SHUTDOWN if self._is_in_time() else KILLED
        except Exception as error:  # noqa: BLE001 - a crash goes to the supervisor, not to siblings
            reason = crashed(error)
        except BaseException as error:
            reason = crashed(error)
            raise
        finally:
            self._end(reason)

    def started(self, value: object = None) -> None:
        """The start function's `task_status.started(value)`."""
        if self.is_up:
            raise RuntimeError("started() was called before, and may be called once")
        self.is_up = True
        self.since = trio.current_time()
        self.value = value
        self.up.succeed(value)

    @property
    def stop_asked(self) -> bool:
        return self.deadline is not None

    def cancel(self, grace: float) -> None:
        """Ask it to stop, in `grace` seconds, without waiting. The first asking counts."""
        if self.deadline is None:
            self.deadline = trio.current_time() + grace
            self.scope.cancel()

    async def wait_gone(self) -> bool:
        """Wait until a cancelled life has ended; False when it outlived all patience."""
        assert self.deadline is not None
        if not self.gone.is_set():
            with trio.CancelScope(deadline=self.deadline + KILL_PATIENCE):
                await self.gone.wait()
        return self.gone.is_set()

    def _is_in_time(self) -> bool:
        return self.deadline is None or trio.current_time() < self.deadline

    def _end(self, reason: ExitReason) -> None:
        self.reason = reason
        if not self.is_up:
            self.up.fail(reason.error or NeverStarted(f"it ended ({reason}) before it was up"))
        self.gone.set()
        self._on_end(self)


current_life: ContextVar[Life] = ContextVar("greenroom life")
"""The life a task belongs to; tasks it starts inherit it."""


class Child:
    """A place among a supervisor's children: a spec, and the life that fills it at the moment."""

    __slots__ = ("failures", "life", "restart", "restarting", "restarts", "spec")

    def __init__(self, spec: ChildSpec, restart: Restart) -> None:
        self.life: Life | None = None
        self.restarting = False
        self.restarts = 0
        self.failures = 0
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
        return backoff.delay(self.failures)

    def cancel(self) -> None:
        """Ask the present life to stop, and call off a restart that is due."""
        self.restarting = False
        if self.life is not None:
            self.life.cancel(self.spec.grace)
