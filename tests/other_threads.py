"""Calls from a plain thread, and from a trio run of another thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from greenroom.actors import WrongThread


async def refused_in_a_thread(call: Callable[[], object]) -> WrongThread:
    """The error that `call()` raises in a plain thread."""

    def try_it() -> WrongThread:
        with pytest.raises(WrongThread) as refused:
            call()
        return refused.value

    return await trio.to_thread.run_sync(try_it)


async def refused_in_another_run(call: Callable[[], object]) -> WrongThread:
    """The error that `call()`, or what it returns when awaited, raises in another trio run."""

    async def try_it() -> WrongThread:
        with pytest.raises(WrongThread) as refused:
            await _finish(call)
        return refused.value

    return await trio.to_thread.run_sync(trio.run, try_it)


async def _finish(call: Callable[[], object]) -> None:
    result = call()
    if isinstance(result, Awaitable):
        await result
