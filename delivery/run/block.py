"""Blocks: what `async with` enters, and what says so where the `async with` was forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from types import TracebackType
from typing import Never, ParamSpec, TypeVar

from greenroom.actors.errors import GreenroomError

P = ParamSpec("P")
T = TypeVar("T")


class NotEntered(GreenroomError, AttributeError):
    """A block was used without `async with`."""


class Block(AbstractAsyncContextManager[T]):
    """What `async with` enters. Any other use of it raises `NotEntered`."""

    __slots__ = ("_manager", "_name")

    def __init__(self, manager: AbstractAsyncContextManager[T], name: str) -> None:
        self._manager = manager
        self._name = name

    async def __aenter__(self) -> T:
        return await self._manager.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._manager.__aexit__(kind, error, traceback)

    def __getattr__(self, name: str) -> Never:
        if name.startswith("__"):  # protocols that it does not have, such as `copy`
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise self._not_entered(f"there is no {name!r} yet")

    def __await__(self) -> Never:
        raise self._not_entered("it cannot be awaited")

    def __enter__(self) -> Never:
        raise self._not_entered("a plain `with` cannot enter it")

    def __exit__(self, *_: object) -> None:
        """Not reached: `with` looks for it before it calls `__enter__`."""

    def _not_entered(self, what: str) -> NotEntered:
        return NotEntered(
            f"{self._name}() begins with its block: {what}",
            advice=f"write `async with ….{self._name}(…) as {self._name.removeprefix('sub_')}: …`",
        )


def block(
    function: Callable[P, AsyncIterator[T]],
) -> Callable[P, AbstractAsyncContextManager[T]]:
    """`asynccontextmanager` for methods that a program calls: what they return is a `Block`."""
    make = asynccontextmanager(function)
    name = function.__name__.lstrip("_")

    @wraps(function)
    def begin(*args: P.args, **kwargs: P.kwargs) -> AbstractAsyncContextManager[T]:
        return Block(make(*args, **kwargs), name)

    return begin
