"""The tasks that run calls. One that has ended its call waits for another: that costs a third of
a new task and its cancel scope.
"""

from __future__ import annotations

from contextvars import Context
from typing import Final, Protocol

import trio

MOST_IDLE: Final = 256
"""Tasks that may wait for a call. The rest end."""


class Work(Protocol):
    """A call, as its task knows it (`Call`)."""

    @property
    def context(self) -> Context:
        """That of its caller."""
        ...

    async def run(self, scope: trio.CancelScope) -> None:
        """Run it; `scope` is what interrupts it."""


class Workers:
    """The tasks of a nursery that run calls, in the trio thread."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._idle: list[_Worker] = []

    def start(self, work: Work) -> None:
        """Run it in a task that waits, or in a new one. Raises `RuntimeError` if the nursery is
        closed."""
        if self._idle:
            self._idle.pop().take(work)
        else:
            work.context.run(self._nursery.start_soon, _Worker(self, work).run)

    def wait(self, worker: _Worker) -> bool:
        """The worker has no call: whether it is to wait for one."""
        if len(self._idle) >= MOST_IDLE:
            return False
        self._idle.append(worker)
        return True

    def forget(self, worker: _Worker) -> None:
        """It is cancelled while it waits."""
        self._idle.remove(worker)


class _Worker:
    """One task, in one scope. A scope that was cancelled serves no other call."""

    def __init__(self, workers: Workers, work: Work) -> None:
        self._workers = workers
        self._work: Work | None = work
        self._task: trio.lowlevel.Task | None = None
        self._empty = Context()

    def take(self, work: Work) -> None:
        assert self._task is not None, "it waits"
        self._work, self._task.context = work, work.context
        trio.lowlevel.reschedule(self._task)

    async def run(self) -> None:
        self._task = trio.lowlevel.current_task()
        with trio.CancelScope() as scope:
            while self._work is not None:
                await self._work.run(scope)
                self._work = None
                if scope.cancel_called or not self._workers.wait(self):
                    return
                self._task.context = self._empty  # nothing of the caller's is kept
                await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._workers.forget(self)
        return trio.lowlevel.Abort.SUCCEEDED


async def run_alone(work: Work) -> None:
    """Run it in this task."""
    with trio.CancelScope() as scope:
        await work.run(scope)
