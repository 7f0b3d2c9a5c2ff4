"""Agents under asyncio: each run of a coroutine function is a task on the host's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import attrs
import trio

from greenroom.aio.host_loop import HostLoop
from greenroom.aio.run import AioRun
from greenroom.blocking.run import BlockingRun
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.run import Run
from greenroom.portal.call import Lane

AioAgent: TypeAlias = (
    Callable[[AioRun, JSON], Awaitable[None]] | Callable[[BlockingRun, JSON], None]
)
"""An agent under asyncio: a coroutine function, whose runs are tasks on the loop that opened the
runtime, or a plain function, whose runs have a thread each."""


@attrs.define(slots=False)  # it has a declaration
class LoopAgent:
    """Awaits `function(run, said)` in a task on the loop.

    When the run is cut the task is cancelled. Its end ends the run; a task that other code cancels
    ends it as cancelled.
    """

    host: HostLoop
    function: Callable[[AioRun, JSON], Awaitable[None]]

    async def __call__(self, run: Run, said: JSON) -> None:
        """The agent, as the runtime knows it."""
        face = AioRun(run, Lane(self.host.border))
        try:
            await self.host.run(partial(self.function, face, said))
        except asyncio.CancelledError:
            run.interrupt()
            await trio.lowlevel.checkpoint()
