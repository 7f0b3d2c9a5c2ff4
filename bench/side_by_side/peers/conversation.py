"""What every peer answers, on trio or asyncio, whatever carries its frames.

Frames are greenroom's in kind and size. A peer checks no token, keeps nothing, sends nothing again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from side_by_side.order import Event, Gate, Order, end_of, piece

Frame = dict[str, Any]
RUN = "r" * 216  # as much as the ids of an event of greenroom


@attrs.frozen
class Loop:
    """What differs between the event loops; `breathe` lets others run where sending does not."""

    gate: Gate
    event: Callable[[], Event]
    spawn: Callable[..., object]
    breathe: Callable[[], Awaitable[object]]


class Conversation:
    """One connection of a peer."""

    def __init__(self, send: Callable[[Frame], Awaitable[object]], loop: Loop) -> None:
        self._send = send
        self._loop = loop
        self._acked = 0
        self._news = loop.event()

    async def take(self, frame: Frame) -> None:
        if frame["type"] == "hello":
            await self._send({"type": "ready", "session": "s" * 31, "epoch": "none"})
        elif frame["type"] == "say":
            order = Order(**frame["body"])
            if order.opens:
                self._loop.gate.open(order.begin)
            else:
                self._loop.spawn(self._answer, order)
        elif frame["type"] == "ack":
            self._acked = frame["offset"]
            self._news.set()

    async def _answer(self, order: Order) -> None:
        await self._emit(1, "agent_started", {})
        gate = self._loop.gate
        begin, wait = await gate.begin(order), gate.wait_token if order.streamed else gate.wait_due
        for number in range(order.events):
            await wait(begin + number * order.every)
            await self._emit(number + 2, "partial_result", {"text": piece(order.size)})
            if number % order.burst == 0:
                await self._loop.breathe()
        await gate.wait_due(end_of(order, begin))
        while order.acked and self._acked <= order.events:
            self._news = self._loop.event()
            await self._news.wait()
        if not order.stays:
            await self._emit(order.events + 2, "agent_completed", {"outcome": "ok"})

    async def _emit(self, offset: int, kind: str, data: Frame) -> None:
        event = {"offset": offset, "kind": kind, "data": data, "run": RUN}
        await self._send({"type": "events", "epoch": "none", "events": [event]})
