"""Receipts under asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial, wraps
from typing import Concatenate, Final, ParamSpec

from greenroom.aio.crossing import crossing
from greenroom.aio.host_loop import cross, cross_by
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.run import Run
from greenroom.portal.emit_call import EmitCall
from greenroom.portal.faces.face import F, Face, ReceiptFacts

P = ParamSpec("P")


class AioReceipt(ReceiptFacts):
    """A `greenroom.Receipt` under asyncio."""

    __slots__ = ()

    stage: Final = crossing(Receipt.stage)
    standing: Final = crossing(Receipt.standing)
    wait_received: Final = crossing(Receipt.wait_received)
    wait_displayed: Final = crossing(Receipt.wait_displayed)
    wait_confirmed: Final = crossing(Receipt.wait_confirmed)


def receipted(
    method: Callable[Concatenate[F, P], Awaitable[Receipt]],
) -> Callable[Concatenate[Face[F], P], Coroutine[object, None, AioReceipt]]:
    """A method that awaits `method` across the border, and returns the receipt's face."""
    name = method.__qualname__

    @wraps(method)
    async def call(face: Face[F], /, *args: P.args, **kwargs: P.kwargs) -> AioReceipt:
        lane = face._lane
        receipt = await cross(lane, partial(method, face._far, *args, **kwargs), name)
        return AioReceipt(receipt, lane)

    return call


def emitting(
    method: Callable[Concatenate[Run, P], Awaitable[Receipt]],
) -> Callable[Concatenate[Face[Run], P], Coroutine[object, None, AioReceipt]]:
    """The same for a method that emits one event of a run."""
    name = method.__qualname__

    @wraps(method)
    async def call(face: Face[Run], /, *args: P.args, **kwargs: P.kwargs) -> AioReceipt:
        lane, run = face._lane, face._far
        emit = EmitCall(partial(method, run, *args, **kwargs), lane, emitter=run._emitter)
        return AioReceipt(await cross_by(emit, name), lane)

    return call
