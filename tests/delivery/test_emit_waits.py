"""An emit waits for room in the mailbox of its user's actor."""

from __future__ import annotations

import functools

import pytest
import trio
import trio.testing

from greenroom import Run, UserContext
from greenroom.delivery.errors import UserUnavailable
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.delivery.run.timeouts import GRACE_SECONDS
from greenroom.delivery.user.handle import UserHandle
from tests.delivery.backstage import IDS, open_backstage
from tests.delivery.full_mailbox import HeldBack, fill

pytestmark = [pytest.mark.requirement("R02"), pytest.mark.fault("W1")]


async def emits_waiting(user: UserHandle, count: int) -> None:
    await trio.testing.wait_all_tasks_blocked()
    assert user.actor.statistics().senders_waiting == count


async def test_emits_wait_for_room_and_keep_their_order() -> None:
    async with open_backstage() as stage, stage.run() as run:
        faults = await fill(run._user)
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(functools.partial(run.agent_thinking, text=str(number)))
                await emits_waiting(run._user, number + 1)
            faults.release()
        assert [data["text"] for data in (await stage.data())[1:]] == list("01234")


async def test_an_emit_cancelled_while_it_waits_for_room_has_said_nothing() -> None:
    async with open_backstage() as stage, stage.run() as run:
        faults = await fill(run._user)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(functools.partial(run.tool_executing, tool_name="t"))
                await emits_waiting(run._user, 1)
                scope.cancel()
        await emits_waiting(run._user, 0)
        with pytest.raises(OutOfOrder, match="no tool 't' is executing"):
            await run.tool_completed(tool_name="t", result=1)
        faults.release()
        await run.agent_thinking(text="on")
        assert (await stage.kinds())[1:] == ["agent_thinking"]


async def test_emits_that_wait_for_room_fail_when_the_users_actor_ends() -> None:
    async with open_backstage() as stage, stage.run() as run:
        user, failed = run._user, list[type[Exception]]()
        held = await fill(user)

        async def emit() -> None:
            try:
                await run.agent_thinking(text="never")
            except UserUnavailable as error:
                failed.append(type(error))

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(emit)
                await emits_waiting(user, number + 1)
            await user.tree.terminate_child("outbox")
        assert failed == [UserUnavailable] * 3
        held.release()
        await user.tree.restart_child("outbox")
        await run.agent_thinking(text="again")
        assert (await stage.kinds())[1:] == ["agent_thinking"]


async def test_nothing_follows_the_end_of_a_run_that_was_ended_while_it_waited_for_room(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Its code is shielded, so it is ended from outside: what waits for room is taken back."""
    refused: list[str] = []
    context = UserContext.new(user="alice")
    async with open_backstage() as stage, stage.users.lease(context.user) as user:

        async def emit_shielded(run: Run) -> None:
            with trio.CancelScope(shield=True):
                try:
                    await run.agent_thinking(text="too late")
                except OutOfOrder as error:
                    refused.append(str(error))

        async def work() -> None:
            run = Run(context, agent="analyst", user=user, ids=IDS)
            async with run.live():
                faults.append(await fill(user))
                run.cancel()
                await emit_shielded(run)

        faults: list[HeldBack] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await trio.sleep(1)
            await emits_waiting(user, 1)
            await trio.sleep(GRACE_SECONDS + 1)
            faults[0].release()
        assert refused == [
            "agent_thinking is not allowed now: the run was ended while the event waited for room "
            "(an agent must stop when it is cancelled)"
        ]
        await trio.testing.wait_all_tasks_blocked()
        assert await stage.kinds() == ["agent_started", "agent_failed"]
