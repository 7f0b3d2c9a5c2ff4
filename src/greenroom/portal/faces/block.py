"""A block without a scope of its own, such as that of a tool, as a host enters it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from greenroom.portal.call import Lane
from greenroom.portal.visit import Visit

T = TypeVar("T")
V = TypeVar("V")


class BlockFace(Generic[T, V]):
    """The block of `make()`. `show` makes what it gives to the host."""

    def __init__(
        self,
        lane: Lane,
        make: Callable[[], AbstractAsyncContextManager[T]],
        show: Callable[[T], V],
        what: str,
    ) -> None:
        self._lane = lane
        self._visit = Visit(lane, make)
        self._show = show
        self._what = what
