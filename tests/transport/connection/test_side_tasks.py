"""Tasks beside a connection's own: they end with it, and it by their errors, and nobody else."""

from __future__ import annotations

from contextvars import ContextVar

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.transport.connection.side_tasks import SideTasks

place: ContextVar[str] = ContextVar("place", default="nowhere")


class Crash(Exception):
    """What a task raises."""


async def crash() -> None:
    raise Crash


async def test_they_are_cancelled_when_the_block_is_left() -> None:
    lines = []

    async def wait() -> None:
        lines.append("began")
        try:
            await trio.sleep_forever()
        finally:
            lines.append("ended")

    with SideTasks() as beside:
        beside.start_soon(wait)
        await wait_all_tasks_blocked()
        beside.start_soon(wait)  # it is cancelled before it waits for the first time
    await wait_all_tasks_blocked()
    assert lines.count("ended") == lines.count("began") == 2


async def test_the_error_of_one_ends_the_block_alone_and_is_raised_there(
    nursery: trio.Nursery,
) -> None:
    ends = []

    async def block() -> None:
        try:
            with SideTasks() as beside:
                beside.start_soon(crash)
                await trio.sleep_forever()
        except Crash as error:
            ends.append(error)

    nursery.start_soon(block)
    await wait_all_tasks_blocked()
    assert len(ends) == 1
    assert not nursery.cancel_scope.cancel_called


async def test_one_that_fails_after_the_block_is_logged_and_disturbs_nobody(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail_late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Crash

    with SideTasks() as beside:
        beside.start_soon(fail_late)
        await wait_all_tasks_blocked()
    await wait_all_tasks_blocked()
    assert not nursery.cancel_scope.cancel_called
    assert "a task of a connection that has ended failed" in caplog.text


async def test_they_run_in_the_context_of_who_starts_them() -> None:
    found = []

    async def look() -> None:
        found.append(place.get())

    with SideTasks() as beside:
        place.set("here")
        beside.start_soon(look)
        await wait_all_tasks_blocked()
    assert found == ["here"]


async def test_its_scope_cuts_the_block_short() -> None:
    with SideTasks() as beside:
        beside.scope.cancel()
        await trio.sleep_forever()
    with pytest.raises(Crash), SideTasks():
        raise Crash
