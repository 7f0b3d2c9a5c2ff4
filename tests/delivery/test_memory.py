"""What is over is given back at once: nothing of it waits for the garbage collector."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from greenroom.actors.mailbox import Mailbox
from greenroom.actors.ref import Ref
from greenroom.actors.timers import Timers
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.actor import UserActor
from greenroom.delivery.user.handle import UserHandle
from greenroom.supervisor.child import Child, Life
from greenroom.supervisor.supervisor_ref import SupervisorRef
from tests.delivery.backstage import Socket, open_backstage

pytestmark = pytest.mark.fault("S14")

OF_A_USER = (
    *(UserActor, UserHandle, Outbox, Socket, Run),
    *(Ref, Mailbox, Timers, SupervisorRef, Child, Life),
)


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def alive() -> Counter[str]:
    """How many there are of what a user is made of."""
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, OF_A_USER))


@pytest.mark.usefixtures("uncollected")
async def test_users_that_were_passivated_leave_nothing_behind(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(idle_seconds=1) as stage:

        async def come_and_go(name: str) -> None:
            async with stage.client(name) as client:
                async with stage.run(name) as run:
                    async with run.tool("look up"):
                        await run.agent_thinking(text="hm")
                    async with run.sub_run(agent="helper"):
                        pass
                await trio.testing.wait_all_tasks_blocked()
                assert client.kinds[-1] == "agent_completed"

        await come_and_go("first")
        await trio.sleep(5)
        before = alive()
        for number in range(20):
            await come_and_go(f"user{number}")
        assert alive().total() > before.total() + 20 * len(OF_A_USER)
        await trio.sleep(5)
        assert stage.users.active() == ()
        assert alive() - before == Counter()


@pytest.mark.usefixtures("uncollected")
async def test_runs_that_ended_leave_nothing_behind_while_their_user_stays(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage, stage.users.lease("alice"):  # type: ignore[arg-type]  # a str will do
        before = alive()
        for _ in range(20):
            async with stage.run() as run:
                await run.agent_thinking(text="hm")
            with pytest.raises(ZeroDivisionError):
                async with stage.run() as run:
                    raise ZeroDivisionError
        del run
        await trio.testing.wait_all_tasks_blocked()
        assert alive()["Run"] == before["Run"]


@pytest.mark.usefixtures("uncollected")
async def test_connections_that_left_leave_nothing_behind_while_their_user_stays(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage, stage.run() as run:

        async def come_and_go(times: int) -> Counter[str]:
            for _ in range(times):
                async with stage.client() as client:
                    await run.agent_thinking(text="hm")
                    await trio.testing.wait_all_tasks_blocked()
                    handle = stage.users.active()[0]
                    await handle.connections.terminate_child(client.socket.connection)
            return alive()

        before = await come_and_go(20)  # the user's actor remembers the last messages it took
        assert await come_and_go(40) - before == Counter()
