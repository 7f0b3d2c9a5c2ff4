"""Which child uses the processor: a trio instrument, on for as long as somebody wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from greenroom.supervisor.child import current_life
from greenroom.supervisor.inspection.cpu_usage import CpuUsage


class CpuMeter(trio.abc.Instrument):
    """Charges every step of a task to the child it belongs to, nurseries and all.

    Time is counted as it passes (`clock`, seconds): a step that blocks the whole trio run shows,
    whether it computes or sleeps. Costs about 1 µs a step; without it, nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = self._clock()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        life = task.context.get(current_life)
        if life is not None:
            now = self._clock()
            if life.usage is None:
                life.usage = CpuUsage()
            life.usage.note(now - self._began, now)

    def now(self) -> float:
        return self._clock()


_meter: trio.lowlevel.RunVar[CpuMeter | None] = trio.lowlevel.RunVar("greenroom cpu meter", None)


@contextmanager
def measuring_cpu(meter: CpuMeter | None = None) -> Iterator[CpuMeter]:
    """Fill `cpu_share` and `cpu_seconds` of the tree for the length of a block."""
    meter = meter or CpuMeter()
    trio.lowlevel.add_instrument(meter)
    _meter.set(meter)
    try:
        yield meter
    finally:
        trio.lowlevel.remove_instrument(meter)
        _meter.set(None)


def cpu_meter() -> CpuMeter | None:
    """The meter of this trio run while one is on."""
    return _meter.get()
