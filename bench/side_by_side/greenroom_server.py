"""greenroom with an agent that emits what is ordered: `... greenroom_server JOURNAL`."""

from __future__ import annotations

import os
import sys
from functools import partial

import trio

import greenroom
from side_by_side.client import LOOK, SECRET
from side_by_side.order import Gate, Order, end_of, piece
from side_by_side.sampling import SAMPLED, sampling

ACK_SECONDS = 30.0
RUN_SECONDS = 290.0  # the first of ten thousand runs waits for the last one to start
gate = Gate(trio.Event(), trio.sleep)


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    assert isinstance(said, dict)
    order = Order(**said)  # type: ignore[arg-type]  # our own client's
    if order.opens:
        gate.open(order.begin)
        return
    begin = await gate.begin(order)
    async with trio.open_nursery() as nursery:
        for _ in range(order.burst):
            nursery.start_soon(write if order.streamed else emit, run, order, begin)
    if order.stays:
        await trio.sleep_forever()


async def emit(run: greenroom.Run, order: Order, begin: float) -> None:
    for number in range(order.events // order.burst):
        await gate.wait_due(begin + number * order.every)
        last = await run.partial_result(text=piece(order.size))
    await gate.wait_due(end_of(order, begin))
    if order.acked:
        await last.wait_received(ACK_SECONDS)


async def write(run: greenroom.Run, order: Order, begin: float) -> None:
    async with run.text() as text:
        for number in range(order.events // order.burst):
            await gate.wait_token(begin + number * order.every)
            text.write(piece(order.size))


def main(journal: str) -> None:
    settings = greenroom.Settings(
        port=0,
        journal=journal,
        secret=SECRET,
        look_token=LOOK,
        log_level="warning",
        agent_seconds=RUN_SECONDS,
    )
    with sampling(os.environ.get(SAMPLED)):
        greenroom.serve(agent, settings=settings, announce=partial(print, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
