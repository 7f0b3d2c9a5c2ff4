"""What a supervised child costs beside a bare `nursery.start`, both measured in this run.

python bench/supervision.py [--children 10000] [--repeats 3]

Starts children under one dynamic supervisor one after the other, crashes one in a hundred (which
then restart, within the restart intensity), and stops them all. Garbage collection is paused while
the clock runs: with ten thousand tasks alive its passes over them would be most of what is seen.
"""

from __future__ import annotations

import argparse
import gc
import logging
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import attrs
import trio
import trio.testing

from greenroom.supervisor import (
    CrashLog,
    DynamicSupervisorRef,
    Intensity,
    Restart,
    dynamic_supervisor_child,
    open_supervisor,
    task_child,
)

CRASHING = 100  # one child in this number


@attrs.frozen
class Costs:
    """µs per child (per crashed child for `crash`), and KiB per child while all are there."""

    start: float
    crash: float
    stop: float
    memory: float


@contextmanager
def paused_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def micros(begin: float, count: int) -> float:
    return (time.perf_counter() - begin) / count * 1e6


async def supervised(count: int) -> Costs:
    cues = [trio.Event() for _ in range(count)]
    crashes = count // CRASHING

    def child(number: int) -> Callable[[], Awaitable[None]]:
        async def live() -> None:
            await cues[number].wait()
            cues[number] = trio.Event()
            raise RuntimeError("on cue")

        return live

    children = [
        task_child(str(number), child(number), restart=Restart.TRANSIENT) for number in range(count)
    ]
    spec = dynamic_supervisor_child("many", intensity=Intensity(crashes, 3600.0))
    async with open_supervisor("root", [spec], crash_log=CrashLog(capacity=10)) as root:
        many = root.child("many")
        assert isinstance(many, DynamicSupervisorRef)
        with measured() as memory, paused_collector():
            begin = time.perf_counter()
            for each in children:
                await many.start_child(each)
            start = micros(begin, count)
        with paused_collector():
            begin = time.perf_counter()
            for cue in cues[::CRASHING]:
                cue.set()
            await trio.testing.wait_all_tasks_blocked()
            crash = micros(begin, crashes)
        assert many.count_children().active == count
        assert many.restart_budget == 0, "every crash was restarted once: no storm"
        with paused_collector():
            begin = time.perf_counter()
            await root.terminate_child("many")
            stop = micros(begin, count)
    return Costs(start, crash, stop, memory[0] / count / 1024)


async def bare(count: int) -> Costs:
    async def live(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    with paused_collector():
        async with trio.open_nursery() as nursery:
            with measured() as memory:
                begin = time.perf_counter()
                for _ in range(count):
                    await nursery.start(live)
                start = micros(begin, count)
            begin = time.perf_counter()
            nursery.cancel_scope.cancel()
        stop = micros(begin, count)
    return Costs(start, 0.0, stop, memory[0] / count / 1024)


@contextmanager
def measured() -> Iterator[list[float]]:
    """Bytes more at the end of the block, while `tracemalloc` is on; else nothing."""
    before, _ = tracemalloc.get_traced_memory()
    grown: list[float] = [0.0]
    yield grown
    grown[0] = tracemalloc.get_traced_memory()[0] - before


def best(measure: Callable[[int], Awaitable[Costs]], count: int, repeats: int) -> Costs:
    """The least of every figure: what the machine disturbed least. Memory in a run of its own."""
    runs = [trio.run(measure, count) for _ in range(repeats)]
    tracemalloc.start()
    memory = trio.run(measure, count).memory
    tracemalloc.stop()
    return Costs(
        start=min(run.start for run in runs),
        crash=min(run.crash for run in runs),
        stop=min(run.stop for run in runs),
        memory=memory,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Supervised children beside bare tasks.")
    parser.add_argument("--children", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3, help="measurements; the best counts")
    options = parser.parse_args()
    logging.disable()  # a crash is logged; what that costs is the log's affair
    print(f"{'children':>10}{'':14}{'supervised':>12}{'bare':>12}{'ratio':>8}")
    few, many = max(CRASHING, options.children // 10), options.children
    found = {count: best(supervised, count, options.repeats) for count in (few, many)}
    for count, ours in found.items():
        theirs = best(bare, count, options.repeats)
        for what, unit in [("start", "µs"), ("stop", "µs"), ("memory", "KiB")]:
            mine, other = getattr(ours, what), getattr(theirs, what)
            print(f"{count:>10} {what:<8}{unit:<5}{mine:>12.1f}{other:>12.1f}{mine / other:>8.2f}")
        print(f"{count:>10} {'crash':<8}{'µs':<5}{ours.crash:>12.1f}")
    growth = {
        what: getattr(found[many], what) / getattr(found[few], what)
        for what in ("start", "crash", "stop")
    }
    shown = ", ".join(f"{what} {ratio:.2f}" for what, ratio in growth.items())
    print(f"cost per child at {many} over that at {few}: {shown}")


if __name__ == "__main__":
    main()
