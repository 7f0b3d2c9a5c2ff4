"""What an agent under asyncio is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from greenroom.aio.run import AioRun
from greenroom.blocking.run import BlockingRun
from greenroom.delivery.events.kinds import JSON

AioAgent: TypeAlias = (
    Callable[[AioRun, JSON], Awaitable[None]] | Callable[[BlockingRun, JSON], None]
)
"""An agent under asyncio: a coroutine function, whose runs are tasks on the loop that opened the
runtime, or a plain function, whose runs have a thread each."""
