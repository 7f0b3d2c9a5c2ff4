"""Long work in small steps, with rests in which the server does everything else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import attrs
import trio

SLICE_SECONDS: Final = 0.001
REST: Final = 4
"""How many times as long a rest is as the work before it."""

AT_ONCE: Final = 32
"""The steps between two looks at the clock."""


@attrs.frozen
class Slices:
    """`clock` gives seconds of processor or wall time, and never goes back."""

    clock: Callable[[], float] = time.perf_counter

    async def go_through(self, steps: Iterator[None]) -> None:
        """Take all steps."""
        began = self.clock()
        for number, _ in enumerate(steps):
            if number % AT_ONCE == 0 and (took := self.clock() - began) > SLICE_SECONDS:
                await trio.sleep(took * REST)
                began = self.clock()
