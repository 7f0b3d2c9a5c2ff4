"""Methods that do not wait: a host's thread stands still while the trio thread calls them.

That takes some 0.1 ms. The trio thread never waits for a host's, so neither can wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from queue import SimpleQueue
from typing import Concatenate, ParamSpec, TypeVar

import outcome

from greenroom.portal.border import Border
from greenroom.portal.call import Call, Lane
from greenroom.portal.faces.face import F, Face

P = ParamSpec("P")
R = TypeVar("R")


def briefly(
    method: Callable[Concatenate[F, P], R],
) -> Callable[Concatenate[Face[F], P], R]:
    """A method that calls `method` in the trio thread, and returns what it returns."""

    @wraps(method)
    def call(face: Face[F], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return call_there(face._lane.border, partial(method, face._far, *args, **kwargs))

    return call


def call_there(border: Border, function: Callable[[], R]) -> R:
    """Call a function in the trio thread, and wait for it. Raises what it raises."""
    if border.is_own_thread:
        return function()
    answers: SimpleQueue[outcome.Outcome[R]] = SimpleQueue()
    border.call(Call(partial(_awaited, function), Lane(border), answers.put))
    return answers.get().unwrap()


async def _awaited(function: Callable[[], R]) -> R:
    return function()
