"""What a client orders of a server that is measured, and when each event of it is due."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs

STAMP = 100  # characters of a piece
STEP = 0.002  # seconds


@attrs.frozen
class Order:
    """A number of pieces of text, emitted by `burst` tasks at once.

    With a pace, one piece `every` seconds from `begin` on (of the machine's monotonic clock).
    `gated`: wait for the order that `opens` the gate; `begin` counts from the moment it names.
    `acked`: end only when the client acknowledged them all; `stays`: do not end at all. `rest`:
    seconds to wait after the last of them, from when the next one would have been due.
    `streamed`: greenroom's agent writes them into a text stream; a peer sends each, all the same.
    `size` of a piece, in characters; `pad` is for nothing but the size of what was said.
    """

    events: int
    burst: int = 1
    every: float = 0.0
    begin: float = 0.0
    gated: bool = False
    opens: bool = False
    acked: bool = False
    stays: bool = False
    rest: float = 0.0
    streamed: bool = False
    size: int = STAMP
    pad: str = ""


def piece(size: int = STAMP) -> str:
    """A number of characters that begin with the time, as much of it as fits."""
    return f"{time.monotonic_ns():<{size}}"[:size]


class Event(Protocol):
    """The part that `trio.Event` and `asyncio.Event` share."""

    def set(self) -> None: ...
    async def wait(self) -> object: ...


def end_of(order: Order, begin: float) -> float:
    """The moment before which a run of this order that began then does not end."""
    return begin + order.events // order.burst * order.every + order.rest


@attrs.define
class Gate:
    """Holds back the orders that are gated, on any event loop, until one opens it."""

    _opened: Event
    _sleep: Callable[[float], Awaitable[object]]
    _moment: float = 0.0
    _steps: dict[int, Event] = attrs.field(factory=dict)

    def open(self, moment: float) -> None:
        self._moment = moment
        self._opened.set()

    async def begin(self, order: Order) -> float:
        """When the order's first event is due."""
        if not order.gated:
            return order.begin
        await self._opened.wait()
        return self._moment + order.begin

    async def wait_due(self, moment: float) -> None:
        """Wait for the moment; one that has passed costs no turn of the loop."""
        if (left := moment - time.monotonic()) > 0:
            await self._sleep(left)

    async def wait_token(self, moment: float) -> None:
        """The same in steps of 2 ms, for which all who wait share a timer: what makes the tokens
        is not what is measured."""
        step = math.ceil(moment / STEP)
        if step * STEP <= time.monotonic():
            return
        if (others := self._steps.get(step)) is not None:
            await others.wait()
            return
        mine = self._steps[step] = type(self._opened)()
        await self.wait_due(step * STEP)
        del self._steps[step]
        mine.set()
