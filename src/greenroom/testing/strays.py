"""Errors that most code does not expect: `STRAYS` has one of each kind, to be raised by a child.

`faults.crash_on(1, Account, error=STRAYS["SystemExit"])` and `faults.raise_at(2, spec, …)` raise
them; so can any code of a test. What should happen is what happens after a `ValueError`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NoReturn

import trio


class Unshowable(Exception):
    """An error whose `str` and `repr` raise, as those of an ORM object outside of its session."""

    def __repr__(self) -> NoReturn:
        raise RuntimeError("this error cannot be shown")

    __str__ = __repr__


class ExitsWhenShown(Exception):
    """An error whose `str` and `repr` raise `SystemExit`."""

    def __repr__(self) -> NoReturn:
        raise SystemExit(1)

    __str__ = __repr__


class ShownAsNothing(Exception):
    """An error whose `str` and `repr` return no string."""

    def __repr__(self) -> str:
        return None  # type: ignore[return-value]  # that is what is wrong with it

    __str__ = __repr__


class LongWinded(Exception):
    """An error that says ten million characters."""

    def __repr__(self) -> str:
        return "x" * 10_000_000

    __str__ = __repr__


class Unreadable(Exception):
    """An error whose notes and cause cannot be read."""

    def __getattribute__(self, name: str) -> object:
        if name in ("__notes__", "__cause__", "__context__", "__traceback__", "args"):
            raise RuntimeError(f"{name} cannot be read")
        return super().__getattribute__(name)


class Misnamed(Exception):
    """An error that says it is of another class."""

    __class__ = KeyboardInterrupt  # type: ignore[assignment]  # that is what is wrong with it


class Unjudgeable(Exception):
    """An error that is neither true nor false, as a result of many values is."""

    def __bool__(self) -> NoReturn:
        raise RuntimeError("this error is neither true nor false")


class Unsplittable(ExceptionGroup[Exception]):
    """A group that says there is nothing in it."""

    def split(self, *_: object) -> tuple[None, None]:
        return None, None

    def subgroup(self, *_: object) -> NoReturn:
        raise RuntimeError("this group cannot be searched")


def stray_cancelled() -> trio.Cancelled:
    """A `trio.Cancelled` that belongs to no scope of the task that raises it.

    Such errors come from results that were kept: a cache computed its value in a task that was
    cancelled, and raises what it kept to everybody who asks later.
    """
    caught: list[trio.Cancelled] = []

    async def be_cancelled() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as cancelled:
                caught.append(cancelled.with_traceback(None))
                raise

    elsewhere = threading.Thread(target=trio.run, args=(be_cancelled,))
    elsewhere.start()
    elsewhere.join()
    return caught[0]


def _group() -> BaseExceptionGroup[BaseException]:
    return BaseExceptionGroup("a group", [stray_cancelled(), SystemExit(1)])


def _deep_group() -> BaseException:
    """Deeper than Python itself can show, split or search."""
    error: Exception = ValueError()
    for _ in range(3_000):
        within: list[Exception] = [error, KeyError()]
        error = ExceptionGroup("deep", within)
    return error


STRAYS: Mapping[str, Callable[[], BaseException]] = MappingProxyType(
    {
        "SystemExit": lambda: SystemExit(1),
        "GeneratorExit": GeneratorExit,
        "BaseException": BaseException,
        "asyncio.CancelledError": asyncio.CancelledError,
        "trio.Cancelled": stray_cancelled,
        "group": _group,
        "group of one": lambda: BaseExceptionGroup("one", [asyncio.CancelledError()]),
        "Unshowable": Unshowable,
        "ExitsWhenShown": ExitsWhenShown,
        "ShownAsNothing": ShownAsNothing,
        "LongWinded": LongWinded,
        "Unreadable": Unreadable,
        "Misnamed": Misnamed,
        "Unjudgeable": Unjudgeable,
        "Unsplittable": lambda: Unsplittable("a group", [ValueError(), KeyError()]),
        "deep group": _deep_group,
    }
)
"""Makers of errors, by name: what is no `Exception`, and what cannot be shown."""
