"""What runs on an ASGI server's own loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import anyio
import pytest

from greenroom.asgi.server_loop import AsyncioLoop

pytestmark = [pytest.mark.requirement("R03")]


async def never() -> None:
    await asyncio.Event().wait()


async def slow_to_end(ending: asyncio.Event, may_end: asyncio.Event) -> None:
    try:
        await never()
    finally:
        ending.set()
        while not may_end.is_set():
            with suppress(asyncio.CancelledError):
                await may_end.wait()


def test_a_scope_that_is_cancelled_while_the_work_ends_knows_that_it_was_and_waits() -> None:
    """Starlette's `TestClient` cancels the app in a scope of anyio just after it has hung up."""
    ends = []

    async def at_once() -> None:
        return

    async def app(scope: anyio.CancelScope, beside: partial[object]) -> None:
        with scope:
            await AsyncioLoop().run(at_once, until=never, beside=beside)  # type: ignore[arg-type]
        ends.append(scope.cancelled_caught)

    async def main() -> None:
        scope, ending, may_end = anyio.CancelScope(), asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(app(scope, partial(slow_to_end, ending, may_end)))
        await ending.wait()
        scope.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done(), "what runs beside has not ended"
        may_end.set()
        await task

    asyncio.run(main())
    assert ends == [True]
