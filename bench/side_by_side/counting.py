"""Runs a module and counts what it does: `... -m side_by_side.counting MODULE ARGUMENTS`.

The first SIGUSR1 begins to count Python calls, calls of C functions and opcodes, by function and in
all threads; the second one writes the counts to a file. They are the same on a busy machine and on
an idle one, and say nothing about system calls and the time in C. Counting makes the module slow,
so its clocks go slower, too: timers fire as often per event as without it.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

COUNTED: Final = "GREENROOM_BENCH_STEPS"
"""The environment variable with the file that the counts are written to."""

SLOWED: Final = 100.0
"""How many times longer an event takes when all is counted, about."""

PYTHON, C, OPCODES = "calls", "C calls", "opcodes"
_SITE: Final = "site-packages/"


class Counting:
    """Counts while it is on. Every thread must have it `installed` before it starts."""

    def __init__(self, file: Path, clocks: Iterable[SlowClock]) -> None:
        self._file = file
        self._clocks = clocks
        self._on = False
        self._counts: Counter[tuple[CodeType, str]] = Counter()

    def install(self) -> None:
        threading.settrace(self._trace)
        threading.setprofile(self._profile)
        signal.signal(signal.SIGUSR1, self._switch)

    def _switch(self, _: int, frame: FrameType | None) -> None:
        self._on = not self._on
        for clock in self._clocks:
            clock.slow_down(SLOWED if self._on else 1.0)
        if self._on:
            sys.settrace(self._trace)
            sys.setprofile(self._profile)
            while frame is not None:  # those that run already
                self._trace(frame, "", None)
                frame.f_trace, frame = self._trace, frame.f_back
        else:
            sys.setprofile(None)
            sys.settrace(None)
            self._write()

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:  # Any: as typeshed has it
        if event == "opcode":
            if self._on:
                self._counts[frame.f_code, OPCODES] += 1
        elif frame.f_code is _UNCOUNTED:
            return None
        else:
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._trace

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        if self._on and event in ("call", "c_call") and frame.f_code is not _UNCOUNTED:
            self._counts[frame.f_code, PYTHON if event == "call" else C] += 1

    def _write(self) -> None:
        rows = [[*_names(code), what, count] for (code, what), count in self._counts.items()]
        temporary = self._file.with_suffix(".new")
        temporary.write_text(json.dumps(rows))
        temporary.rename(self._file)


class SlowClock:
    """A clock that goes slower while counting is on."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = self._told = clock()
        self._slower = 1.0

    def slow_down(self, times: float) -> None:
        self._since, self._told, self._slower = self._clock(), self(), times

    def __call__(self) -> float:
        return self._told + (self._clock() - self._since) / self._slower


_UNCOUNTED: Final = SlowClock.__call__.__code__


def _names(code: CodeType) -> tuple[str, str]:
    """The file, as an import has it, and the function."""
    path = code.co_filename
    at = path.rfind(_SITE)
    short = path[at + len(_SITE) :] if at >= 0 else path
    return short, code.co_qualname


def main() -> None:
    clocks = SlowClock(time.perf_counter), SlowClock(time.monotonic)
    time.perf_counter, time.monotonic = clocks
    Counting(Path(os.environ[COUNTED]), clocks).install()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
