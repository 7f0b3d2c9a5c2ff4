"""The dispatcher: one task in which many reactors handle their messages, turn by turn.

The word is Akka's, where a dispatcher runs many actors on few threads. A message to a reactor costs
no task switch of its own: whatever came to all of them since the last turn is handled in one.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from threading import get_ident
from typing import Protocol

import trio

from greenroom.actors.errors import ActorError
from greenroom.actors.guard import call_guarded, log_failure
from greenroom.actors.reactors.once_per_run import once_per_run
from greenroom.actors.reactors.own_thread import WrongThread

logger = logging.getLogger("greenroom.actors")

MESSAGES, SECONDS = 1024, 0.01
"""The messages that a turn handles, and the seconds it may take, before other tasks run."""

LENT = 128
"""The messages that reactors handle between two turns, in the tasks of those that hand them over:
about as long as a turn may take."""

BATCH = 256
"""The messages of one reactor in a row, before the other reactors have their turn."""


class Cell(Protocol):
    """What a dispatcher runs: a reactor's mailbox and handlers."""

    @property
    def context(self) -> Context:
        """The context of the reactor's task."""
        ...

    def react(self) -> int:
        """Handle the next batch; returns the number of messages. It must not raise."""
        ...


class TurnMeter(Protocol):
    """Measures what each reactor of a turn uses."""

    def measure(self, context: Context, react: Callable[[], int]) -> int:
        """Call `react` for the owner of the context, and return what it returns."""
        ...


class Measured:
    """Whether turns are measured, and by what."""

    __slots__ = ("by",)

    def __init__(self) -> None:
        self.by: TurnMeter | None = None


class DispatcherBusy(ActorError, trio.BusyResourceError):
    """The dispatcher runs already, in another task."""

    temporary = True


class Dispatcher:
    """Runs reactors, first come first served. `run` it in a task that outlives them.

    A turn ends when no reactor has messages, or with the batch that reaches `messages` or
    `seconds`; then other tasks of the trio run. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        *,
        messages: int = MESSAGES,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if messages < 1 or seconds <= 0:
            raise ValueError(
                "a turn must have at least 1 message and more than 0 seconds, "
                f"not messages={messages!r} and seconds={seconds!r}"
            )
        self._messages = messages
        self._seconds = seconds
        self._clock = clock
        self._due: deque[Cell] = deque()
        self._at_end: deque[Callable[[], None]] = deque()
        self._parked: trio.lowlevel.Task | None = None
        self._thread: int | None = None  # while it runs
        self._measured = Measured()
        self._lent = 0

    @property
    def runs(self) -> bool:
        """Whether a task is in `run`."""
        return self._thread is not None

    async def run(self) -> None:
        """Take one turn after the other, for ever. What a reactor raises ends only that reactor.

        Raises `DispatcherBusy` while another task runs it.
        """
        if self._thread is not None:
            raise DispatcherBusy(
                "the dispatcher runs already",
                advice="run it in one task that outlives its reactors",
            )
        self._thread = get_ident()
        self._measured = _measured_here()
        try:
            while True:
                await self._outlive_scopes()
        finally:
            self._thread = None

    async def _outlive_scopes(self) -> None:
        """Take turns until it is cancelled, or a cancel scope that a handler left open is.

        trio closes that scope with the one around it, and raises `RuntimeError` for it.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            with trio.CancelScope():
                await self._take_turns()
        except RuntimeError as error:
            log_failure(logger, error, "a handler left a cancel scope open")

    async def _take_turns(self) -> None:
        while True:
            if self._due or self._at_end:
                await trio.lowlevel.checkpoint()
            else:
                await self._park()
            self._take_turn()

    def enqueue(self, cell: Cell) -> None:
        """Let the cell react in this turn, behind those that wait already, or in the next one."""
        if self._parked is not None or self._thread != get_ident():
            self._wake()
        self._due.append(cell)

    def lend(self) -> bool:
        """Whether a reactor may handle one message now, outside of the turns. After `LENT` of them
        the next ones wait for a turn, so that they hold up other tasks no longer than that; and all
        do while CPU is metered, which is done by turns."""
        if self._lent >= LENT or self._thread != get_ident() or self._measured.by is not None:
            return False
        self._lent += 1
        return True

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when the turn ends; what it raises is logged. If a callback calls
        this, its own waits for the next turn.

        For what all reactors of a turn share, and for writes: written back to back, they let the
        readers of the other ends wake up when the turn is over, and not in the middle.
        """
        self._wake()
        self._at_end.append(callback)

    def _wake(self) -> None:
        """Called first of all, so that nothing has changed if it raises."""
        if self._thread is not None and self._thread != get_ident():
            raise WrongThread("a dispatcher")
        if self._parked is not None:
            trio.lowlevel.reschedule(self._parked)
            self._parked = None

    async def _park(self) -> None:
        self._parked = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._parked = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _take_turn(self) -> None:
        due, left, clock, meter = self._due, self._messages, self._clock, self._measured.by
        until = clock() + self._seconds
        self._lent = 0
        while due and left > 0:
            cell = due.popleft()
            left -= cell.react() if meter is None else meter.measure(cell.context, cell.react)
            if clock() >= until:
                break
        at_end = self._at_end
        for _ in range(len(at_end)):
            call_guarded("a callback at the end of a turn failed", at_end.popleft())


_measured: trio.lowlevel.RunVar[Measured] = trio.lowlevel.RunVar("greenroom turns")


@once_per_run(_measured)
def _measured_here() -> Measured:
    """What measures the turns of this trio run: dispatchers look at it with each message."""
    return Measured()


def measure_turns(meter: TurnMeter | None) -> None:
    """Let `meter` measure the reactors of this trio run from their next turns on; None ends it."""
    _measured_here().by = meter


_dispatcher: trio.lowlevel.RunVar[Dispatcher] = trio.lowlevel.RunVar("greenroom dispatcher")


@once_per_run(_dispatcher)
def default_dispatcher() -> Dispatcher:
    """The dispatcher of this trio run; the first call starts it."""
    ours = Dispatcher(clock=trio.lowlevel.current_clock().current_time)
    trio.lowlevel.spawn_system_task(ours.run, name="greenroom dispatcher")
    return ours
