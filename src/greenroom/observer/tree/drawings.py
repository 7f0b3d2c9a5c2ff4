"""Drawings of machines, each made once, outside of the trio run: a large one takes some 100 ms."""

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import Final

import attrs
import trio

from greenroom.actors.machine.machine import Machine
from greenroom.drawing.machine_svg import unstyled_svg

MOST_DRAWINGS: Final = 64


@attrs.frozen
class Drawings:
    """Of the machines that were asked for last."""

    _made: OrderedDict[Machine[enum.Enum, object, object], str] = attrs.field(factory=OrderedDict)

    async def of(self, machine: Machine[enum.Enum, object, object]) -> str:
        """The machine as SVG without a style."""
        made = self._made.get(machine)
        if made is None:
            made = await trio.to_thread.run_sync(unstyled_svg, machine)
            self._made[machine] = made
            while len(self._made) > MOST_DRAWINGS:
                self._made.popitem(last=False)
        return made
