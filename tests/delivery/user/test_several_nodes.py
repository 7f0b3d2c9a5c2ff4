"""Several nodes serve one user from one journal: each event once, in order, without gaps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.errors import EventNotKept, OutOfSequence
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import AnswerAsk, UserSays
from greenroom.delivery.user.names import child_id
from greenroom.delivery.user.nodes import catching_up
from greenroom.delivery.user.nodes.messages import LoseRuns, OthersAppended, RunsTakenOver
from tests.delivery.backstage import ALICE, Backstage, open_backstage
from tests.delivery.user.nodes_in_memory import NodeDisk, SharedStore
from tests.delivery.user.runs.broken import AGAIN


@asynccontextmanager
async def nodes(many: int) -> AsyncIterator[list[Backstage]]:
    """Nodes that serve alice from one journal, and are not woken by each other."""
    store = SharedStore()
    async with AsyncExitStack() as stack:
        disks = [NodeDisk(store, str(number)) for number in range(many)]
        stages = [await stack.enter_async_context(open_backstage(disk)) for disk in disks]
        for stage in stages:
            await stack.enter_async_context(stage.users.lease(ALICE))
        yield stages


def disk_of(stage: Backstage) -> NodeDisk:
    assert isinstance(stage.journal, NodeDisk)
    return stage.journal


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_nodes_that_race_for_a_user_leave_one_log_that_every_client_sees_once() -> None:
    async with nodes(3) as stages, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(stage.client()) for stage in stages]

        async def speak(stage: Backstage, number: int) -> None:
            async with stage.run() as run:
                for piece in range(20):
                    await run.agent_thinking(text=f"{number}.{piece}")
                    await trio.lowlevel.checkpoint()
                await run.final_report(report="done")

        async with trio.open_nursery() as nursery:
            for number, stage in enumerate(stages):
                nursery.start_soon(speak, stage, number)
        for stage in stages:
            [user] = stage.users.active()
            user.actor.tell(OthersAppended())
        await settled()
        records = await stages[0].records()
        assert [record.offset for record in records] == list(range(1, 3 * 23 + 1))
        for client in clients:
            assert [each.id for each in client.socket.records] == [each.id for each in records]
        for stage in stages:
            assert stage.root.crashes() == ()


async def test_an_event_is_kept_after_what_other_nodes_said_meanwhile() -> None:
    async with nodes(2) as [here, there], here.client() as client:
        async with there.run() as other, here.run() as run:
            for _ in range(300):  # more than a page
                await other.agent_thinking(text="there")
            await run.final_report(report="here")
        await settled()
        assert client.offsets == list(range(1, 304 + 1))
        assert client.kinds.count("final_report") == 1


async def test_a_repeated_say_on_another_node_is_answered_with_the_first_ones_run() -> None:
    async with nodes(2) as stages:
        users = [user for stage in stages for user in stage.users.active()]
        first, again = [await user.actor.ask(UserSays("s1", None, None, "hi")) for user in users]
        await settled()
        assert first == again
        assert (await stages[0].kinds()).count("user_said") == 1


async def test_a_question_is_answered_on_another_node_and_has_one_end() -> None:
    async with nodes(2) as [here, there]:
        async with here.run() as run, run.ask("Which?") as ask:
            [user] = there.users.active()
            user.actor.tell(OthersAppended())
            await settled()
            await user.actor.ask(AnswerAsk(ask.id, None, "this"))
            [here_too] = here.users.active()
            with pytest.raises(GreenroomError):
                await here_too.actor.ask(AnswerAsk(ask.id, None, "other"))
            assert await ask == "this"
        assert (await here.kinds()).count("input_answered") == 1
        assert "input_closed" not in await here.kinds()


@pytest.mark.requirement("R56")
async def test_whether_a_run_goes_on_was_decided_by_the_node_that_kept_its_message() -> None:
    store = SharedStore()
    began: list[str] = []

    async def answer(user: UserHandle, context: UserContext, said: JSON, _: RunAttempt) -> None:
        began.append(str(said))
        await trio.sleep_forever()

    one, other = NodeDisk(store, "one"), NodeDisk(store, "other")
    async with (
        open_backstage(one, converse=answer) as here,
        open_backstage(other, converse=answer, when_lost=AGAIN) as there,
        here.users.lease(ALICE) as user,
        there.users.lease(ALICE) as elsewhere,
    ):
        run = (await user.actor.ask(UserSays("s1", None, None, "hi"))).run
        elsewhere.actor.tell(OthersAppended())
        await settled()
        await user.actor.ask(LoseRuns())
        store.began[run] = "other"
        elsewhere.actor.tell(RunsTakenOver([run]))
        await settled()
        assert await there.kinds() == ["user_said", "agent_failed"]
        assert began == ["hi"]


async def test_an_answer_is_kept_after_what_the_run_said_meanwhile_on_its_node() -> None:
    async with nodes(2) as [here, there], here.run() as run, run.ask("Which?") as ask:
        [user] = there.users.active()
        user.actor.tell(OthersAppended())
        await settled()
        await run.agent_thinking(text="not followed there yet")
        await user.actor.ask(AnswerAsk(ask.id, None, "this"))
        [here_too] = here.users.active()
        here_too.actor.tell(OthersAppended())
        assert await ask == "this"


async def test_what_a_node_had_to_say_at_its_end_follows_what_others_said() -> None:
    async with nodes(2) as [here, there], there.run() as other:
        disk = disk_of(here)
        async with here.run() as run:
            disk.hold()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(run.final_report, report="the last"))
                await settled()
                await other.agent_thinking(text="before it")
                nursery.start_soon(here.users._supervisor().terminate_child, child_id(ALICE))
                await settled()
                disk.release()
        records = await here.records()
        assert [each.offset for each in records] == list(range(1, len(records) + 1))
        assert "final_report" in await here.kinds()


async def test_an_emitter_that_always_comes_too_late_gets_an_error() -> None:
    async with nodes(1) as [here], here.run() as run:
        disk = disk_of(here)
        late = OutOfSequence("alice", 9, 2)
        disk.errors += [late] * (catching_up.MOST_TRIES + 1)
        with pytest.raises(EventNotKept) as refused:
            await run.final_report(report="here")
        assert refused.value.temporary
        assert disk.errors == []
        await run.final_report(report="again")


async def test_an_emitter_that_comes_too_late_most_times_is_kept() -> None:
    async with nodes(1) as [here], here.run() as run:
        disk_of(here).errors += [OutOfSequence("alice", 9, 2)] * 100
        await run.final_report(report="here")
        assert disk_of(here).errors == []


async def test_an_emitter_gets_an_error_while_the_log_cannot_be_read_on() -> None:
    async with nodes(2) as [here, there], here.run() as run:
        async with there.run():
            disk_of(here).unread = True
            with pytest.raises(EventNotKept, match="cannot be read"):
                await run.final_report(report="here")
            disk_of(here).unread = False
            await run.final_report(report="here")
        assert [each.offset for each in await here.records()] == [1, 2, 3, 4]


async def test_nothing_of_a_run_is_kept_that_another_node_has() -> None:
    async with nodes(1) as [here]:
        async with here.run() as run:
            [user] = here.users.active()
            await user.actor.ask(LoseRuns())
            with pytest.raises(EventNotKept, match="another node"):
                await run.final_report(report="too late")
            with pytest.raises(EventNotKept, match="another node"):
                async with run.sub_run(agent="helper"):
                    pass
        assert await here.kinds() == ["agent_started"]


async def test_a_user_whom_another_node_erased_is_loaded_again() -> None:
    async with nodes(2) as [here, there]:
        async with here.run() as run:
            await run.final_report(report="here")
        await there.users.erase(ALICE)
        with pytest.raises(GreenroomError):
            async with here.run():
                pass
        await settled()
        async with here.run() as run:
            await run.final_report(report="new")
        assert [each.offset for each in await here.records()] == [1, 2, 3]
