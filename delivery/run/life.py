"""The life of a run: what cuts it short, and what happens if its code does not stop."""

from __future__ import annotations

import enum
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import trio

from greenroom.actors.errors import GreenroomError
from greenroom.actors.timers import Alarm, alarm_clock
from greenroom.delivery.errors import RunStopped, RunTimedOut
from greenroom.delivery.run.failures.failure import CauseDraft, RunFailure
from greenroom.delivery.run.timeouts import GRACE_SECONDS

logger = logging.getLogger("greenroom.delivery")

END_SECONDS = 10.0
"""Seconds that emitting a run's last events may take, even if the run is cancelled."""


SERVER_STOPPED = "the server stopped the run"
STOPPED = RunFailure(
    "Stopped", SERVER_STOPPED, "lost", CauseDraft("greenroom:RunStopped", SERVER_STOPPED)
)
"""How a run failed that the server cut when it stopped."""


class Cut(enum.Enum):
    """Why a run was cut short."""

    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    LOST = "lost"


class RunLife:
    """A run's cancel scope and its two clocks: the limit, then the grace period after a cut.

    `abandon` is called if the code is still running `GRACE_SECONDS` after the cut: it is shielded
    or swallows `trio.Cancelled`, and nothing in Python could stop it.
    """

    def __init__(self) -> None:
        self.scope: trio.CancelScope = trio.CancelScope()
        self.cause: Cut | None = None
        self.limit: float = math.inf
        self._abandon: Callable[[], None] | None = None  # set while the code runs
        self._began = 0.0
        self._alarm: Alarm | None = None
        self._pauses = 0
        self._paused_at = 0.0
        self._task: trio.lowlevel.Task | None = None
        self._cut_in = ""
        self.lost_words: RunFailure = STOPPED

    def enter(self) -> None:
        """This task runs the code; the code may get stuck even before the run has begun."""
        self._task = trio.lowlevel.current_task()

    def begin(self, limit: float, abandon: Callable[[], None]) -> None:
        """Start the run's clock: it may take `limit` seconds from now on."""
        self._began = trio.current_time()
        self._abandon = abandon
        if self.cause is not None:  # cut before it began
            self._ring(GRACE_SECONDS, abandon)
        elif limit < math.inf:
            self.set_limit(limit)

    def set_limit(self, limit: float) -> None:
        """Change the limit, counted from the beginning; has no effect once the run was cut."""
        self.limit = limit
        if self._abandon is not None and self.cause is None and not self._pauses:
            left = self._began + limit - trio.current_time()
            self._ring(max(0.0, left), partial(self.cut, Cut.TIMEOUT))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock of the limit for the length of a block, in which the run waits for its
        user. Blocks may overlap."""
        self._pauses += 1
        if self._pauses == 1:
            self._paused_at = trio.current_time()
            if self.cause is None:
                self._silence()
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._began += trio.current_time() - self._paused_at
                if self.limit < math.inf:
                    self.set_limit(self.limit)

    def cut(self, cause: Cut) -> None:
        """Cancel the code; only the first cause counts."""
        if self.cause is not None:
            return
        self.cause = cause
        if cause is Cut.TIMEOUT:
            self._cut_in = self.whereabouts()
        self.scope.cancel()
        if self._abandon is not None:
            self._ring(GRACE_SECONDS, self._abandon)

    def end(self) -> None:
        """The code has left the run's block."""
        self._abandon = None
        self._silence()

    def whereabouts(self) -> str:
        """The innermost line of the agent's code that the task waits in, or the task's name."""
        if self._task is None:
            return "no task yet"
        frames = [
            (frame.f_code, line)
            for frame, line in self._task.iter_await_frames()
            if "/trio/" not in frame.f_code.co_filename
        ]
        if not frames:
            return repr(self._task.name)
        code, line = frames[-1]
        return f"{code.co_name} ({code.co_filename}:{line})"

    def raise_if_stopped(self, *, closed: bool) -> None:
        """Keep the code after the block from taking a run that was cut for a completed one.

        `closed`: the run was ended from outside. Raises `RunTimedOut` or `RunStopped`.
        """
        if closed or self.scope.cancelled_caught:
            if self.cause is Cut.TIMEOUT:
                raise RunTimedOut(self.timeout_words)
            if self.cause is Cut.LOST:
                raise RunStopped(SERVER_STOPPED)

    @property
    def timeout_words(self) -> str:
        return f"the run took longer than its limit of {self.limit:g} s"

    def timed_out(self) -> RunFailure:
        """How the run failed that was cut at its limit."""
        text = f"{self.timeout_words}; it waited in {self._cut_in}"
        kept = CauseDraft("greenroom:RunTimedOut", text)
        return RunFailure("RunTimedOut", self.timeout_words, "timeout", kept)

    def abandoned(self, run: object, cause: Cut) -> RunFailure:
        """Log that the run's code does not stop; returns how the run failed."""
        where = self.whereabouts()
        logger.error(
            "%r does not stop, %g s after it was cut (%s): its code is shielded or swallows "
            "Cancelled; it waits in %s",
            run,
            GRACE_SECONDS,
            cause.value,
            where,
        )
        text = f"cut ({cause.value}), its code did not stop within {GRACE_SECONDS:g} s: {where}"
        kept = CauseDraft("greenroom:Abandoned", text)
        if cause is Cut.LOST:
            return RunFailure("Abandoned", SERVER_STOPPED, "lost", kept)
        message = "the agent did not stop when it was cancelled"
        return RunFailure("Abandoned", message, "timeout", kept)

    def _ring(self, after: float, callback: Callable[[], None]) -> None:
        self._silence()
        self._alarm = alarm_clock().set(after, callback)

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


@contextmanager
def last_words(run: object) -> Iterator[None]:
    """Give a run `END_SECONDS` to emit events even if it is cancelled.

    An event that cannot be kept is logged and not raised, because the error that ended the block
    is the one to raise; the user actor ends a run that has no end.
    """
    with trio.CancelScope(shield=True, deadline=trio.current_time() + END_SECONDS):
        try:
            yield
        except GreenroomError as error:
            logger.warning("%r could not emit its last events: %s", run, error)
