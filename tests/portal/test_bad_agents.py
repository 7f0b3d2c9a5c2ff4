"""Agents that block their loop or do not end, and what they cost the users of others."""

from __future__ import annotations

import asyncio
import sys
import threading
from functools import partial

import pytest
import trio

import greenroom
from greenroom import aio, blocking
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.run.life import Cut
from tests.portal.hosts import ENDS, SETTINGS, Client, kinds, say, with_client

blocked = threading.Event()
freed = threading.Event()


@pytest.fixture(autouse=True)
def _as_new() -> None:
    blocked.clear()
    freed.clear()


async def block_loop(run: aio.Run, said: greenroom.JSON) -> None:
    blocked.set()
    freed.wait(60)


async def never_end(run: aio.Run, said: greenroom.JSON) -> None:
    blocked.set()
    while not freed.is_set():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            continue
    with pytest.raises(greenroom.OutOfOrder, match="the run has ended"):
        await run.final_report(report="late")


async def cut_by_its_limit(
    port: int, runtime: greenroom.Runtime
) -> tuple[list[greenroom.Event], list[greenroom.Event]]:
    """Say something, cut the run as its limit would; its events, and another user's meanwhile."""

    async def act(client: Client) -> list[greenroom.Event]:
        started = await client.say("go")
        await trio.to_thread.run_sync(blocked.wait)
        user = runtime.users.find(UserId("alice"))
        assert user is not None
        user.live_runs[started.run]._life.cut(Cut.TIMEOUT)
        others.extend(await with_client(port, "bob", speak_in_trio, runtime))
        seen = []
        async for event in client.events():
            seen.append(event)
            if str(event.kind) in ENDS:
                return seen
        raise AssertionError("the client was closed")

    async def speak_in_trio(client: Client) -> list[greenroom.Event]:
        async with runtime.run(user="bob") as run:
            await run.final_report(report=1)
        return await run.history()

    others: list[greenroom.Event] = []
    return await with_client(port, "alice", act, runtime), others


@pytest.mark.slow
@pytest.mark.parametrize("agent", [block_loop, never_end])
def test_an_agent_that_does_not_stop_is_ended_for_its_user_and_disturbs_no_other(
    agent: aio.Agent,
) -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS, agent) as runtime:
            port = await runtime.listen()
            call = asyncio.create_task(runtime.call(partial(free_after, port)))
            events, others = await call
            assert kinds(events)[-1] == "agent_failed"
            assert events[-1].data["reason"] == "timeout"  # type: ignore[index, call-overload]
            assert kinds(others)[-1] == "agent_completed"

    async def free_after(
        port: int, runtime: greenroom.Runtime
    ) -> tuple[list[greenroom.Event], list[greenroom.Event]]:
        try:
            return await cut_by_its_limit(port, runtime)
        finally:
            freed.set()

    asyncio.run(main())


def test_an_agent_that_fails_after_it_was_stopped_fails_its_run() -> None:
    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        try:
            run.cancel()
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise LookupError("on the way out") from None

    async def main() -> None:
        async with aio.open_runtime(SETTINGS, agent) as runtime:
            port = await runtime.listen()
            act = partial(with_client, port, "alice", partial(say, "go"))
            assert kinds(await runtime.call(act))[-1] == "agent_failed"

    asyncio.run(main())


def test_two_runtimes_on_one_journal_are_refused(tmp_path: object) -> None:
    settings = greenroom.Settings(journal=f"{tmp_path}/journal.db", secret="x" * 32)

    async def second() -> None:
        async with aio.open_runtime(settings):
            pytest.fail("it was opened")

    async def main() -> None:
        async with aio.open_runtime(settings):
            with pytest.raises(greenroom.JournalError, match="open"):
                await second()

    asyncio.run(main())


async def exit_program(run: aio.Run, said: greenroom.JSON) -> None:
    sys.exit(3)


def exit_program_in_a_thread(run: blocking.Run, said: greenroom.JSON) -> None:
    sys.exit(3)


def interrupt_itself(run: blocking.Run, said: greenroom.JSON) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("agent", [exit_program, exit_program_in_a_thread, interrupt_itself])
def test_an_agent_that_would_end_the_program_ends_its_own_run_as_failed(agent: aio.Agent) -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS, agent) as runtime:
            port = await runtime.listen()
            for _ in range(2):
                said = partial(with_client, port, "alice", partial(say, "go"))
                assert kinds(await runtime.call(said))[-1] == "agent_failed"

    asyncio.run(main())


def test_the_task_of_an_agent_has_its_name() -> None:
    names = []

    async def gardener(run: aio.Run, said: greenroom.JSON) -> None:
        task = asyncio.current_task()
        names.append("" if task is None else task.get_name())

    async def main() -> None:
        async with aio.open_runtime(SETTINGS, gardener) as runtime:
            port = await runtime.listen()
            await runtime.call(partial(with_client, port, "alice", partial(say, "go")))

    asyncio.run(main())
    assert names == [gardener.__qualname__]
