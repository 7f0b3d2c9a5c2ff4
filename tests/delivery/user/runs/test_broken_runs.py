"""Lost runs that go on: closed, in order, tried again in time, and never twice at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.delivery.asks.ask_keys import ask_with_key
from greenroom.delivery.errors import EventNotKept, JournalFailed, JournalFull
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import run_completed
from greenroom.delivery.events.going_on import GoesOn, NotAgain
from greenroom.delivery.events.ids import AskId, EventId, RunId, SessionId
from greenroom.delivery.events.kinds import ASK_ENDS, JSON, Event, Kind
from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.reads import Question, ReadHistory
from greenroom.delivery.run.attempts.attempt import LONGEST_WAIT, RunAttempt, WhenLost, back_off
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import AnswerAsk, Emit, UserSays
from tests.delivery.backstage import ALICE, IDS, Backstage, Disk, open_backstage
from tests.delivery.history.whole_runs import flaws
from tests.delivery.user.runs.broken import AGAIN, Analyst, Broken, at


def events_of(records: list[Record]) -> list[Event]:
    return [Event.decode(record.body) for record in records]


async def taken_up(broken: Broken, analyst: Analyst, when_lost: WhenLost = AGAIN) -> list[Event]:
    """What the next server adds, once it serves the user."""
    journal = await broken.keep()
    async with open_backstage(journal, converse=analyst, when_lost=when_lost) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(10)
        added = await stage.records()
    events = events_of(added)
    assert list(flaws(events)) == []
    return events[len(broken.records) :]


@pytest.mark.requirement("R56", "R31")
async def test_what_a_broken_attempt_left_open_is_closed_and_the_next_one_goes_on_from_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    run, scout = broken.say({"q": "Why?"}), broken.author.run()
    broken.tell(run, Kind.PARTIAL_RESULT, text="It", index=0)
    broken.tell(run, Kind.AGENT_THINKING, text="hm", thought=3, index=0)
    broken.tell(run, Kind.TOOL_EXECUTING, tool_call="call_1", tool_name="get_costs")
    broken.tell(scout, Kind.AGENT_STARTED, parent=run, agent="scout")
    broken.tell(scout, Kind.TOOL_EXECUTING, run, tool_call="call_2", tool_name="look_up")
    broken.tell(run, Kind.PARTIAL_RESULT, text=" is", index=1)
    added = await taken_up(broken, analyst)
    assert [(each.run, each.kind) for each in added] == [
        (scout, Kind.TOOL_COMPLETED),
        (scout, Kind.AGENT_FAILED),
        (run, Kind.TOOL_COMPLETED),
        (run, Kind.AGENT_STARTED),
        (run, Kind.PARTIAL_RESULT),
        (run, Kind.AGENT_THINKING),
        (run, Kind.AGENT_COMPLETED),
    ]
    assert added[2].data["error"] == "it did not complete"
    assert dict(added[3].data) == {"agent": "analyst", "attempt": 2}
    assert added[4].data["index"] == 2
    assert (added[5].data["thought"], added[5].data["index"]) == (4, 0)
    assert (analyst.begun, analyst.said) == ([(run, 2)], [{"q": "Why?"}])


@pytest.mark.requirement("R56", "R44")
async def test_a_question_that_no_later_attempt_asks_is_closed_before_the_end_of_its_run(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken = Broken()
    run = broken.say()
    ask = ask_with_key(run, "delete")
    broken.tell(run, Kind.INPUT_REQUESTED, ask=ask, prompt="Delete?", options=["yes", "no"])
    added = await taken_up(broken, Analyst())
    assert [each.kind for each in added][-2:] == [Kind.INPUT_CLOSED, Kind.AGENT_COMPLETED]
    assert dict(added[-2].data) == {"ask": ask, "reason": "withdrawn"}


@pytest.mark.requirement("R56", "R44")
async def test_a_question_whose_answer_is_not_kept_while_its_run_ends_is_closed_all_the_same(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst(never=True)
    run = broken.say()
    ask = ask_with_key(run, "delete")
    broken.tell(run, Kind.INPUT_REQUESTED, ask=ask, prompt="Delete?", options=["yes", "no"])
    disk = await broken.keep(Disk())
    async with (
        open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage,
        stage.users.lease(ALICE) as user,
    ):
        await trio.sleep(10)
        disk.hold()
        answer = user.actor.request(AnswerAsk(ask, None, "yes"))
        await trio.testing.wait_all_tasks_blocked()
        disk.errors.append(JournalFull("no room"))
        [opened] = await disk.open_runs(ALICE)
        end = run_completed(event=IDS.new(EventId), run=opened, outcome="ok")
        ended = user.actor.request(Emit(end))
        await trio.testing.wait_all_tasks_blocked()
        disk.release()
        with pytest.raises(EventNotKept):
            await answer.wait()
        await ended.wait()
        await trio.sleep(1)
        assert Kind.INPUT_CLOSED in await stage.kinds()


@pytest.mark.requirement("R56")
async def test_a_run_that_had_not_begun_begins_with_its_first_attempt(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    run = broken.say(attempts=0)
    added = await taken_up(broken, analyst)
    assert analyst.begun == [(run, 1)]
    assert "attempt" not in added[0].data


@pytest.mark.requirement("R56", "R28")
@pytest.mark.parametrize(
    ("attempts", "when_lost"),
    [(3, AGAIN), (1, WhenLost("analyst", {})), (1, WhenLost("other", {"other": 3}))],
    ids=["attempts used up", "no longer declared", "agent is gone"],
)
async def test_a_run_that_may_not_go_on_ends_as_lost(
    attempts: int, when_lost: WhenLost, autojump_clock: trio.testing.MockClock
) -> None:
    broken, analyst = Broken(), Analyst()
    broken.say(attempts=attempts)
    added = await taken_up(broken, analyst, when_lost)
    assert [(each.kind, each.data["reason"]) for each in added] == [(Kind.AGENT_FAILED, "lost")]
    assert analyst.begun == []


@pytest.mark.requirement("R56")
async def test_a_run_without_such_an_agent_is_lost_as_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    broken.say()
    broken.entries = [entry for entry in broken.entries if isinstance(entry, Record)]
    assert [each.kind for each in await taken_up(broken, analyst)] == [Kind.AGENT_FAILED]


@pytest.mark.requirement("R56")
async def test_a_run_that_its_user_stopped_ends_as_cancelled_and_never_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    run = broken.say()
    broken.entries.append(NotAgain(ALICE, run))
    broken.tell(run, Kind.TOOL_EXECUTING, tool_call="call_1", tool_name="get_costs")
    added = await taken_up(broken, analyst)
    assert [each.kind for each in added] == [Kind.TOOL_COMPLETED, Kind.AGENT_COMPLETED]
    assert (added[-1].data["outcome"], analyst.begun) == ("cancelled", [])


@pytest.mark.requirement("R56")
async def test_a_run_that_had_given_its_report_is_completed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    broken.tell(broken.say(), Kind.FINAL_REPORT, report="all")
    [end] = await taken_up(broken, analyst)
    assert (end.kind, end.data["outcome"], analyst.begun) == (Kind.AGENT_COMPLETED, "ok", [])


@pytest.mark.requirement("R56")
async def test_a_run_whose_message_was_trimmed_is_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    broken.say()
    journal = await broken.keep()
    await journal.trim(ALICE, through=1)
    async with open_backstage(journal, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(10)
        assert (await stage.data())[-1]["reason"] == "lost"
    assert analyst.begun == []


@pytest.mark.requirement("R56")
async def test_users_who_are_away_have_their_runs_taken_up_when_a_server_starts(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    run = broken.say()
    disk = await broken.keep(Disk())
    async with open_backstage(disk, converse=analyst, when_lost=AGAIN, idle_seconds=0.001) as stage:
        await stage.users.take_up_runs()
        await trio.sleep(10)
    assert analyst.begun == [(run, 2)]


async def say(user: UserHandle, key: str) -> RunId:
    asked = UserSays(key, None, IDS.new(SessionId), {"text": key})
    return (await user.actor.ask(asked)).run


@pytest.mark.requirement("R56")
async def test_lost_runs_come_before_what_is_said_later_in_the_order_of_their_messages(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    runs = [broken.say(number, attempts=2) for number in range(4)]
    journal, now_ms = await broken.keep(), at(0)
    async with (
        open_backstage(
            journal, converse=analyst, when_lost=AGAIN, now_ms=now_ms, runs_per_user=1
        ) as stage,
        stage.users.lease(ALICE) as user,
    ):
        later = await say(user, "later")
        await trio.sleep(100)
    assert [run for run, _ in analyst.begun] == [*runs, later]
    assert analyst.most_at_once == 1


@pytest.mark.requirement("R56")
@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2)])
async def test_an_attempt_waits_until_some_time_after_the_one_before_began(
    attempts: int, seconds: float, autojump_clock: trio.testing.MockClock
) -> None:
    broken, analyst = Broken(), Analyst()
    broken.say(attempts=attempts)
    journal, now_ms = await broken.keep(), at(0.5)
    async with (
        open_backstage(journal, converse=analyst, when_lost=AGAIN, now_ms=now_ms) as stage,
        stage.users.lease(ALICE),
    ):
        await trio.sleep(seconds - 0.51)
        assert analyst.begun == []
        await trio.sleep(0.02)
        assert len(analyst.begun) == 1


@pytest.mark.requirement("R56", "R26")
async def test_a_clock_that_was_set_back_makes_no_attempt_wait_longer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    broken.say()
    journal, now_ms = await broken.keep(), at(-3600)
    async with (
        open_backstage(journal, converse=analyst, when_lost=AGAIN, now_ms=now_ms) as stage,
        stage.users.lease(ALICE),
    ):
        await trio.sleep(1.1)
    assert len(analyst.begun) == 1


def test_the_wait_doubles_up_to_a_minute() -> None:
    assert [back_off(number) for number in range(1, 6)] == [0, 1, 2, 4, 8]
    assert back_off(99) == LONGEST_WAIT == 60


@pytest.mark.requirement("R56", "R27")
async def test_a_user_who_stops_a_run_that_waits_for_its_next_attempt_stops_it_for_good(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    run = broken.say()
    journal, now_ms = await broken.keep(), at(0)
    async with open_backstage(journal, converse=analyst, when_lost=AGAIN, now_ms=now_ms) as stage:
        async with stage.users.lease(ALICE) as user:
            kept = user.cancel(run)
            assert kept is not None
            await kept.wait()
            await trio.sleep(10)
        assert (await stage.data())[-1] == {"outcome": "cancelled"}
    assert analyst.begun == []


@pytest.mark.requirement("R56", "R27")
async def test_a_stopped_run_whose_task_ends_before_it_says_so_is_stopped_for_good(
    autojump_clock: trio.testing.MockClock,
) -> None:
    analyst = Analyst(never=True)
    async with (
        open_backstage(converse=analyst, when_lost=AGAIN, runs_per_user=1) as stage,
        stage.users.lease(ALICE) as user,
    ):
        one, two = await say(user, "one"), await say(user, "two")
        await trio.testing.wait_all_tasks_blocked()
        user.cancel(two)
        await user.runs.terminate_child(two)
        await trio.sleep(10)
        last = events_of(await stage.records())[-1]
        assert (last.run, dict(last.data)) == (two, {"outcome": "cancelled"})
        assert user.stopped == set()
    assert analyst.begun == [(one, 1)]


@pytest.mark.requirement("R56", "R27", "R25")
async def test_a_run_whose_stop_was_not_kept_does_not_go_on_after_a_crash_of_its_users_actor(
    autojump_clock: trio.testing.MockClock,
) -> None:
    analyst, disk = Analyst(never=True), Disk()
    async with (
        open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage,
        stage.users.lease(ALICE) as user,
    ):
        run = await say(user, "one")
        await trio.testing.wait_all_tasks_blocked()
        disk.errors.append(JournalFull("no room"))
        user.cancel(run)
        await stage.crash("alice")
        await trio.sleep(10)
        assert (await stage.data())[-1] == {"outcome": "cancelled"}
        assert user.stopped == set()
    assert analyst.begun == [(run, 1)]


@pytest.mark.requirement("R56", "R27")
async def test_a_cancellation_outlives_the_server_from_its_reply_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    analyst, journal = Analyst(never=True), MemoryJournal()
    async with (
        open_backstage(journal, converse=analyst, when_lost=AGAIN) as stage,
        stage.users.lease(ALICE) as user,
    ):
        run = await say(user, "one")
        await trio.testing.wait_all_tasks_blocked()
        dead = await killed_now(stage, journal, lambda: user.cancel(run))
    async with open_backstage(dead, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(10)
        assert (await stage.data())[-1] == {"outcome": "cancelled"}
    assert analyst.begun == [(run, 1)]


async def killed_now(
    stage: Backstage, journal: MemoryJournal, last: Callable[[], Any]
) -> MemoryJournal:
    """The journal of a server that was killed once `last` had its reply."""
    records, asked = await stage.records(), Disk()
    keep, kept = journal.keep, list[Entry]()
    journal.keep = lambda entries: (kept.extend(entries), keep(entries))[1]  # type: ignore[method-assign]
    reply = last()
    await reply.wait()
    for record in records:
        await asked.append([record])
        if record.kind is Kind.USER_SAID:
            await asked.append([GoesOn(record.user, record.run, "analyst")])
    await asked.append([entry for entry in kept if isinstance(entry, NotAgain)])
    return asked


@pytest.mark.requirement("R56")
async def test_a_run_that_a_drain_cuts_is_left_for_the_next_server(
    autojump_clock: trio.testing.MockClock,
) -> None:
    analyst, journal = Analyst(never=True), MemoryJournal()
    async with open_backstage(journal, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE) as user:
            run = await say(user, "one")
            await trio.testing.wait_all_tasks_blocked()
            stage.users.begin_drain()
            for live in list(user.live_runs.values()):
                live.stop()
            await trio.sleep(100)
            assert user.live_runs == {}
        kinds = await stage.kinds()
    assert kinds[-1] == Kind.TOOL_COMPLETED
    assert Kind.AGENT_FAILED not in kinds
    analyst.never = False
    async with open_backstage(journal, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(10)
        assert list(flaws(events_of(await stage.records()))) == []
    assert analyst.begun == [(run, 1), (run, 2)]


@pytest.mark.requirement("R56")
async def test_a_server_that_is_stopped_at_once_leaves_its_runs_for_the_next_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    analyst, journal = Analyst(never=True), MemoryJournal()
    async with (
        open_backstage(journal, converse=analyst, when_lost=AGAIN) as stage,
        stage.users.lease(ALICE) as user,
    ):
        run = await say(user, "one")
        await trio.testing.wait_all_tasks_blocked()
    assert [each.run for each in await journal.open_runs(ALICE)] == [run]
    async with (
        open_backstage(journal, converse=analyst, when_lost=AGAIN) as stage,
        stage.users.lease(ALICE),
    ):
        await trio.sleep(10)
        assert analyst.begun == [(run, 1), (run, 2)]


@pytest.mark.requirement("R56")
async def test_a_drain_does_not_wait_for_a_run_that_backs_off(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    broken.say(attempts=2)
    journal, now_ms = await broken.keep(), at(0)
    async with open_backstage(journal, converse=analyst, when_lost=AGAIN, now_ms=now_ms) as stage:
        async with stage.users.lease(ALICE) as user:
            await trio.testing.wait_all_tasks_blocked()
            stage.users.begin_drain()
            await trio.sleep(0.1)
            assert user.live_runs == {}
        assert len(await stage.records()) == len(broken.records)
    assert analyst.begun == []


@pytest.mark.requirement("R56", "R25")
async def test_a_run_lost_with_its_users_actors_goes_on_once_they_are_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    analyst = Analyst(never=True)
    async with open_backstage(converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE) as user:
            run = await say(user, "one")
            await trio.testing.wait_all_tasks_blocked()
            analyst.never = False
            await stage.crash("alice")
            await trio.sleep(10)
        assert list(flaws(events_of(await stage.records()))) == []
    assert analyst.begun == [(run, 1), (run, 2)]
    assert analyst.most_at_once == 1


@pytest.mark.requirement("R56")
async def test_an_embedded_run_outlives_its_users_actors_and_is_not_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    analyst = Analyst()
    async with open_backstage(converse=analyst, when_lost=AGAIN) as stage:
        async with stage.run() as run:
            await stage.crash("alice")
            await run.partial_result(text="still here")
        assert (await stage.kinds())[-1] == "agent_completed"
    assert analyst.begun == []


@pytest.mark.requirement("R56", "R44")
async def test_a_run_that_ended_while_the_disk_was_full_and_its_question_open_is_not_repeated(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk, attempts = Disk(), list[int]()

    async def ask_in_vain(
        user: UserHandle, context: UserContext, _: JSON, attempt: RunAttempt
    ) -> None:
        async with Run(context, agent="analyst", user=user, ids=IDS, attempt=attempt).live() as run:
            attempts.append(run.attempt)
            async with run.ask("Delete 14 files?"):
                disk.errors += [JournalFull("no room")] * 3

    async with open_backstage(disk, converse=ask_in_vain, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE) as user:
            await say(user, "one")
            await trio.sleep(100)
        assert (await stage.data())[-1] == {"outcome": "ok"}
        assert list(flaws(events_of(await stage.records()))) == []
    assert attempts == [1]


class Forgetful(Disk):
    """Cannot answer the first times it is asked for history."""

    times = 2

    def seek(self, question: Question[Any]) -> None:
        if isinstance(question, ReadHistory):
            self.times -= 1
            if self.times >= 0:
                raise JournalFailed("the disk has hiccups")


@pytest.mark.requirement("R56")
@pytest.mark.parametrize("errors", [0, 1, 2])
async def test_a_journal_in_trouble_delays_the_next_attempt_and_no_more(
    errors: int, autojump_clock: trio.testing.MockClock
) -> None:
    broken, analyst = Broken(), Analyst()
    run = broken.say()
    broken.tell(run, Kind.TOOL_EXECUTING, tool_call="call_1", tool_name="get_costs")
    disk = await broken.keep(Forgetful())
    disk.errors += [JournalFull("no room")] * errors
    async with open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(30)
        assert list(flaws(events_of(await stage.records()))) == []
    assert analyst.begun == [(run, 2)]


def asking() -> tuple[Broken, RunId, AskId]:
    """A run whose attempt broke while two questions without a key were open."""
    broken = Broken()
    run = broken.say()
    ask, other = IDS.new(AskId), IDS.new(AskId)
    broken.tell(run, Kind.INPUT_REQUESTED, ask=ask, prompt="Delete?", options=["yes", "no"])
    broken.tell(run, Kind.INPUT_REQUESTED, ask=other, prompt="Now?", options=["yes", "no"])
    return broken, run, ask


class Unending(Disk):
    """Refuses the ends of questions, so many times."""

    times = 0

    def keep(self, entries: Sequence[Entry]) -> None:
        kinds = [entry.kind for entry in entries if isinstance(entry, Record)]
        if self.times and not ASK_ENDS.isdisjoint(kinds):
            self.times -= 1
            raise JournalFull("no room")
        super().keep(entries)


CLOSED = [Kind.INPUT_CLOSED, Kind.INPUT_CLOSED]


@pytest.mark.requirement("R56", "R44")
@pytest.mark.parametrize("refusals", [0, 1, 2, 5])
async def test_an_attempt_begins_once_the_ends_of_the_questions_of_the_one_before_are_kept(
    refusals: int, autojump_clock: trio.testing.MockClock
) -> None:
    (broken, run, _), analyst = asking(), Analyst()
    disk = await broken.keep(Unending())
    disk.times = refusals
    async with open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(30)
        added = (await stage.kinds())[len(broken.records) :]
    assert added[:3] == [*CLOSED, Kind.AGENT_STARTED]
    assert Kind.INPUT_CLOSED not in added[3:]
    assert (analyst.begun, analyst.most_at_once) == ([(run, 2)], 1)


@pytest.mark.requirement("R56", "R44")
async def test_an_attempt_waits_for_an_answer_to_the_one_before_that_is_on_its_way_to_the_journal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    (broken, run, ask), analyst = asking(), Analyst()
    disk = await broken.keep(Unending())
    disk.hold()
    async with open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE) as user:
            answer = user.actor.request(AnswerAsk(ask, None, "yes"))
            await trio.sleep(10)
            assert analyst.begun == []
            disk.times = 2
            disk.release()
            with pytest.raises(EventNotKept):
                await answer.wait()
            await trio.sleep(10)
        added = (await stage.kinds())[len(broken.records) :]
    assert added[:3] == [*CLOSED, Kind.AGENT_STARTED]
    assert analyst.begun == [(run, 2)]


@pytest.mark.requirement("R56", "R27")
async def test_a_run_that_is_stopped_while_the_journal_refuses_to_close_its_questions_is_cancelled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    (broken, run, _), analyst = asking(), Analyst()
    disk = await broken.keep(Unending())
    disk.times = 3
    async with open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE) as user:
            await trio.testing.wait_all_tasks_blocked()
            user.cancel(run)
            await trio.sleep(30)
        added = (await stage.kinds())[len(broken.records) :]
    assert (added, analyst.begun) == ([*CLOSED, Kind.AGENT_COMPLETED], [])


@pytest.mark.requirement("R56")
async def test_a_drain_while_the_journal_refuses_to_close_questions_leaves_the_run_for_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    (broken, run, _), analyst = asking(), Analyst()
    disk = await broken.keep(Unending())
    disk.times = 99
    async with open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE) as user:
            await trio.sleep(10)
            stage.users.begin_drain()
            await trio.sleep(1.1)
            assert user.live_runs == {}
        assert len(await stage.records()) == len(broken.records)
    disk.times = 0
    async with open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(10)
        added = (await stage.kinds())[len(broken.records) :]
    assert added[:3] == [*CLOSED, Kind.AGENT_STARTED]
    assert analyst.begun == [(run, 2)]


@pytest.mark.requirement("R56")
async def test_a_journal_that_refuses_every_beginning_uses_up_the_attempts(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    broken.say()
    disk = await broken.keep(Disk())
    disk.errors += [JournalFull("no room")] * 20
    async with open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(100)
        assert (await stage.data())[-1]["reason"] == "lost"
    assert analyst.begun == []


@pytest.mark.requirement("R56", "R31")
@settings(max_examples=40, deadline=None)
@given(st.data(), st.random_module())
def test_whatever_broke_and_however_often_runs_are_whole_and_no_two_attempts_meet(
    data: st.DataObject, seed: Any
) -> None:
    trio.run(one_history, data.draw, clock=trio.testing.MockClock(autojump_threshold=0))


async def one_history(draw: Any) -> None:
    """Several servers over one journal, each ended at any moment, in one of three ways."""
    journal, analyst = MemoryJournal(), Analyst()
    said = 0
    for _ in range(draw(st.integers(1, 4))):
        analyst.never = draw(st.booleans())
        async with (
            open_backstage(journal, converse=analyst, when_lost=AGAIN) as stage,
            stage.users.lease(ALICE) as user,
        ):
            for _ in range(draw(st.integers(0, 3))):
                said += 1
                await say(user, f"say-{said}")
            await trio.sleep(draw(st.sampled_from([0, 0.5, 1.5, 5])))
            if draw(st.booleans()):
                await stage.crash("alice")
            if draw(st.booleans()):
                stage.users.begin_drain()
                for live in list(user.live_runs.values()):
                    live.stop()
                await trio.sleep(draw(st.sampled_from([0, 20])))
    analyst.never = False
    async with open_backstage(journal, converse=analyst, when_lost=AGAIN) as stage:
        await stage.users.take_up_runs()
        await trio.sleep(300)
        events = events_of(await stage.records())
    assert list(flaws(events)) == []
    assert len({event.run for event in events}) == said
    attempts: dict[RunId, list[int]] = {}
    for run, number in analyst.begun:
        attempts.setdefault(run, []).append(number)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in attempts.values())
    assert all(len(numbers) <= 3 for numbers in attempts.values())


@pytest.mark.requirement("R56")
async def test_a_run_that_ends_while_it_is_looked_at_does_not_go_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    run = broken.say()
    disk = await broken.keep(Forgetful())
    async with open_backstage(disk, converse=analyst, when_lost=AGAIN) as stage:
        async with stage.users.lease(ALICE) as user:
            [opened] = await disk.open_runs(ALICE)
            end = run_completed(event=IDS.new(EventId), run=opened, outcome="ok")
            await user.actor.ask(Emit(end))
            await trio.sleep(30)
            assert user.live_runs == {}
        assert list(flaws(events_of(await stage.records()))) == []
    assert (analyst.begun, opened.run) == ([], run)
