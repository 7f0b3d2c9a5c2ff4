"""Agents that are plain functions: each run of one has a thread."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from greenroom.blocking.run import BlockingRun
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.run import Run
from greenroom.portal.border import Border
from greenroom.portal.call import Lane
from greenroom.portal.errors import RunInterrupted
from greenroom.portal.interrupted import uninterrupted


@attrs.define(slots=False)  # it has a declaration
class ThreadAgent:
    """Calls `function(run, said)` in a thread.

    When the run is cut it is over for the user at once, and the thread's next call of the run
    raises `RunInterrupted`. A thread that makes none keeps its place in `limiter` until it ends.
    """

    border: Border
    limiter: trio.CapacityLimiter
    function: Callable[[BlockingRun, JSON], None]

    async def __call__(self, run: Run, said: JSON) -> None:
        """The agent, as the runtime knows it."""
        lane = Lane(self.border)
        face = BlockingRun(run, lane)
        try:
            await trio.to_thread.run_sync(
                uninterrupted,
                self.function,
                face,
                said,
                abandon_on_cancel=True,
                limiter=self.limiter,
            )
        except trio.Cancelled:
            lane.cut()
            raise
        except RunInterrupted:
            run.interrupt()
            await trio.lowlevel.checkpoint()
