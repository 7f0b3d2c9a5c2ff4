"""What cuts a run, and that the user hears of its end whatever its code does then."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

from greenroom import Run, Settings, UserContext, open_runtime
from greenroom.delivery.errors import RunStopped, RunTimedOut
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.delivery.run.timeouts import GRACE_SECONDS, Timeouts
from greenroom.runtime import Runtime
from tests.delivery.backstage import ALICE, IDS, Backstage, Disk, open_backstage

STANDARD = Timeouts(agent_seconds=60, connection_seconds=100)
Body = Callable[[Run], Awaitable[object]]


async def run_cut(stage: Backstage, body: Body, *, timeouts: Timeouts = STANDARD) -> Run:
    """A run of `body`, as an embedding program would have it; stopped ones raise."""
    context = UserContext.new(user="alice")
    async with stage.users.lease(context.user) as user:
        run = Run(context, agent="analyst", user=user, ids=IDS, timeouts=timeouts)
        async with run.live():
            await body(run)
    return run


async def last(stage: Backstage) -> tuple[str, dict[str, Any]]:
    await trio.testing.wait_all_tasks_blocked()
    return (await stage.kinds())[-1], (await stage.data())[-1]


@pytest.mark.requirement("R11")
async def test_a_run_of_37_seconds_is_never_cut_on_standard(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def work(run: Run) -> None:
        await trio.sleep(37)
        await run.final_report(report="done")

    least = Timeouts(agent_seconds=40, connection_seconds=45)
    for timeouts in (Timeouts(), least):
        async with open_backstage() as stage:
            await run_cut(stage, work, timeouts=timeouts)
            assert await last(stage) == ("agent_completed", {"outcome": "ok"})


@pytest.mark.requirement("R28")
@pytest.mark.requirement("R11")
async def test_a_run_over_its_limit_is_cut_and_ends_as_timed_out(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hang(run: Run) -> None:
        async with run.tool("slow"):
            await trio.sleep_forever()

    async with open_backstage() as stage:
        began = trio.current_time()
        with pytest.raises(RunTimedOut):
            await run_cut(stage, hang)
        assert trio.current_time() - began == pytest.approx(60)
        kind, data = await last(stage)
        assert (kind, data["reason"]) == ("agent_failed", "timeout")
        assert "60 s" in data["message"]
        assert await stage.kinds() == [
            *("agent_started", "tool_executing", "tool_completed", "agent_failed")
        ]


@pytest.mark.requirement("R30")
async def test_a_run_over_its_limit_takes_its_sub_runs_along(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hang(run: Run) -> None:
        async with run.sub_run(agent="scout"):
            await trio.sleep_forever()

    async with open_backstage() as stage:
        with pytest.raises(RunTimedOut):
            await run_cut(stage, hang)
        failed = [data for data in await stage.data() if "reason" in data]
        assert [data["reason"] for data in failed] == ["timeout", "timeout"]
        assert all("60 s" in data["message"] for data in failed)


@pytest.mark.requirement("R11")
async def test_a_run_may_be_given_more_time_while_it_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def work(run: Run) -> None:
        run.set_limit(90)
        await trio.sleep(89)
        with pytest.raises(ValueError, match="from 40 to 95 for a run on tier standard"):
            run.set_limit(96)
        await trio.sleep(2)

    async with open_backstage() as stage:
        began = trio.current_time()
        with pytest.raises(RunTimedOut):
            await run_cut(stage, work)
        assert trio.current_time() - began == pytest.approx(90)


async def test_a_run_cut_by_the_user_at_its_limit_is_cancelled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hang(run: Run) -> None:
        run.cancel()
        await trio.sleep(100)

    async with open_backstage() as stage:
        await run_cut(stage, hang)
        assert await last(stage) == ("agent_completed", {"outcome": "cancelled"})


async def test_a_run_the_server_stops_is_lost_and_says_so_to_the_code_around_it() -> None:
    async def hang(run: Run) -> None:
        run.stop()
        await trio.sleep_forever()

    async with open_backstage() as stage:
        with pytest.raises(RunStopped):
            await run_cut(stage, hang)
        assert (await last(stage))[1]["reason"] == "lost"


async def shielded(run: Run) -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(300)


@pytest.mark.requirement("R28")
async def test_code_that_does_not_stop_is_reported_by_name_and_the_run_ends_without_it(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_backstage() as stage, trio.open_nursery() as nursery:

        async def hang() -> None:
            with pytest.raises(RunTimedOut):
                await run_cut(stage, shielded)

        nursery.start_soon(hang)
        await trio.sleep(60 + GRACE_SECONDS - 0.1)
        assert await stage.kinds() == ["agent_started"]
        await trio.sleep(0.2)
        kind, data = await last(stage)
        assert (kind, data["reason"]) == ("agent_failed", "timeout")
        (record,) = [each for each in caplog.records if "does not stop" in each.getMessage()]
        assert "analyst" in record.getMessage()
        assert "in shielded (" in record.getMessage()
        assert __file__ in record.getMessage()
        await trio.sleep(300)
    assert (await stage.kinds()).count("agent_failed") == 1


@pytest.mark.requirement("R28")
async def test_code_that_swallows_its_cancellation_is_told_from_code_that_is_done(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The run is over for the user; what the agent says after that is refused."""

    async def swallow(run: Run) -> None:
        run.cancel()
        with trio.CancelScope(shield=True):
            await trio.sleep(GRACE_SECONDS + 1)
            with pytest.raises(OutOfOrder):
                await run.agent_thinking(text="still here")

    async with open_backstage() as stage:
        await run_cut(stage, swallow)
        assert await stage.kinds() == ["agent_started", "agent_failed"]


@pytest.mark.requirement("R28")
@pytest.mark.requirement("R30")
async def test_code_that_does_not_stop_takes_its_sub_runs_along(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hang(run: Run) -> None:
        async with run.sub_run(agent="scout") as scout:
            run.cancel()
            await shielded(scout)

    async with open_backstage() as stage, trio.open_nursery() as nursery:
        nursery.start_soon(functools.partial(run_cut, stage, hang))
        await trio.sleep(GRACE_SECONDS + 0.1)
        await trio.testing.wait_all_tasks_blocked()
        assert (await stage.kinds())[2:] == ["agent_failed", "agent_failed"]
        assert await stage.journal.open_runs(UserId("alice")) == []
        await trio.sleep(300)


def settings(**chosen: Any) -> Settings:
    return Settings(journal=":memory:", **chosen)


@pytest.mark.requirement("R11")
async def test_the_runtime_holds_runs_to_the_settings(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def take(runtime: Runtime, **chosen: Any) -> float:
        began = trio.current_time()
        with pytest.raises(RunTimedOut):
            async with runtime.run(user="alice", agent="analyst", **chosen):
                await trio.sleep_forever()
        return trio.current_time() - began

    async with open_runtime(settings(agent_seconds=50, connection_seconds=200)) as runtime:
        assert await take(runtime) == pytest.approx(50)
        assert await take(runtime, seconds=195) == pytest.approx(195)
        with pytest.raises(ValueError, match="40 to 195"):
            runtime.run(user="alice", seconds=196)


async def test_an_error_of_the_code_is_told_though_its_time_is_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def fail(run: Run) -> None:
        try:
            await trio.sleep(100)
        finally:
            raise BadEvent("boom")

    async with open_backstage() as stage:
        with pytest.raises(BadEvent):
            await run_cut(stage, fail)
        assert (await last(stage))[1]["reason"] == "crash"


@pytest.mark.requirement("R28")
async def test_a_run_cut_before_it_begins_is_held_to_its_grace_as_well(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage, trio.open_nursery() as nursery:

        async def begin_cut() -> None:
            context = UserContext.new(user="alice")
            async with stage.users.lease(context.user) as user:
                run = Run(context, agent="analyst", user=user, ids=IDS, timeouts=STANDARD)
                run.cancel()
                async with run.live():
                    await shielded(run)

        nursery.start_soon(begin_cut)
        await trio.sleep(GRACE_SECONDS + 0.1)
        assert (await last(stage))[0] == "agent_failed"
        await trio.sleep(300)


@pytest.mark.fault("S10")
async def test_a_run_is_ended_also_when_its_shielded_code_waits_for_a_sub_run_to_begin(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.users.lease(ALICE) as user:
        run = Run(UserContext.new(user="alice"), agent="a", user=user, ids=IDS)

        async def agent() -> None:
            async with run.live():
                disk.hold()
                with trio.CancelScope(shield=True):
                    async with run.sub_run(agent="b") as sub_run:
                        with pytest.raises(OutOfOrder):
                            await sub_run.agent_thinking(text="is anybody there?")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(agent)
            await trio.testing.wait_all_tasks_blocked()
            run.cancel()  # the user presses Stop
            await trio.sleep(60)
            assert "does not stop" in caplog.text
            disk.release()
        await trio.testing.wait_all_tasks_blocked()
        assert run.ended
        assert await stage.kinds() == [
            *("agent_started", "agent_started", "agent_failed", "agent_failed")
        ]
