"""What the border between asyncio and the runtime's thread costs, beside the same calls on trio.

1. An awaited emit, with `--callers` runs at once: under asyncio, and by tasks of trio.
2. `text.write(token)`, which crosses with others: in bursts, and one at a time, beside a call that
   only appends to a list: after a pause, a core takes microseconds for any call.
3. The delay of a beat in the runtime's thread while the host's loop stands still for `--blocked`
   seconds, in a `time.sleep` and in Python code.

The emits of both worlds take turns in short rounds, the first of which is not counted, so that a
busy machine slows both. The ratio is the median of those of two rounds that follow each other: of
wall time, and of the CPU time of the process. Floors: emit 1.5 times that of trio, write 5 µs, no
delay near a heartbeat.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import trio
from side_by_side.crossing import SETTINGS, emit_on_asyncio, emit_on_trio

import greenroom
from greenroom import aio

BEAT = 0.02  # seconds
TOKEN = "token "


Times = tuple[float, float]


def clocks() -> Times:
    """Wall time and CPU time of the process."""
    return time.perf_counter(), time.process_time()


def each_since(begun: Times, emitted: int) -> Times:
    """Seconds for each emit, by both clocks."""
    wall, cpu = clocks()
    return (wall - begun[0]) / emitted, (cpu - begun[1]) / emitted


async def on_trio(callers: int, times: int, runtime: greenroom.Runtime) -> Times:
    async with AsyncExitStack() as stack:
        names = [f"user-{each}" for each in range(callers)]
        runs = [await stack.enter_async_context(runtime.run(user=each)) for each in names]
        begun = clocks()
        await emit_on_trio(runs, times)
        return each_since(begun, callers * times)


async def on_asyncio(callers: int, times: int, runtime: aio.Runtime) -> Times:
    async with AsyncExitStack() as stack:
        names = [f"user-{each}" for each in range(callers)]
        runs = [await stack.enter_async_context(runtime.run(user=each)) for each in names]
        begun = clocks()
        await emit_on_asyncio(runs, times)
        return each_since(begun, callers * times)


async def emits(options: argparse.Namespace, runtime: aio.Runtime) -> None:
    pairs: list[tuple[Times, Times]] = []
    peer = partial(on_trio, options.callers, options.times)
    for _ in range(options.rounds + 1):
        there = await runtime.call(peer)
        pairs.append((await on_asyncio(options.callers, options.times, runtime), there))
    print(f"emit, {options.callers} at once:", end=" ")
    print(", ".join(compared(pairs[1:], clock) for clock in (0, 1)))


def compared(pairs: list[tuple[Times, Times]], clock: int) -> str:
    ours = statistics.median(here[clock] for here, _ in pairs) * 1e6
    peers = statistics.median(there[clock] for _, there in pairs) * 1e6
    ratio = statistics.median(here[clock] / there[clock] for here, there in pairs)
    name = ("wall", "CPU")[clock]
    return f"{name} asyncio {ours:.0f} µs, trio {peers:.0f} µs, {ratio:.2f} times"


async def written_on_trio(count: int, pause: float, runtime: greenroom.Runtime) -> list[float]:
    async with runtime.run(user="writer") as run, run.text() as text:
        times = []
        for _ in range(count):
            times.append(timed(partial(text.write, TOKEN)))
            await trio.sleep(pause)
        return times


async def written(count: int, pause: float, runtime: aio.Runtime) -> list[float]:
    async with runtime.run(user="writer") as run, run.text() as text:
        times = []
        for _ in range(count):
            times.append(timed(partial(text.write, TOKEN)))
            await asyncio.sleep(pause)
        return times


async def appended(count: int, pause: float) -> list[float]:
    """The same with an append to a list: what any call takes of a core that was idle before."""
    tokens: list[str] = []
    times = []
    for _ in range(count):
        times.append(timed(partial(tokens.append, TOKEN)))
        await asyncio.sleep(pause)
    return times


def shown(times: list[float]) -> str:
    return f"{statistics.median(times) * 1e6:.1f}, {statistics.fmean(times) * 1e6:.1f}"


def timed(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


async def writes(runtime: aio.Runtime) -> None:
    for count, pause in ((5_000, 0.0), (1_000, 0.002)):
        ours = await written(count, pause, runtime)
        peers = await runtime.call(partial(written_on_trio, count, pause))
        bare = await appended(count, pause)
        print(f"text.write, {pause * 1e3:g} ms between:", end=" ")
        print(f"asyncio {shown(ours)}, trio {shown(peers)},", end=" ")
        print(f"an append to a list {shown(bare)} µs (median, mean)")


async def beats(worst: list[float], _: greenroom.Runtime) -> None:
    """Until cancelled, note by how much a beat is late."""
    while True:
        due = trio.current_time() + BEAT
        await trio.sleep_until(due)
        worst.append(trio.current_time() - due)


def compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(1_000))


async def blocked(options: argparse.Namespace, runtime: aio.Runtime) -> None:
    for block in (time.sleep, compute):
        worst: list[float] = []
        beating = asyncio.create_task(runtime.call(partial(beats, worst)))
        await asyncio.sleep(5 * BEAT)
        block(options.blocked)
        beating.cancel()
        await asyncio.wait([beating])
        late, beat = max(worst) * 1e3, len(worst)
        print(
            f"host in {block.__name__} for {options.blocked} s: {beat} beats, latest {late:.1f} ms"
        )


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=100)
    parser.add_argument("--times", type=int, default=10, help="emits of each caller in a round")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--blocked", type=float, default=2.0, help="seconds")
    parser.add_argument("--uvloop", action="store_true", help="on uvloop instead of asyncio's own")
    return parser


async def measure(options: argparse.Namespace) -> None:
    async with aio.open_runtime(SETTINGS) as runtime:
        await emits(options, runtime)
        await writes(runtime)
        await blocked(options, runtime)


def main() -> None:
    options = arguments().parse_args()
    gc.freeze()
    gc.set_threshold(1_000, -1, 1_150)  # as `greenroom serve` has it, and docs/hosts.md advises
    if options.uvloop:
        import uvloop

        uvloop.run(measure(options))
    else:
        asyncio.run(measure(options))


if __name__ == "__main__":
    main()
