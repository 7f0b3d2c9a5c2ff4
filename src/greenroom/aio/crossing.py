"""Methods of faces under asyncio: each awaits the method of the same name in the trio thread.

The signature, the types and the documentation are those of that method.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

from greenroom.aio.host_loop import cross
from greenroom.portal.faces.face import F, Face

P = ParamSpec("P")
R = TypeVar("R")


def crossing(
    method: Callable[Concatenate[F, P], Awaitable[R]],
) -> Callable[Concatenate[Face[F], P], Coroutine[object, None, R]]:
    """A method that awaits `method` across the border."""
    name = method.__qualname__

    @wraps(method)
    async def call(face: Face[F], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await cross(face._lane, partial(method, face._far, *args, **kwargs), name)

    return call
