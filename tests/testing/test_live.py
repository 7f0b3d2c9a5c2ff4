"""The fixtures `runtime` and `connect`: the real thing, with no network and no wall clock."""

from __future__ import annotations

import pytest
import trio

from greenroom import Run, Runtime
from greenroom.testing.live import InMemoryDoor

pytestmark = [pytest.mark.requirement("R41"), pytest.mark.requirement("R22")]


@pytest.fixture
def greenroom_agents():
    async def echo(run: Run, said: object) -> None:
        await run.final_report(report=said)

    return echo


async def test_an_event_of_a_run_reaches_the_client_of_its_user_and_no_other(
    runtime: Runtime, connect: InMemoryDoor
) -> None:
    alice, eve = await connect("alice"), await connect("eve")

    async with runtime.run(user="alice", agent="analyst") as run:
        await run.agent_thinking(text="hm")

    kinds = [event["kind"] for event in await alice.events(3)]
    assert kinds == ["agent_started", "agent_thinking", "agent_completed"]
    with trio.move_on_after(5):
        raise AssertionError(f"eve got {await eve.receive('events')}")


async def test_fewer_events_than_asked_for_are_told_with_what_came(
    runtime: Runtime, connect: InMemoryDoor
) -> None:
    tab = await connect("alice")
    async with runtime.run(user="alice"):
        pass

    with pytest.raises(AssertionError) as fewer:
        await tab.events(5)

    assert str(fewer.value).startswith("only 2 of 5 events came, then")
    assert str(fewer.value).endswith(": agent_started, agent_completed")


async def test_what_a_client_says_is_answered_by_the_agent(connect: InMemoryDoor) -> None:
    tab = await connect("alice")

    await tab.send("say", id="1", body="hello")

    assert (await tab.receive("reply"))["ok"] is True
    kinds = [event["kind"] for event in await tab.events(4)]
    assert kinds == ["user_said", "agent_started", "final_report", "agent_completed"]


async def test_a_client_resumes_its_session_where_it_was(
    runtime: Runtime, connect: InMemoryDoor
) -> None:
    tab = await connect("alice")
    await tab.close()
    async with runtime.run(user="alice"):
        pass

    again = await connect("alice", session=tab.ready["session"], epoch=tab.ready["epoch"], offset=0)

    assert again.ready["session"] == tab.ready["session"]
    assert len(await again.events(2)) == 2


async def test_time_is_a_mock_clocks_so_deadlines_come_at_once(connect: InMemoryDoor) -> None:
    silent = await connect("bob", hello=False)
    before = trio.current_time()

    closing = await silent.receive("closing")

    assert closing["code"] == 4102
    assert trio.current_time() - before == pytest.approx(10)


async def test_a_tab_that_is_read_from_stays_connected_for_hours(connect: InMemoryDoor) -> None:
    tab = await connect("alice")

    with trio.move_on_after(7200):
        await tab.receive("events")

    await tab.send("say", id="1", body="still here")
    assert (await tab.receive("reply"))["ok"] is True
