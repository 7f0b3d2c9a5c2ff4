"""The CPU meter: a trio instrument that measures which child uses the processor, while it is on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context

import trio

from greenroom.actors.reactors.dispatcher import measure_turns
from greenroom.supervisor.child import current_life
from greenroom.supervisor.inspection.cpu_usage import CpuUsage


class CpuMeter(trio.abc.Instrument):
    """Counts every step of a task for the child it belongs to, also in nurseries of the child, and
    what a reactor does in a dispatcher's turn for the reactor.

    It counts wall time (`clock`, seconds): a step that blocks the whole trio run shows, whether it
    computes or sleeps. It costs about 1 µs a step while it is on.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = self._clock()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._note(task.context, self._began)

    def measure(self, context: Context, react: Callable[[], int]) -> int:
        """Count a reactor's part of a turn for the child that `context` belongs to."""
        began = self._clock()
        try:
            return react()
        finally:
            self._note(context, began)

    def _note(self, context: Context, began: float) -> None:
        life = context.get(current_life)
        if life is not None:
            now = self._clock()
            if life.usage is None:
                life.usage = CpuUsage()
            life.usage.note(now - began, now)

    def now(self) -> float:
        return self._clock()


_meter: trio.lowlevel.RunVar[CpuMeter | None] = trio.lowlevel.RunVar("greenroom cpu meter", None)


@contextmanager
def measuring_cpu(meter: CpuMeter | None = None) -> Iterator[CpuMeter]:
    """Fill `cpu_share` and `cpu_seconds` of the tree for the length of a block."""
    meter = meter or CpuMeter()
    trio.lowlevel.add_instrument(meter)
    _meter.set(meter)
    measure_turns(meter)
    try:
        yield meter
    finally:
        trio.lowlevel.remove_instrument(meter)
        measure_turns(None)
        _meter.set(None)


def cpu_meter() -> CpuMeter | None:
    """The meter of this trio run, if it is on."""
    return _meter.get()
