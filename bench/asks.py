"""What open questions cost while no answer comes: tasks, timers, memory and CPU per question.

Many users have a run each. First the runs only wait, then each asks a question that expires in an
hour and awaits its answer: the figures are what there is more of then.
"""

from __future__ import annotations

import argparse
import gc
import resource
import time
from pathlib import Path

import attrs
import trio

import greenroom
from greenroom import Runtime

EXPIRES = 3600.0
SETTLED = 1.0  # seconds until what the runs began with is done


@attrs.frozen
class Held:
    """What the process holds, and its CPU seconds in each second in which nothing happens."""

    tasks: int
    timers: int
    bytes: int
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--seconds", type=float, default=5.0, help="of idling, for the CPU")
    parser.add_argument("--rounds", type=int, default=1)
    chosen = parser.parse_args()
    print("                   more than without questions:       CPU %:")
    print("questions    tasks   timers  KiB/question  without     with  us/question s")
    for _ in range(chosen.rounds):
        for questions in chosen.questions:
            trio.run(measure, questions, chosen.seconds)


async def measure(questions: int, seconds: float) -> None:
    settings = greenroom.Settings(journal=":memory:", secret="x" * 32)
    now = trio.Event()
    async with (
        greenroom.open_runtime(settings, {"asker": silent}) as runtime,
        trio.open_nursery() as nursery,
    ):
        for number in range(questions):
            await nursery.start(ask, runtime, f"user-{number}", now)
        without = await look(seconds)
        now.set()
        await trio.sleep(SETTLED * max(1, questions / 1_000))
        with_them = await look(seconds)
        nursery.cancel_scope.cancel()
    tell(questions, without, with_them)


async def silent(run: greenroom.Run, said: greenroom.JSON) -> None:
    """No user says anything."""


async def ask(
    runtime: Runtime, user: str, now: trio.Event, task_status: trio.TaskStatus[None]
) -> None:
    async with runtime.run(user=user, agent="asker") as run:
        task_status.started()
        await now.wait()
        await run.ask("Delete 14 files?", options=["yes", "no"], expires=EXPIRES)


async def look(seconds: float) -> Held:
    await trio.sleep(SETTLED)
    gc.collect()
    began = time.process_time()
    await trio.sleep(seconds)
    cpu = (time.process_time() - began) / seconds
    return Held(trio.lowlevel.current_statistics().tasks_living, timers(), resident(), cpu)


def timers() -> int:
    """The deadlines that trio waits for; no public call counts them."""
    return int(trio._core._run.GLOBAL_RUN_CONTEXT.runner.deadlines._active)


def resident() -> int:
    """The bytes of the process that are in memory, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def tell(questions: int, without: Held, with_them: Held) -> None:
    kib = (with_them.bytes - without.bytes) / 1024 / questions
    each = 1e6 * (with_them.cpu - without.cpu) / questions
    print(
        f"{questions:9,} {with_them.tasks - without.tasks:8,}"
        f" {with_them.timers - without.timers:8,} {kib:13.2f}"
        f" {100 * without.cpu:8.2f} {100 * with_them.cpu:8.2f} {each:14.2f}"
    )


if __name__ == "__main__":
    main()
