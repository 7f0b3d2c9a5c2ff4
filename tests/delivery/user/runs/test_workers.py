"""Workers: nodes that begin the runs of messages which other nodes have kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import attrs
import pytest
import trio

from greenroom.admin.disconnecting import Disconnects
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.going_on import NotAgain
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.attempts.attempt import RunAttempt, WhenLost
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.bans import Bans
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import UserSays
from greenroom.delivery.user.runs.run_queue import TooManyRuns
from tests.delivery.backstage import ALICE, BOB, IDS, Backstage, open_backstage
from tests.delivery.shared.shared_place import SharedJournal, SharedPlace

LEFT_TO_WORKERS = WhenLost("cook", queued=True)


@attrs.define
class Cook:
    """An agent that says what it was asked. One that is `slow` ends when it is told to."""

    slow: bool = False
    helped: bool = False
    begun: list[JSON] = attrs.field(factory=list)
    ready: trio.Event = attrs.field(factory=trio.Event)

    async def __call__(
        self, user: UserHandle, context: UserContext, said: JSON, attempt: RunAttempt
    ) -> None:
        async with Run(context, agent="cook", user=user, ids=IDS, attempt=attempt).live() as run:
            if self.helped:
                async with run.sub_run(agent="helper") as helper, helper.tool("stir"):
                    self.begun.append(said)
                    await self.ready.wait()
            self.begun.append(said)
            if self.slow:
                await self.ready.wait()
            await run.final_report(report=said)


@asynccontextmanager
async def web(place: SharedPlace, *, queue_seconds: float = 300.0) -> AsyncIterator[Backstage]:
    async with (
        place.open() as journal,
        open_backstage(
            journal, when_lost=LEFT_TO_WORKERS, queue_seconds=queue_seconds, runs_per_user=2
        ) as stage,
    ):
        yield stage


@asynccontextmanager
async def worker(
    place: SharedPlace, cook: Cook, *, most: int = 8, attempts: int = 1, lease: float = 60
) -> AsyncIterator[Backstage]:
    async with (
        place.open(lease) as journal,
        open_backstage(
            journal,
            converse=cook,
            when_lost=WhenLost("cook", {"cook": attempts}),
            work=most,
            runs_per_user=2,
        ) as stage,
    ):
        yield stage


async def say(stage: Backstage, words: str, user: UserId = ALICE) -> RunId:
    async with stage.users.lease(user) as handle:
        return (await handle.actor.ask(UserSays(words, None, None, words))).run


async def lose_lease(stage: Backstage, place: SharedPlace) -> None:
    """As if the node had stood still for longer than its lease."""
    assert isinstance(stage.journal, SharedJournal)
    await place.stand_still(stage.journal)


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not holds():  # noqa: ASYNC110  # nothing announces it
            await trio.sleep(0.01)


async def until_ended(stage: Backstage, runs: int = 1, user: str = "alice") -> list[str]:
    with trio.fail_after(60):
        while True:
            kinds = await stage.kinds(user)
            if sum(each in ("agent_completed", "agent_failed") for each in kinds) >= runs:
                return kinds
            await trio.sleep(0.02)


async def test_a_worker_answers_what_a_user_says_on_a_web_node(
    place: SharedPlace, caplog: pytest.LogCaptureFixture
) -> None:
    cook = Cook()
    caplog.set_level("INFO")
    async with web(place) as here, worker(place, cook), here.client() as client:
        run = await say(here, "soup")
        await until(lambda: "agent_completed" in client.kinds)
        assert f"run {run} begins in 0.0 s" in caplog.messages
        assert client.kinds == ["user_said", "agent_started", "final_report", "agent_completed"]
        assert cook.begun == ["soup"]
        [user] = here.users.active()
        assert (user.live_runs, len(user.turns)) == ({}, 0)


async def test_each_run_of_many_begins_once_on_one_of_two_workers(place: SharedPlace) -> None:
    cook = Cook()
    async with (
        web(place) as here,
        web(place) as there,
        worker(place, cook),
        worker(place, cook),
    ):
        for number in range(12):
            await say(here, f"a{number}")
            await say(there, f"b{number}", BOB)
        await until_ended(here, 12)
        await until_ended(here, 12, "bob")
        said = [f"{user}{number}" for user in "ab" for number in range(12)]
        assert Counter(map(str, cook.begun)) == Counter(said)


async def test_a_user_with_many_messages_does_not_hold_up_another_one(
    in_postgres: SharedPlace,
) -> None:
    cook = Cook(slow=True)
    async with web(in_postgres) as here:
        for number in range(20):
            await say(here, f"a{number}")
        await say(here, "b", BOB)
        async with worker(in_postgres, cook, most=3):
            await until(lambda: len(cook.begun) == 3)
            assert sorted(map(str, cook.begun)) == ["a0", "a1", "b"]
            cook.ready.set()
            await until_ended(here, 20)


async def test_a_user_has_no_more_runs_in_the_queue_than_on_one_node(
    in_postgres: SharedPlace,
) -> None:
    async with web(in_postgres) as here:
        for number in range(34):
            await say(here, f"a{number}")
        with pytest.raises(TooManyRuns):
            await say(here, "one more")
        await here.crash("alice")
        with pytest.raises(TooManyRuns):
            await say(here, "one more")
        assert await say(here, "a1") == (await here.records())[1].run


async def test_two_web_nodes_that_keep_messages_at_once_let_no_more_wait_than_the_limit(
    place: SharedPlace,
) -> None:
    async with web(place) as here, web(place) as there:
        kept: list[RunId] = []

        async def try_to_say(stage: Backstage, words: str) -> None:
            with suppress(TooManyRuns):
                kept.append(await say(stage, words))

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(try_to_say, here, f"a{number}")
                nursery.start_soon(try_to_say, there, f"b{number}")
        assert len(kept) == len(await here.records()) == 34


async def test_a_run_that_waits_is_cancelled_without_a_worker(place: SharedPlace) -> None:
    async with web(place) as here, here.users.lease(ALICE) as user:
        run = await say(here, "soup")
        kept = user.cancel(run)
        assert kept is not None
        await kept.wait()
        assert await until_ended(here) == ["user_said", "agent_completed"]
        assert (await here.data())[-1] == {"outcome": "cancelled"}


async def test_a_worker_finds_by_itself_that_a_run_is_stopped(in_postgres: SharedPlace) -> None:
    cook = Cook(slow=True)
    async with web(in_postgres) as here, worker(in_postgres, cook):
        run = await say(here, "soup")
        await until(lambda: bool(cook.begun))
        await here.journal.append([NotAgain(ALICE, run)])  # without a notice
        await until_ended(here)
        assert (await here.data())[-1] == {"outcome": "cancelled"}


async def test_a_run_fails_when_there_was_no_worker_for_long(in_postgres: SharedPlace) -> None:
    async with web(in_postgres, queue_seconds=0.5) as here:
        await say(here, "soup")
        assert await until_ended(here) == ["user_said", "agent_failed"]
        data = (await here.data())[-1]
        assert (data["error"], data["reason"]) == ("NoWorker", "timeout")


async def test_a_run_waits_for_its_turn_as_long_as_there_is_a_worker(
    in_postgres: SharedPlace,
) -> None:
    cook = Cook(slow=True)
    async with web(in_postgres, queue_seconds=0.1) as here, worker(in_postgres, cook, most=1):
        await say(here, "soup")
        await until(lambda: bool(cook.begun))
        await say(here, "salad")
        await trio.sleep(1.5)
        cook.ready.set()
        assert "agent_failed" not in await until_ended(here, 2)


async def test_a_user_who_is_disconnected_with_all_runs_has_none_in_the_queue(
    in_postgres: SharedPlace,
) -> None:
    """Though no server has the user in memory."""
    async with web(in_postgres) as here:
        await say(here, "soup")
    async with web(in_postgres) as here:
        assert here.users.find(ALICE) is None
        desk = Disconnects(here.users, Bans(time.time), here.journal)
        await desk.disconnect(ALICE, cancel_runs=True)
        assert await until_ended(here) == ["user_said", "agent_completed"]


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("attempts", [1, 2])
async def test_a_run_of_a_worker_that_is_gone_ends_or_goes_on_at_another_one_after_its_sub_run(
    attempts: int, place: SharedPlace
) -> None:
    frozen, cook = Cook(slow=True, helped=True), Cook()
    async with web(place) as here, worker(place, frozen, attempts=attempts, most=1) as gone:
        run = await say(here, "soup")
        await until(lambda: bool(frozen.begun))
        async with worker(place, cook, attempts=attempts) as other:
            await say(other, "salad")  # its actor knows the user and follows the runs
            await until_ended(here)
            gone.users.begin_drain()  # otherwise it may take the run again
            await lose_lease(gone, place)
            await until_ended(here, 3)
            records = [each for each in await here.records() if run in (each.run, each.parent)]
        kinds = [str(each.kind) for each in records]
        ends = ["tool_completed", *["agent_failed"] * (2 if attempts == 1 else 1)]
        again = ["agent_started", "final_report", "agent_completed"] if attempts > 1 else []
        begun = ["user_said", "agent_started", "agent_started", "tool_executing"]
        assert kinds == [*begun, *ends, *again]
        assert records[-1].run == run


@pytest.mark.requirement("R56")
async def test_a_worker_that_stops_takes_no_more_and_leaves_the_rest_to_another_one(
    place: SharedPlace,
) -> None:
    stopping, cook = Cook(slow=True), Cook()
    async with web(place) as here:
        async with worker(place, stopping, attempts=2) as leaving:
            run = await say(here, "soup")
            await until(lambda: bool(stopping.begun))
            leaving.users.begin_drain()
            await say(here, "salad")
            async with worker(place, cook, attempts=2):
                await until(lambda: "salad" in cook.begun)
                assert stopping.begun == ["soup"]
                for user in leaving.users.active():
                    for live in list(user.live_runs.values()):
                        live.stop()
                await leaving.journal.aclose()
                await until_ended(here, 2)
                assert "soup" in cook.begun
        ends = [each for each in await here.records() if str(each.kind) == "agent_completed"]
        assert [each.run for each in ends].count(run) == 1
