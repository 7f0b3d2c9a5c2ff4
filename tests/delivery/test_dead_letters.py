"""Outcomes: every event has exactly one, and a bad one is made known."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
import trio
import trio.testing

from greenroom.delivery.dead_letters import requeue_at_rest
from greenroom.delivery.errors import JournalFailed, UnknownEvent
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.ids import EventId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.policy import Policy
from greenroom.delivery.events.record import Attempt, Cursor, DeadLetter
from greenroom.delivery.events.stages import Outcome, ReceiptStage
from greenroom.delivery.journal.undelivered import Reached
from greenroom.delivery.outbox.feed import OutboxLimits
from greenroom.delivery.outbox.redelivery import Patience
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.user.messages import DisplayedThere
from greenroom.supervisor.restarts import Backoff
from tests.delivery.backstage import ALICE, IDS, Disk, open_backstage
from tests.delivery.journal.journal_conformance import cursor, record, records

CRITICAL, PROGRESS = EventClass.CRITICAL, EventClass.PROGRESS
SOON = {
    CRITICAL: Policy(expires_after=100),
    PROGRESS: Policy(expires_after=30, dead_letter=False),
}


def clock() -> Callable[[], int]:
    """Milliseconds that go with trio's clock."""
    return lambda: round(trio.current_time() * 1000)


@pytest.mark.requirement("R02")
async def test_a_critical_event_nobody_came_for_is_a_dead_letter_once(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[DeadLetter] = []
    async with open_backstage(policies=SOON, now_ms=clock(), on_undelivered=told.append) as stage:
        async with stage.run() as run:
            report = await run.final_report(report="a saving")
        assert (await report.standing()).outcome is None
        await trio.sleep(300)
        await stage.crash("alice")
        await trio.sleep(300)
        assert (await report.standing()).outcome is Outcome.DEAD_LETTERED
        letters = await stage.dead_letters.list()
        assert [str(each.kind) for each in sorted(letters, key=lambda each: each.offset)] == [
            "agent_started",
            "final_report",
            "agent_completed",
        ]
        assert {each.event for each in told} == {each.event for each in letters}
        assert len(told) == 3
    (line,) = [each for each in caplog.records if "dead letters" in each.getMessage()]
    assert line.levelno == logging.WARNING, "the user was away"
    assert f"3 events of {run.context.run}" in line.getMessage()


@pytest.mark.requirement("R02")
async def test_progress_expires_sooner_and_bothers_nobody(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_backstage(policies=SOON, now_ms=clock()) as stage, stage.run() as run:
        thought = await run.agent_thinking(text="hm")
        await trio.sleep(29)
        assert (await thought.standing()).outcome is None
        await trio.sleep(3)
        assert (await thought.standing()).outcome is Outcome.EXPIRED
    assert all(each.levelno < logging.CRITICAL for each in caplog.records)


@pytest.mark.requirement("R02", "R12")
async def test_what_was_received_in_time_never_expires(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(policies=SOON, now_ms=clock()) as stage, stage.run() as run:
        async with stage.client():
            receipts = [await run.agent_thinking(text="hm") for _ in range(5)]
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(1000)
        for receipt in receipts:
            assert (await receipt.standing()).outcome is Outcome.RECEIVED
        letters = await stage.dead_letters.list()
        assert [letter.offset for letter in letters] == [1]  # what came before the client did


@pytest.mark.requirement("R02", "R15")
async def test_what_was_given_up_stays_so_when_somebody_comes_for_it_later(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(policies=SOON, now_ms=clock()) as stage:
        async with stage.client() as client:
            pass
        async with stage.run() as run:
            report = await run.final_report(report="a saving")
        await trio.sleep(300)
        async with stage.client(session=client.attached.session) as late:
            await trio.testing.wait_all_tasks_blocked()
            assert report.offset in late.offsets
            standing = await report.standing()
        assert (standing.stage, standing.outcome) == (
            ReceiptStage.RECEIVED,
            Outcome.DEAD_LETTERED,
        )


@pytest.mark.requirement("R13")
async def test_a_policy_may_ask_for_more_than_received(
    autojump_clock: trio.testing.MockClock,
) -> None:
    seen = {each: Policy(ReceiptStage.DISPLAYED, expires_after=100) for each in EventClass}
    async with open_backstage(policies=seen, now_ms=clock()) as stage, stage.run() as run:
        async with stage.client() as client:
            first, second = [await run.agent_thinking(text=text) for text in "12"]
            await trio.testing.wait_all_tasks_blocked()
            assert (await first.standing()).outcome is None
            shown = DisplayedThere(client.socket.connection, [first.offset])
            client.socket._user.actor.tell(shown)
            await trio.sleep(300)
        assert (await first.standing()).outcome is Outcome.DISPLAYED
        assert (await second.standing()).outcome is Outcome.DEAD_LETTERED


@pytest.mark.requirement("R02")
async def test_events_of_users_that_are_away_expire_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(policies=SOON, now_ms=clock(), idle_seconds=5) as stage:
        async with stage.run():
            pass
        await trio.sleep(50)
        assert stage.users.active() == ()
        await trio.sleep(200)
        assert len(await stage.dead_letters.list()) == 2
        assert stage.users.active() == ()


@pytest.mark.requirement("R02")
async def test_events_of_an_earlier_process_expire_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    async with open_backstage(disk, policies=SOON, now_ms=clock()) as stage, stage.run():
        pass
    await trio.sleep(500)
    async with open_backstage(disk, policies=SOON, now_ms=clock()) as stage:
        await trio.sleep(200)
        assert len(await stage.dead_letters.list(user="alice")) == 2


@pytest.mark.fault("P11")
async def test_what_nobody_could_come_for_while_no_server_was_there_has_its_time_afterwards(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    async with open_backstage(disk, policies=SOON, now_ms=clock()) as stage, stage.run() as run:
        report = await run.final_report(report="a saving")
        await trio.sleep(50)
    await trio.sleep(365 * 24 * 3600)
    async with open_backstage(disk, policies=SOON, now_ms=clock()) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(80)
            assert await stage.dead_letters.list() == []
            async with stage.client(offset=0) as client:
                await trio.testing.wait_all_tasks_blocked()
                assert report.offset in client.offsets
            await trio.sleep(200)
        assert await stage.dead_letters.list() == []


@pytest.mark.fault("P11")
async def test_the_time_that_a_server_was_at_work_counts_also_after_a_restart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """But for the last minute: a server tells the journal once a minute that it is there."""
    disk, policies = Disk(), {**SOON, CRITICAL: Policy(expires_after=200)}
    async with open_backstage(disk, policies=policies, now_ms=clock()) as stage, stage.run() as run:
        report = await run.final_report(report="a saving")
        await trio.sleep(150)
    async with open_backstage(disk, policies=policies, now_ms=clock()) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(100)
        assert report.event in [letter.event for letter in await stage.dead_letters.list()]


@pytest.mark.fault("P11")
async def test_an_event_that_a_clock_set_back_left_in_the_future_expires_in_its_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk, ahead = Disk(), 365 * 24 * 3600 * 1000
    true_time = clock()

    def fast_clock() -> int:
        return true_time() + ahead

    async with open_backstage(disk, policies=SOON, now_ms=fast_clock) as stage, stage.run():
        pass
    async with open_backstage(disk, policies=SOON, now_ms=true_time) as stage:
        await trio.sleep(300)
        assert len(await stage.dead_letters.list(user="alice")) == 2


@pytest.mark.requirement("R02")
async def test_a_disk_that_fails_delays_an_outcome_and_loses_none(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    told: list[DeadLetter] = []
    async with open_backstage(
        disk, policies=SOON, now_ms=clock(), on_undelivered=told.append
    ) as stage:
        async with stage.run():
            pass
        disk.errors += [JournalFailed("no disk")] * 3
        await trio.sleep(300)
        assert len(told) == len(await stage.dead_letters.list()) == 2


@pytest.mark.requirement("R04", "R15")
async def test_a_dead_letter_tells_of_every_attempt(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = OutboxLimits(patience=Patience(Backoff(2.0, 10.0, jitter=0.0)))
    async with open_backstage(policies=SOON, now_ms=clock(), limits=limits) as stage:
        async with stage.run() as run, stage.client(acks=False) as client:
            await run.final_report(report="a saving")
            await trio.sleep(30)
        await trio.sleep(300)
        letter = next(
            each for each in await stage.dead_letters.list() if each.kind == "final_report"
        )
        assert [each.number for each in letter.attempts] == [1, 2, 3]
        assert [each.at for each in letter.attempts] == [0, 2000, 14000]
        assert {each.connection for each in letter.attempts} == {client.socket.connection}


async def test_a_hook_that_fails_harms_nobody(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: DeadLetter) -> None:
        raise LookupError("a bug")

    async with open_backstage(policies=SOON, now_ms=clock(), on_undelivered=fail) as stage:
        async with stage.run():
            pass
        await trio.sleep(300)
        assert len(await stage.dead_letters.list()) == 2
        assert stage.root.crashes() == ()
    assert "on_undelivered failed" in caplog.text


# What an operator does


@pytest.mark.requirement("R02")
async def test_a_requeued_letter_is_a_new_event_at_the_end_of_its_thread(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(policies=SOON, now_ms=clock()) as stage:
        async with stage.run() as run:
            report = await run.final_report(report="a saving")
        await trio.sleep(300)
        async with stage.client() as client:
            again = await stage.dead_letters.requeue(report.event)
            await again.wait_received(timeout=1)
            assert client.offsets == [again.offset]
        assert again.event != report.event
        first, *_, last = await stage.data()
        assert last == {"report": "a saving"}
        assert report.event not in [each.event for each in await stage.dead_letters.list()]
        await trio.sleep(2)
        assert (await again.standing()).outcome is Outcome.RECEIVED
        letters = await stage.dead_letters.list()  # by id: of one millisecond in any order
        (begun,) = [each for each in letters if each.kind == "agent_started"]
        letter, _ = await stage.dead_letters.show(begun.event)
        with pytest.raises(BadEvent, match="begins a run"):
            await stage.dead_letters.requeue(letter.event)
        await stage.dead_letters.drop(letter.event)
        with pytest.raises(UnknownEvent, match="no dead letter"):
            await stage.dead_letters.drop(letter.event)
        assert first is not None


@pytest.mark.deterministic
@pytest.mark.requirement("R44")
async def test_a_question_is_not_requeued_for_no_end_would_close_its_prompt_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(policies=SOON, now_ms=clock()) as stage:
        async with stage.run() as run, run.ask("Delete 14 files?") as asked:
            assert asked.receipt is not None
        await trio.sleep(300)
        with pytest.raises(BadEvent, match="a question is asked once"):
            await stage.dead_letters.requeue(asked.receipt.event)
        assert (await stage.kinds()).count("input_requested") == 1


async def test_of_two_who_requeue_a_letter_at_once_the_second_hears_that_it_is_none() -> None:
    disk = Disk()
    async with open_backstage(disk, policies=SOON, now_ms=lambda: 0) as stage:
        async with stage.run() as run:
            report = await run.final_report(report="a saving")
        letter = DeadLetter(
            ALICE, report.offset, report.event, report.kind, Outcome.DEAD_LETTERED, [], at=0
        )
        await disk.append([letter])
        answers: list[object] = []

        async def ask() -> None:
            try:
                answers.append(await stage.dead_letters.requeue(report.event))
            except UnknownEvent as refused:
                answers.append(refused)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
        assert [type(each) for each in answers] == [Receipt, UnknownEvent]
        assert (await stage.data()).count({"report": "a saving"}) == 2


async def test_a_stopped_servers_letter_is_requeued_in_its_journal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    async with open_backstage(disk, policies=SOON, now_ms=clock()) as stage:
        async with stage.run() as run:
            report = await run.final_report(report="a saving")
        await trio.sleep(300)
    again = await requeue_at_rest(disk, report.event, IDS, now=5)
    assert (again.offset, again.user, again.run) == (4, ALICE, run.context.run)
    assert await disk.dead_letter(report.event) is None
    with pytest.raises(UnknownEvent):
        await requeue_at_rest(disk, IDS.new(EventId), IDS, now=5)


class Counting(Disk):
    """Counts what is asked about undelivered events, and how much of it at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    async def settled(self, user: UserId) -> Mapping[EventClass, int]:
        self.asked["settled"] += 1
        return await super().settled(user)

    async def reached(self, user: UserId, *, after: int, limit: int) -> list[Reached]:
        self.asked["reached"] += 1
        assert limit <= 200
        return await super().reached(user, after=after, limit=limit)

    async def received_through(self, user: UserId, after: int) -> int:
        self.asked["received_through"] += 1
        return await super().received_through(user, after)

    async def attempts(
        self, user: UserId, first: int, last: int | None = None, *, limit: int = 1_000
    ) -> list[Attempt]:
        self.asked["attempts"] += 1
        return await super().attempts(user, first, last, limit=limit)

    async def sent_to(self, user: UserId, offset: int, *, limit: int = 1_000) -> list[Cursor]:
        self.asked["one by one"] += 1
        return await super().sent_to(user, offset, limit=limit)


@pytest.mark.fault("S11")
@pytest.mark.parametrize("received", [True, False])
async def test_a_user_with_thousands_of_events_to_settle_asks_a_few_questions(
    autojump_clock: trio.testing.MockClock, received: bool
) -> None:
    disk, events = Counting(), 2_000
    await disk.append(records(1, events))
    if received:
        await disk.append([cursor(events)])
    async with open_backstage(disk, policies=SOON, now_ms=clock()) as stage:
        async with stage.users.lease(ALICE):
            await trio.sleep(300)
        assert (await disk.settled(ALICE))[PROGRESS] == events
        letters = await disk.dead_letters(limit=events)
        assert len(letters) == (0 if received else events)
    assert disk.asked["one by one"] == 0
    assert disk.asked.total() < 150, disk.asked


@pytest.mark.fault("S16")
async def test_the_sweep_starts_a_bounded_number_of_users_and_lets_them_go(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk, users = Disk(), [UserId(f"user{number:03}") for number in range(250)]
    await disk.append([record(1, user=user, kind=Kind.FINAL_REPORT) for user in users])
    most = 0
    async with open_backstage(disk, policies=SOON, now_ms=clock()) as stage:
        while len(await stage.dead_letters.list(limit=300)) < len(users):
            most = max(most, len(stage.users.active()))
            await trio.sleep(0.5)
        await trio.sleep(2)
        assert 0 < most <= 100
        assert stage.users.active() == ()


@pytest.mark.fault("S16")
async def test_the_sweep_leaves_those_alone_who_came_meanwhile(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    await disk.append([record(1, kind=Kind.FINAL_REPORT)])
    async with open_backstage(disk, policies=SOON, now_ms=clock()) as stage:
        await trio.sleep(100)
        async with stage.client() as client:
            await trio.sleep(100)
            assert len(stage.users.active()) == 1
            assert client.socket.ref.exit_reason is None
        assert len(await stage.dead_letters.list()) == 1
