"""Runs that users start wait here for their turn: the shell around `RunQueue`."""

from __future__ import annotations

import trio

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.user.run_queue import RunQueue

RUNS_AT_ONCE, RUNS_WAITING = 4, 32


class RunTurns:
    """One user's queue of runs. A place that was taken must be given up with `leave`."""

    def __init__(self, at_once: int = RUNS_AT_ONCE, waiting: int = RUNS_WAITING) -> None:
        self._queue = RunQueue(at_once, waiting)
        self._woken: dict[RunId, trio.Event] = {}

    def enter(self, run: RunId) -> None:
        """Take a place. Raises `TooManyRuns`."""
        self._queue.enter(run)

    def leave(self, run: RunId) -> None:
        """Give the place up; again is fine."""
        following = self._queue.leave(run)
        if following is not None and following in self._woken:
            self._woken[following].set()

    async def wait(self, run: RunId) -> None:
        """Until it is the run's turn; at once, without a checkpoint, if it is."""
        if self._queue.has_turn(run):
            return
        woken = self._woken[run] = trio.Event()
        try:
            await woken.wait()
        finally:
            del self._woken[run]


class WaitingRun:
    """A run that waits for its turn, as those see it who may stop it."""

    def __init__(self, run: RunId) -> None:
        self._run = run
        self.scope = trio.CancelScope()
        self.cancelled = False

    def __repr__(self) -> str:
        return f"<Run {self._run}, waiting>"

    def cancel(self) -> None:
        """The user does not want it any more."""
        self.cancelled = True
        self.scope.cancel()

    def stop(self) -> None:
        """The server stops."""
        self.scope.cancel()
