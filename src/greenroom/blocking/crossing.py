"""Methods of faces in synchronous code: each waits for the method of the same name.

The signature, the types and the documentation are those of that method.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from queue import SimpleQueue
from typing import Concatenate, Final, ParamSpec, TypeVar

from greenroom.blocking.waiting import cross, cross_by
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.run import Run
from greenroom.portal.emit_call import EmitCall
from greenroom.portal.faces.face import F, Face, ReceiptFacts

P = ParamSpec("P")
R = TypeVar("R")


def crossing(
    method: Callable[Concatenate[F, P], Awaitable[R]],
) -> Callable[Concatenate[Face[F], P], R]:
    """A method that waits for `method` in the trio thread."""
    name = method.__qualname__

    @wraps(method)
    def call(face: Face[F], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return cross(face._lane, partial(method, face._far, *args, **kwargs), name)

    return call


class BlockingReceipt(ReceiptFacts):
    """A `greenroom.Receipt` in synchronous code."""

    __slots__ = ()

    stage: Final = crossing(Receipt.stage)
    standing: Final = crossing(Receipt.standing)
    wait_received: Final = crossing(Receipt.wait_received)
    wait_displayed: Final = crossing(Receipt.wait_displayed)
    wait_confirmed: Final = crossing(Receipt.wait_confirmed)


def receipted(
    method: Callable[Concatenate[F, P], Awaitable[Receipt]],
) -> Callable[Concatenate[Face[F], P], BlockingReceipt]:
    """The same for a method that returns a receipt."""
    name = method.__qualname__

    @wraps(method)
    def call(face: Face[F], /, *args: P.args, **kwargs: P.kwargs) -> BlockingReceipt:
        lane = face._lane
        return BlockingReceipt(cross(lane, partial(method, face._far, *args, **kwargs), name), lane)

    return call


def emitting(
    method: Callable[Concatenate[Run, P], Awaitable[Receipt]],
) -> Callable[Concatenate[Face[Run], P], BlockingReceipt]:
    """The same for a method that emits one event of a run."""
    name = method.__qualname__

    @wraps(method)
    def call(face: Face[Run], /, *args: P.args, **kwargs: P.kwargs) -> BlockingReceipt:
        lane, run = face._lane, face._far
        emit = EmitCall(partial(method, run, *args, **kwargs), lane, emitter=run._emitter)
        return BlockingReceipt(cross_by(emit, SimpleQueue(), name), lane)

    return call
