"""The user actor: nothing accepted is lost, and nothing is told twice, whatever dies when."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.actors.errors import GreenroomError
from greenroom.actors.ref import ActorStopped
from greenroom.actors.timers import alarm_clock
from greenroom.delivery.errors import (
    EventNotKept,
    JournalFailed,
    TooManyConnections,
    UserUnavailable,
)
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import ThreadId
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import Cursor, Mark
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.reads import Question, ReadPast
from greenroom.delivery.outbox.feed import OutboxLimits
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import (
    Acked,
    ConfirmedThere,
    DisplayedThere,
    ReadFailed,
    ReportRefused,
    RunStarted,
    SessionTaken,
    ShowTyping,
    UserSays,
    UserTyping,
)
from tests.delivery.backstage import ALICE, IDS, Disk, open_backstage
from tests.delivery.journal.held_journal import open_held
from tests.delivery.journal.journal_conformance import offset_of


async def say(user: UserHandle, key: str, body: JSON = "hello") -> RunStarted:
    return await user.actor.ask(UserSays(key, None, None, body))


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


def terminals(kinds: list[str]) -> list[str]:
    return [kind for kind in kinds if kind in ("agent_completed", "agent_failed")]


# Saying


async def test_a_say_is_kept_and_starts_one_run() -> None:
    async with open_backstage() as stage, stage.users.lease(ALICE) as user:
        started = await say(user, "s1", {"text": "hi"})
        await settled()
        assert await stage.kinds() == ["user_said", "agent_started", "agent_completed"]
        assert (await stage.data())[0] == {"body": {"text": "hi"}, "say": "s1"}
        assert {record.run for record in await stage.records()} == {started.run}


@pytest.mark.requirement("R08")
@settings(max_examples=30, deadline=None)
@given(st.random_module(), st.integers(2, 5))
def test_a_repeated_say_never_starts_two_runs(seed: Any, times: int) -> None:
    async def main() -> None:
        async with open_backstage() as stage, stage.users.lease(ALICE) as user:
            answers: list[RunStarted] = []

            async def say_once() -> None:
                if random.random() < 0.5:
                    await trio.lowlevel.checkpoint()
                answers.append(await say(user, "s1"))

            async with trio.open_nursery() as nursery:
                for _ in range(times):
                    nursery.start_soon(say_once)
            await stage.crash("alice")
            answers.append(await say(user, "s1"))
            assert len(set(answers)) == 1
            assert (await stage.kinds()).count("user_said") == 1

    trio.run(main)


async def test_a_say_that_cannot_be_kept_is_its_senders_to_know() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.users.lease(ALICE) as user:
        disk.errors.append(JournalFailed("no disk"))
        with pytest.raises(EventNotKept):
            await say(user, "s1")
        with pytest.raises(GreenroomError, match="must be JSON"):
            await say(user, "s2", object())  # type: ignore[arg-type]  # the mistake in question
        assert (await say(user, "s1")).run.startswith("run_")
        assert stage.root.crashes() == ()


@pytest.mark.fault("W4")
async def test_each_who_waits_for_a_say_that_is_not_kept_has_an_error_of_its_own() -> None:
    disk = Disk()
    errors: list[BaseException] = []

    async def say_once(user: UserHandle) -> None:
        with pytest.raises(EventNotKept, match="no disk") as caught:
            await say(user, "s1")
        errors.append(caught.value)

    async with open_backstage(disk) as stage, stage.users.lease(ALICE) as user:
        disk.hold()
        disk.errors.append(JournalFailed("no disk"))
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(say_once, user)
            await settled()
            disk.release()
    assert len({id(error) for error in errors}) == 3
    assert all(isinstance(error.__cause__, JournalFailed) for error in errors)


@pytest.mark.requirement("R28")
async def test_a_run_whose_agent_fails_before_it_begins_is_ended() -> None:
    async def fail(user: UserHandle, context: UserContext, said: JSON, attempt: RunAttempt) -> None:
        raise LookupError("no such agent")

    async with open_backstage(converse=fail) as stage, stage.users.lease(ALICE) as user:
        await say(user, "s1")
        await settled()
        assert await stage.kinds() == ["user_said", "agent_failed"]


# Crashes


@pytest.mark.requirement("R08", "R28")
@settings(max_examples=40, deadline=None)
@given(st.random_module(), st.integers(1, 12))
def test_a_crash_in_the_middle_loses_nothing_accepted(seed: Any, writers: int) -> None:
    async def main() -> None:
        accepted: list[int] = []

        async def speak(run: Run) -> None:
            for _ in range(3):
                try:
                    accepted.append((await run.agent_thinking(text="hm")).offset)
                except GreenroomError:
                    await trio.lowlevel.checkpoint()

        async with open_backstage() as stage:
            async with stage.run() as run, trio.open_nursery() as nursery:
                for _ in range(writers):
                    nursery.start_soon(speak, run)
                for _ in range(random.randrange(6)):
                    await trio.lowlevel.checkpoint()
                await stage.crash("alice")
            records = await stage.records()
            assert [record.offset for record in records] == list(range(1, len(records) + 1))
            thoughts = [r.offset for r in records if r.kind is Kind.AGENT_THINKING]
            assert set(accepted) <= set(thoughts)
            assert len(accepted) == len(set(accepted))
            await settled()
            assert len(terminals(await stage.kinds())) == 1

    trio.run(main)


@pytest.mark.requirement("R28")
@settings(max_examples=40, deadline=None)
@given(st.random_module(), st.integers(0, 12))
def test_a_run_that_ends_while_its_actor_restarts_ends_once(seed: Any, ticks: int) -> None:
    async def main() -> None:
        async with open_backstage() as stage, stage.users.lease(ALICE) as user:

            async def run_a_while() -> None:
                with suppress(ActorStopped, UserUnavailable):  # it may not even begin
                    async with stage.run():
                        for _ in range(ticks):
                            await trio.lowlevel.checkpoint()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(run_a_while)
                nursery.start_soon(stage.crash, "alice")
            await settled()
            assert len(terminals(await stage.kinds())) <= 1
            assert await stage.journal.open_runs(ALICE) == []
            assert user.live_runs == {}

    trio.run(main)


@pytest.mark.requirement("R28")
async def test_runs_of_an_earlier_process_end_as_lost_and_live_ones_do_not() -> None:
    journal = MemoryJournal()
    async with open_backstage(journal) as stage, stage.run() as gone:
        before = await stage.records()
    earlier = MemoryJournal(epoch=journal.epoch)
    await earlier.append(before)  # as the journal was before that process could end its run
    async with open_backstage(earlier) as stage, stage.run() as alive:
        await stage.crash("alice")
        await alive.agent_thinking(text="still here")
        records = await stage.records()
    ended = [record for record in records if record.kind is Kind.AGENT_FAILED]
    assert [record.run for record in ended] == [gone.context.run]
    assert (await earlier.open_runs(ALICE)) == []


async def test_what_waits_at_an_orderly_stop_is_written_and_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    offsets: list[int] = []

    async with trio.open_nursery() as nursery:  # noqa: SIM117 - it outlives the tree
        async with open_backstage(disk) as stage, stage.users.lease(ALICE) as user:
            run = Run(UserContext.new(user="alice"), agent="a", user=user, ids=IDS)
            await run.agent_started()

            async def think() -> None:
                offsets.append((await run.agent_thinking(text="hm")).offset)

            disk.hold()
            for _ in range(3):
                nursery.start_soon(think)
                await settled()
            alarm_clock().set(1, disk.release)
    assert sorted(offsets) == [2, 3, 4]
    assert [r.offset for r in await disk.read(ALICE, after=0, limit=9, max_bytes=9999)] == [
        *range(1, 5)
    ]


async def test_an_unknown_outcome_is_not_called_not_kept() -> None:
    """The writer died with the batch: whoever emitted must not be told that it is gone."""
    disk = Disk()
    async with open_backstage(disk) as stage, stage.run() as run:
        disk.errors.append(RuntimeError("a bug"))
        with pytest.raises(ActorStopped):
            await run.agent_thinking(text="hm")
        await settled()
        assert (await run.agent_thinking(text="hm")).offset == 2


# Connections


@pytest.mark.requirement("R08", "R16", "R34")
async def test_a_client_that_comes_back_is_handed_what_it_missed() -> None:
    async with open_backstage() as stage, stage.run() as run:
        async with stage.client() as client:
            await run.agent_thinking(text="1")
            await settled()
        await run.agent_thinking(text="2")
        session = client.attached.session
        async with stage.client(session=session) as again:  # by its session alone
            await settled()
            assert again.attached.recovered
            assert (client.offsets, again.offsets) == ([2], [3])
        await stage.crash("alice")
        async with stage.client(session=session, offset=1) as by_offset:
            await settled()
            assert by_offset.offsets == [2, 3]


async def test_another_users_session_is_not_taken_up() -> None:
    async with open_backstage() as stage, stage.client("alice") as alice:
        theirs = alice.attached.session
        async with stage.client("bob", session=theirs) as bob:
            assert bob.attached.session != theirs


async def test_a_session_moves_to_its_newest_connection() -> None:
    async with open_backstage() as stage, stage.run() as run, stage.client() as old:
        session = old.attached.session
        async with stage.client(session=session) as new:
            await run.agent_thinking(text="hm")
            await settled()
            assert old.of(SessionTaken) == [SessionTaken()]
            assert (old.kinds, new.kinds) == ([], ["agent_thinking"])


async def test_one_connection_too_many_is_refused_but_a_take_over_is_not() -> None:
    async with open_backstage(limits=OutboxLimits(connections=2)) as stage:
        async with stage.client() as one, stage.client():
            with pytest.raises(TooManyConnections):
                async with stage.client():
                    pass
            async with stage.client(session=one.attached.session) as instead:
                assert instead.attached.session == one.attached.session
        async with stage.client():
            pass


@pytest.mark.requirement("R32")
async def test_typing_is_shown_to_the_others_and_kept_nowhere() -> None:
    thread = IDS.new(ThreadId)
    async with open_backstage() as stage, stage.client() as one, stage.client() as other:
        user = one.socket._user
        user.actor.tell(UserTyping(one.socket.connection, thread))
        await settled()
        assert (one.of(ShowTyping), other.of(ShowTyping)) == ([], [ShowTyping(thread, ALICE)])
        async with stage.run() as run:
            run.typing()
            await settled()
        assert one.of(ShowTyping) == [ShowTyping(run.thread, "analyst")]
        assert await stage.kinds() == ["agent_started", "agent_completed"]


@pytest.mark.requirement("R12", "R13", "R14")
async def test_forged_reports_are_refused_and_change_nothing() -> None:
    async with open_backstage() as stage, stage.run(), stage.client() as client:
        connection, actor = client.socket.connection, client.socket._user.actor
        actor.tell(Acked(connection, 99))
        actor.tell(DisplayedThere(connection, [99]))
        actor.tell(ConfirmedThere(connection, 99, "good", None))
        await settled()
        assert len(client.of(ReportRefused)) == 3
        assert await stage.journal.marks(ALICE, after=0, limit=9) == []


@pytest.mark.requirement("R12", "R13", "R14")
async def test_cursors_and_marks_are_written_lazily(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    async with open_backstage(disk) as stage, stage.run() as run, stage.client() as client:
        await run.agent_thinking(text="hm")
        await settled()
        user, session = client.socket._user, client.attached.session
        user.actor.tell(DisplayedThere(client.socket.connection, [2, 2, 2]))
        await settled()
        written = len(disk.appended)
        await trio.sleep(2)
        (lazily,) = disk.appended[written:]
        assert [type(entry) for entry in lazily] == [Cursor, Mark]
        assert await offset_of(disk, session) == 2
        user.actor.tell(ConfirmedThere(client.socket.connection, 2, "good", "ta"))
        disk.errors += [JournalFailed("no disk")] * 3
        await trio.sleep(10)
        assert {m.stage for m in await disk.marks(ALICE, after=0, limit=9)} == {
            "displayed",
            "confirmed",
        }


@pytest.mark.fault("C8")
async def test_a_page_that_cannot_be_read_ends_the_connection_not_the_run() -> None:
    class Unreadable(Disk):
        def seek(self, question: Question[Any]) -> None:
            if isinstance(question, ReadPast):
                raise JournalFailed("no disk")

    async with open_backstage(Unreadable()) as stage, stage.run() as run:
        ref = run._user.actor
        await stage.crash("alice")  # so that the log is not in memory
        async with stage.client(offset=0) as client:
            await settled()
            assert client.of(ReadFailed) == [ReadFailed()]
        assert (await run.agent_thinking(text="hm")).offset == 2
        assert run._user.actor is not ref
        assert len(stage.root.crashes()) == 1


# Group commit


@pytest.mark.requirement("R08")
async def test_what_many_users_emit_meanwhile_is_one_append(tmp_path: Path) -> None:
    async with open_held(tmp_path) as held:
        held.release()
        async with open_backstage(held.journal) as stage, trio.open_nursery() as nursery:
            ready, think, leave = trio.Semaphore(0), trio.Event(), trio.Event()

            async def speak(user: str) -> None:
                async with stage.run(user) as run:
                    await run.agent_thinking(text="hm")
                    ready.release()
                    await think.wait()
                    await run.agent_thinking(text="hm")
                    ready.release()
                    await leave.wait()

            for number in range(50):
                nursery.start_soon(speak, f"user-{number}")
            for _ in range(50):
                await ready.acquire()
            await held.hold()
            held.commits.sizes.clear()
            think.set()
            await settled()
            held.release()
            for _ in range(50):
                await ready.acquire()
            assert held.commits.sizes == [50]
            leave.set()
