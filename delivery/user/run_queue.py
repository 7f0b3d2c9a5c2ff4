"""The runs that a user starts: some at once, the others wait in order for their turn."""

from __future__ import annotations

import trio

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.ids import RunId


class TooManyRuns(DeliveryError):
    """The user has as many runs going on and waiting as one user may. Nothing was kept."""

    fault = Fault.CLIENT
    temporary = True


class RunQueue:
    """Places in the order they were taken; the first `at_once` of them have their turn."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.at_once = at_once
        self.waiting = waiting
        self._places: dict[RunId, bool] = {}

    def __len__(self) -> int:
        return len(self._places)

    def enter(self, run: RunId) -> None:
        """Take the last place. Raises `TooManyRuns`."""
        if len(self._places) >= self.at_once + self.waiting:
            raise TooManyRuns(
                f"{self.at_once} runs go on and {self.waiting} wait: no more are taken now",
                advice="say it again once one has ended",
            )
        self._places[run] = sum(self._places.values()) < self.at_once

    def has_turn(self, run: RunId) -> bool:
        return self._places.get(run, False)

    def leave(self, run: RunId) -> RunId | None:
        """Give a place up, whether it had its turn or not; whose turn it is now, if anyone's."""
        if not self._places.pop(run, False):
            return None
        following = next((each for each, turn in self._places.items() if not turn), None)
        if following is not None:
            self._places[following] = True
        return following


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
