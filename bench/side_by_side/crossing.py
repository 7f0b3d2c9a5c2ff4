"""Runs that emit at once in a runtime beside an asyncio loop: from tasks of trio, or of asyncio.

`python -m side_by_side.counting side_by_side.crossing trio 100 10` counts what that takes.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Final

import trio

import greenroom
from greenroom import aio

SETTINGS: Final = greenroom.Settings(
    journal=":memory:", secret="a secret of the benchmark, 32 bytes"
)
TRIO, ASYNCIO = "trio", "asyncio"
WARM: Final = 3
"""Emits of each run before any is counted."""


async def emit(run: greenroom.Run | aio.Run, times: int) -> None:
    for _ in range(times):
        await run.partial_result(text="Some fifty characters, as a piece of an answer has")


async def emit_on_trio(runs: Iterable[greenroom.Run], times: int) -> None:
    async with trio.open_nursery() as nursery:
        for run in runs:
            nursery.start_soon(emit, run, times)


async def emit_on_asyncio(runs: Iterable[aio.Run], times: int) -> None:
    await asyncio.gather(*(emit(run, times) for run in runs))


async def _emit(world: str, runs: Sequence[aio.Run], times: int, runtime: aio.Runtime) -> None:
    if world == TRIO:
        far = [run._far for run in runs]
        await runtime.call(lambda _: emit_on_trio(far, times))
    else:
        await emit_on_asyncio(runs, times)


async def _main(world: str, callers: int, times: int) -> None:
    async with aio.open_runtime(SETTINGS) as runtime, AsyncExitStack() as stack:
        names = [f"user-{each}" for each in range(callers)]
        runs = [await stack.enter_async_context(runtime.run(user=each)) for each in names]
        await _emit(world, runs, WARM, runtime)
        signal.raise_signal(signal.SIGUSR1)
        await _emit(world, runs, times, runtime)
        signal.raise_signal(signal.SIGUSR1)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
