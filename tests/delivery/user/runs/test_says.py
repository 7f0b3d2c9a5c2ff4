"""A `say` is one trip to the journal: an append on the condition that its key is new."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from greenroom.actors.timers import alarm_clock
from greenroom.delivery.errors import AlreadySaid
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import Said, Unsaid
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import RunStarted, UserSays
from greenroom.delivery.user.runs.run_queue import RUNS_AT_ONCE, RUNS_WAITING, TooManyRuns
from greenroom.delivery.user.runs.says import SayConflict
from tests.delivery.backstage import ALICE, IDS, Disk, open_backstage
from tests.delivery.journal.held_journal import open_held
from tests.delivery.journal.journal_conformance import BACKENDS, BOB, RUNS, OpenJournal, record

pytestmark = pytest.mark.requirement("R08")


async def say(user: UserHandle, key: str, body: JSON = "hello") -> RunStarted:
    return await user.actor.ask(UserSays(key, None, None, body))


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


class AskedDisk(Disk):
    """Writes down what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[object] = []

    def seek(self, question: Question[Any]) -> None:
        self.questions.append(question)


# The journal


@pytest.fixture(params=BACKENDS)
def open_journal(request: pytest.FixtureRequest) -> OpenJournal:
    return BACKENDS[request.param]


async def test_an_append_on_the_condition_of_a_new_key_is_refused_with_who_had_it(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    said = record(1, kind=Kind.USER_SAID, say="s1", run=RUNS[0])
    again = record(2, kind=Kind.USER_SAID, say="s1", run=RUNS[1])
    async with open_journal(tmp_path) as journal:
        await journal.append([said, Unsaid(ALICE, "s1")])
        with pytest.raises(AlreadySaid) as caught:
            await journal.append([again, Unsaid(ALICE, "s1")])
        assert caught.value.say == "s1"
        assert caught.value.said == Said(RUNS[0], said.thread, said.body)
        assert (await journal.bounds(ALICE)).last == 1
        assert journal.statistics().failures == 0
        await journal.append([Unsaid(ALICE, "s2"), Unsaid(BOB, "s1")])
        await journal.trim(ALICE, through=1)
        await journal.append([again, Unsaid(ALICE, "s1")])  # forgotten


async def test_a_message_that_is_repeated_does_not_fail_the_others_of_its_group(
    tmp_path: Path,
) -> None:
    async with open_held(tmp_path) as held:
        first = held.append("first", record(1, kind=Kind.USER_SAID, say="s1"))
        held.release()
        await first.wait()
        await held.hold()
        again = held.append("again", record(2, say="s1"), Unsaid(ALICE, "s1"))
        bobs = held.append("bob's", record(1, user=BOB, say="s1"), Unsaid(BOB, "s1"))
        held.release()
        with pytest.raises(AlreadySaid):
            await again.wait()
        await bobs.wait()
        assert held.commits.errors == []


async def test_a_message_that_is_repeated_costs_the_others_of_its_group_few_commits(
    tmp_path: Path,
) -> None:
    others = [UserId.parse(f"user-{number}") for number in range(63)]
    async with open_held(tmp_path) as held:
        first = held.append("first", record(1, kind=Kind.USER_SAID, say="s1"))
        held.release()
        await first.wait()
        await held.hold()
        held.commits.sizes.clear()
        again = held.append("again", record(2, say="s1"), Unsaid(ALICE, "s1"))
        replies = [held.append(user, record(1, user=user)) for user in others]
        held.release()
        with pytest.raises(AlreadySaid):
            await again.wait()
        for reply in replies:
            await reply.wait()
        assert held.landed == ["first", "again", *others]
        assert held.commits.sizes == [1, 2, 4, 8, 16, 32]


# The user actor


async def test_a_new_message_is_kept_in_one_append_and_asks_the_journal_nothing() -> None:
    disk = AskedDisk()
    async with open_backstage(disk) as stage, stage.users.lease(ALICE) as user:
        await settled()
        disk.questions.clear()
        disk.appended.clear()
        disk.hold()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(say, user, "s1")
            await settled()
            assert disk.appended == []
            disk.release()
        assert disk.questions == []
        first, *_ = disk.appended
        assert Unsaid(ALICE, "s1") in first


async def test_a_message_that_is_repeated_after_a_crash_is_answered_by_the_refused_append() -> None:
    disk = AskedDisk()
    async with open_backstage(disk) as stage, stage.users.lease(ALICE) as user:
        first = await say(user, "s1")
        await settled()
        await stage.crash("alice")
        disk.questions.clear()
        assert await say(user, "s1") == first
        with pytest.raises(SayConflict):
            await say(user, "s1", "something else")
        assert disk.questions == []
        assert (await stage.kinds()).count("user_said") == 1


async def test_a_repeated_message_leaves_nothing_for_the_garbage_collector(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    async with (
        open_journal(tmp_path) as journal,
        open_backstage(journal) as stage,
        stage.users.lease(ALICE) as user,
    ):
        first = await say(user, "s1")
        gc.collect()
        gc.disable()
        try:
            assert await say(user, "s1") == first
            await settled()
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            assert [each for each in gc.garbage if isinstance(each, AlreadySaid)] == []
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()


async def test_what_is_in_one_batch_with_a_repeated_message_is_kept_in_its_order() -> None:
    disk = Disk()
    answers: dict[str, RunStarted] = {}

    async with open_backstage(disk) as stage, stage.run() as run:
        user = run._user
        first = await say(user, "s1")
        await settled()

        async def say_soon(key: str) -> None:
            answers[key] = await say(user, key)

        async def think(text: str) -> None:
            await run.agent_thinking(text=text)

        disk.hold()
        async with trio.open_nursery() as nursery:
            for step in ("in flight", "s2", "s1", "beside it", "s3"):
                nursery.start_soon(say_soon if step.startswith("s") else think, step)
                await settled()
            disk.release()
        await settled()
        assert answers["s1"] == first
        records = await stage.records()
        assert [each.offset for each in records] == [*range(1, len(records) + 1)]
        assert [each.say for each in records if each.say is not None] == ["s1", "s2", "s3"]
        thoughts = [data["text"] for data in await stage.data() if "text" in data]
        assert thoughts == ["in flight", "beside it"]
        assert stage.root.crashes() == ()


async def test_a_repeated_message_is_answered_even_if_there_is_no_place_for_another_run() -> None:
    async def never(
        user: UserHandle, context: UserContext, said: JSON, attempt: RunAttempt
    ) -> None:
        async with Run(context, agent="analyst", user=user, ids=IDS).live():
            await trio.sleep_forever()

    async with open_backstage(converse=never) as stage, stage.users.lease(ALICE) as user:
        first = await say(user, "0")
        for number in range(1, RUNS_AT_ONCE + RUNS_WAITING):
            await say(user, str(number))
        with pytest.raises(TooManyRuns):
            await say(user, "new")
        assert await say(user, "0") == first
        with pytest.raises(SayConflict):
            await say(user, "0", "something else")


async def test_what_is_in_one_batch_with_a_repeated_message_at_a_stop_is_kept(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    async with trio.open_nursery() as nursery:  # noqa: SIM117 - it outlives the tree
        async with open_backstage(disk) as stage, stage.users.lease(ALICE) as user:
            run = Run(UserContext.new(user="alice"), agent="a", user=user, ids=IDS)
            await run.agent_started()
            first = await say(user, "s1")
            await settled()
            answers: list[RunStarted] = []

            async def say_again() -> None:
                answers.append(await say(user, "s1"))

            async def think(text: str) -> None:
                await run.agent_thinking(text=text)

            disk.hold()
            nursery.start_soon(think, "in flight")
            await settled()
            nursery.start_soon(say_again)
            await settled()
            nursery.start_soon(think, "beside it")
            await settled()
            alarm_clock().set(1, disk.release)
    assert answers == [first]
    kept = await disk.read(ALICE, after=0, limit=99, max_bytes=1 << 30)
    assert [each.kind for each in kept].count(Kind.AGENT_THINKING) == 2
