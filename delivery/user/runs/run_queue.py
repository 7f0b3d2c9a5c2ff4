"""The runs that a user starts: a few run at once, the rest wait in a bounded FIFO queue.

Every run takes a place in the user's `RunTurns`, waits there for its turn as a `WaitingRun`, and
gives its place up when it ends. The order is kept by a `RunQueue`.
"""

from __future__ import annotations

from typing import Protocol

import trio

from greenroom.actors.errors import Fault
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.ids import RunId

RUNS_AT_ONCE, RUNS_WAITING = 4, 32


class TooManyRuns(DeliveryError):
    """The user has as many running and waiting runs as allowed. Nothing was kept."""

    fault = Fault.CLIENT
    temporary = True


class RunTurns:
    """One user's queue of runs. A place that was taken must be given up with `leave`.

    Once `closed`, no message of the user takes a place: the server is about to stop.
    """

    __slots__ = ("_queue", "_woken", "closed")

    def __init__(self, at_once: int = RUNS_AT_ONCE, waiting: int = RUNS_WAITING) -> None:
        self._queue = RunQueue(at_once, waiting)
        self._woken: dict[RunId, trio.Event] = {}
        self.closed: bool = False

    def __len__(self) -> int:
        """The places that are taken."""
        return len(self._queue)

    @property
    def most(self) -> int:
        """The number of places."""
        return self._queue.at_once + self._queue.waiting

    def enter(self, run: RunId) -> None:
        """Take a place. Raises `TooManyRuns`."""
        self._queue.enter(run)

    def enter_again(self, run: RunId) -> None:
        """Take a place for a run that was accepted before, whatever the limit is now."""
        self._queue.enter_again(run)

    def leave(self, run: RunId) -> None:
        """Give the place up; does nothing if that was done before."""
        following = self._queue.leave(run)
        if following is not None and following in self._woken:
            self._woken[following].set()

    async def wait(self, run: RunId) -> None:
        """Wait for the run's turn; returns at once, without a checkpoint, if it has its turn."""
        if self._queue.has_turn(run):
            return
        woken = self._woken[run] = trio.Event()
        try:
            await woken.wait()
        finally:
            del self._woken[run]


class RunQueue:
    """Places in the order in which they were taken; at most `at_once` of them have their turn."""

    __slots__ = ("_places", "at_once", "waiting")

    def __init__(self, at_once: int, waiting: int) -> None:
        self.at_once: int = at_once
        self.waiting: int = waiting
        self._places: dict[RunId, bool] = {}

    def __len__(self) -> int:
        return len(self._places)

    def enter(self, run: RunId) -> None:
        """Take the last place. Raises `TooManyRuns`."""
        if len(self._places) >= self.at_once + self.waiting:
            raise TooManyRuns(
                f"a user may have at most {self.at_once} running and {self.waiting} waiting runs",
                advice="send the message again after a run has ended",
            )
        self.enter_again(run)

    def enter_again(self, run: RunId) -> None:
        """Take the last place, whatever the limit."""
        self._places[run] = sum(self._places.values()) < self.at_once

    def has_turn(self, run: RunId) -> bool:
        return self._places.get(run, False)

    def leave(self, run: RunId) -> RunId | None:
        """Give a place up, whether or not it has its turn; returns the run that gets the turn."""
        if not self._places.pop(run, False):
            return None
        following = next((each for each, turn in self._places.items() if not turn), None)
        if following is not None:
            self._places[following] = True
        return following


class LiveRun(Protocol):
    """A run of this process that is running or waits for its turn."""

    @property
    def goes_on(self) -> bool:
        """Whether the run is taken up again if it is lost."""

    def cancel(self) -> None:
        """The user stops the run."""

    def stop(self) -> None:
        """The server stops the run."""


class WaitingRun:
    """A run that waits for its turn, and can be stopped while it does."""

    def __init__(self, run: RunId, *, goes_on: bool = False, is_again: bool = False) -> None:
        """`is_again`: the run was lost, and waits for its next attempt."""
        self.run = run
        self.goes_on = goes_on
        self.is_again = is_again
        self.scope: trio.CancelScope = trio.CancelScope()
        self.cancelled: bool = False
        self._is_hurried = False
        self._woken: trio.Event | None = None

    def __repr__(self) -> str:
        return f"<Run {self.run}, waiting>"

    async def wait(self, seconds: float) -> None:
        """Wait until the next attempt may begin, or until `hurry`."""
        if not self._is_hurried:
            self._woken = trio.Event()
            with trio.move_on_after(seconds):
                await self._woken.wait()

    def hurry(self) -> None:
        """The next attempt may begin now."""
        self._is_hurried = True
        if self._woken is not None:
            self._woken.set()

    def cancel(self) -> None:
        """The user stops the run."""
        self.cancelled = True
        self.scope.cancel()

    def stop(self) -> None:
        """The server stops the run."""
        self.scope.cancel()
