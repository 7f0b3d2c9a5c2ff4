"""A task goes on where its answer arrives, and otherwise as with an `asyncio.Future`."""

from __future__ import annotations

import asyncio

import pytest

from greenroom import aio
from greenroom.aio.direct_future import DirectFuture
from tests.portal.hosts import SETTINGS


async def waits(future: DirectFuture, seen: list[str], name: str = "went on") -> None:
    try:
        await future
    except asyncio.CancelledError as error:
        seen.append(f"cancelled {error.args}")
        raise
    seen.append(name)


def test_a_task_goes_on_in_the_callback_that_sets_its_future() -> None:
    async def main() -> None:
        loop, seen = asyncio.get_running_loop(), list[str]()
        future = DirectFuture(loop)
        task = asyncio.create_task(waits(future, seen))
        await asyncio.sleep(0)
        loop.call_soon(future.set)
        loop.call_soon(seen.append, "the next callback")
        await task
        assert seen == ["went on", "the next callback"]
        future.set()

    asyncio.run(main(), debug=True)


def test_a_task_that_is_cancelled_gets_the_message_and_its_future_is_waited_for_again() -> None:
    async def main() -> None:
        loop, seen = asyncio.get_running_loop(), list[str]()
        future = DirectFuture(loop)
        task = asyncio.create_task(waits(future, seen))
        await asyncio.sleep(0)
        assert task.cancel("enough")
        assert not future.cancel(), "nothing waits any more"
        future.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["cancelled ('enough',)"]
        again = asyncio.create_task(waits(future, seen))
        await asyncio.sleep(0)
        loop.call_soon(future.set)
        await again
        assert seen[1:] == ["went on"]

    asyncio.run(main(), debug=True)


def test_a_task_that_exits_where_its_answer_arrives_leaves_the_others_theirs() -> None:
    async def emits(run: aio.Run, *, exits: bool) -> None:
        await run.partial_result(text="a")
        if exits:
            raise SystemExit(3)

    async def main() -> list[type[BaseException]]:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            tasks = [asyncio.create_task(emits(run, exits=each == 0)) for each in range(5)]
            await asyncio.wait(tasks)
            return [type(each.exception()) for each in tasks]

    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    with pytest.raises(SystemExit, match="3"):
        loop.run_until_complete(task)
    assert loop.run_until_complete(task) == [SystemExit, *[type(None)] * 4]
    loop.close()
