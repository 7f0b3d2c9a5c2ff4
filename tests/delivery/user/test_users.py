"""Active users: started at need, stopped when idle, never under somebody's hands."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.errors import JournalFailed, UserUnavailable
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.reads import Question
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.parts import ReadUser
from tests.delivery.backstage import ALICE, Disk, open_backstage
from tests.delivery.journal.journal_conformance import offset_of


def active(stage: Any) -> set[str]:
    return set(stage.root.child("users").children())


async def test_a_user_nobody_needs_is_stopped_and_comes_back_where_it_was(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(idle_seconds=60) as stage:
        async with stage.run(), stage.client(acks=True) as client:
            await trio.sleep(1000)
            assert active(stage) == {"user:alice"}
        await trio.sleep(59)
        assert active(stage) == {"user:alice"}
        await trio.sleep(61)
        assert active(stage) == set()
        assert stage.users.active() == ()
        async with stage.run() as run:
            assert (await run.agent_started()).offset == 3
            session = client.attached.session
            cursor = await offset_of(stage.journal, session)
            async with stage.client(session=session) as again:
                await trio.testing.wait_all_tasks_blocked()
                assert cursor is not None
                assert again.offsets == list(range(cursor + 1, 4))


async def test_a_cursor_is_written_at_the_latest_when_the_user_is_stopped() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.run() as run, stage.client() as client:
        await run.agent_thinking(text="hm")
        await trio.testing.wait_all_tasks_blocked()
        assert await offset_of(disk, client.attached.session) in (None, 1)
    assert (await offset_of(disk, client.attached.session) or 0) >= 2


@pytest.mark.requirement("R08", "R24")
@settings(max_examples=50, deadline=None)
@given(st.random_module())
def test_a_lease_that_arrives_while_its_user_is_stopped_is_served(seed: Any) -> None:
    async def main() -> None:
        async with open_backstage(idle_seconds=0.0001) as stage:
            emitted = 0

            async def come_and_go() -> None:
                nonlocal emitted
                for _ in range(4):
                    async with stage.run() as run:
                        await run.agent_thinking(text="hm")
                        emitted += 3
                    await trio.sleep(random.choice([0, 0.00005, 0.0001, 0.0002]))

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(come_and_go)
            records = await stage.records()
            assert [record.offset for record in records] == list(range(1, emitted + 1))
            assert stage.root.crashes() == ()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.requirement("R08")
@settings(max_examples=50, deadline=None)
@given(st.random_module(), st.integers(0, 15))
def test_a_starter_that_is_cancelled_leaves_the_user_usable(seed: Any, ticks: int) -> None:
    async def main() -> None:
        async with open_backstage() as stage:

            async def start() -> None:
                async with stage.users.lease(ALICE) as user:
                    assert user.tree

            async with trio.open_nursery() as nursery:
                nursery.start_soon(start)
                for _ in range(ticks):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            async with stage.run() as run:
                await run.agent_thinking(text="hm")

    trio.run(main)


@pytest.mark.requirement("R08", "R23", "R24")
@settings(max_examples=20, deadline=None)
@given(st.random_module())
def test_every_event_reaches_its_own_user_and_no_other(seed: Any) -> None:
    users = [f"user-{number}" for number in range(6)]

    async def main() -> None:
        async with open_backstage(idle_seconds=0.01) as stage:
            seen: dict[str, list[Record]] = {user: [] for user in users}

            async def listen(user: str) -> None:
                offset = 0
                while offset < 8:
                    async with stage.client(user, offset=offset) as client:
                        await trio.sleep(random.random() / 50)
                    seen[user] += client.socket.records
                    offset = len(seen[user])

            async def speak(user: str) -> None:
                for _ in range(2):
                    await trio.sleep(random.random() / 20)
                    async with stage.run(user) as run:
                        await run.partial_result(text=user)
                        await trio.sleep(random.random() / 50)
                        await run.final_report(report=user)

            async with trio.open_nursery() as nursery:
                for user in users:
                    nursery.start_soon(listen, user)
                    nursery.start_soon(speak, user)
            for user in users:
                assert seen[user] == await stage.records(user)
                assert {record.user for record in seen[user]} == {UserId(user)}

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_a_user_whose_journal_is_down_is_unavailable_and_later_not() -> None:
    class Down(Disk):
        up = False

        def seek(self, question: Question[Any]) -> None:
            if not self.up and isinstance(question, ReadUser):
                raise JournalFailed("no disk")

    disk = Down()
    async with open_backstage(disk) as stage:
        for _ in range(5):
            with pytest.raises(UserUnavailable, match="alice"):
                async with stage.run():
                    pass
        disk.up = True
        async with stage.run():
            pass


async def test_a_user_that_gave_up_is_started_anew_for_the_next_in_need() -> None:
    """More crashes than its supervisor bears, while it is leased."""

    async def crash_till_it_gives_up(user: UserHandle) -> None:
        while not user.tree.stopped:
            with suppress(GreenroomError):
                user.actor.tell_owed(object())  # type: ignore[arg-type]  # what it does not know
            await trio.lowlevel.checkpoint()

    async with open_backstage() as stage, stage.run("bob") as bob:
        async with stage.users.lease(ALICE) as alice:
            await crash_till_it_gives_up(alice)
            async with stage.run() as run:
                assert isinstance(run, Run)
                await run.agent_thinking(text="back")
        await bob.agent_thinking(text="heard nothing of it")
