"""Receipts: how far an event got, asked of whoever holds it, also after a restart."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
import trio
import trio.testing

from greenroom.delivery.errors import NotConfirmed, NotDisplayed, NotReceived, UnknownEvent
from greenroom.delivery.events.ids import BadId, EventId, SessionId
from greenroom.delivery.events.record import Cursor, Mark
from greenroom.delivery.events.stages import Outcome, ReceiptStage, SessionStanding, furthest
from greenroom.delivery.events.standings import standings
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.user.messages import Acked, ConfirmedThere, DisplayedThere
from tests.delivery.backstage import ALICE, IDS, Client, open_backstage

ACCEPTED, SENT, RECEIVED, DISPLAYED, CONFIRMED = ReceiptStage
ONE, OTHER = sorted(IDS.new(SessionId) for _ in range(2))


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


def ack(client: Client, offset: int) -> None:
    client.socket._user.actor.tell(Acked(client.socket.connection, offset))


def display(client: Client, offset: int) -> None:
    client.socket._user.actor.tell(DisplayedThere(client.socket.connection, [offset]))


def confirm(client: Client, offset: int) -> None:
    client.socket._user.actor.tell(
        ConfirmedThere(client.socket.connection, offset, {"useful": True}, "ta")
    )


# The pure part


@pytest.mark.requirement("R15")
def test_stages_are_told_apart_by_session_and_the_furthest_counts() -> None:
    cursors = [Cursor(ALICE, ONE, 0, 5, 9, at=0), Cursor(ALICE, OTHER, 7, 7, 9, at=0)]
    marks = [Mark(ALICE, OTHER, 8, "displayed", None, None, at=0)]
    assert furthest(standings(5, cursors, marks)) is RECEIVED
    assert standings(8, cursors, marks) == (
        SessionStanding(ONE, SENT),
        SessionStanding(OTHER, DISPLAYED),
    )
    assert standings(10, cursors, marks) == ()
    assert furthest(()) is ACCEPTED


def test_a_session_that_began_later_was_not_sent_what_came_before() -> None:
    assert standings(7, [Cursor(ALICE, ONE, 7, 9, 9, at=0)], []) == ()


# The whole way


@pytest.mark.requirement("R12", "R13", "R14", "R15")
async def test_a_receipt_goes_from_stage_to_stage(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage, stage.run() as run, stage.client(acks=False) as client:
        receipt = await run.agent_thinking(text="hm")
        await settled()
        assert await receipt.stage() is SENT
        ack(client, receipt.offset)
        assert await receipt.stage() is RECEIVED
        display(client, receipt.offset)
        assert await receipt.stage() is DISPLAYED
        confirm(client, receipt.offset)
        standing = await receipt.standing()
        assert standing.stage is CONFIRMED
        assert standing.outcome is None  # what is not durable may still be undone by a crash
        await trio.sleep(2)
        standing = await receipt.standing()
        assert standing.outcome is Outcome.RECEIVED  # its policy asks for no more
        session = client.attached.session
        assert standing.sessions == (SessionStanding(session, CONFIRMED, {"useful": True}, "ta"),)


async def test_an_event_nobody_was_sent_is_accepted_and_has_no_outcome() -> None:
    async with open_backstage() as stage, stage.run() as run:
        receipt = await run.agent_thinking(text="hm")
        standing = await receipt.standing()
        assert (standing.stage, standing.sessions, standing.outcome) == (ACCEPTED, (), None)


@pytest.mark.requirement("R12", "R13", "R14")
async def test_waits_end_with_the_report_they_wait_for() -> None:
    reached: list[str] = []

    async def wait(receipt: Receipt, stage: str) -> None:
        await getattr(receipt, f"wait_{stage}")(timeout=5)
        reached.append(stage)

    async with (
        open_backstage() as stage,
        stage.run() as run,
        stage.client(acks=False) as client,
        trio.open_nursery() as nursery,
    ):
        receipt = await run.agent_thinking(text="hm")
        for name in ("confirmed", "displayed", "received"):
            nursery.start_soon(wait, receipt, name)
        await settled()
        for report, expected in ((ack, "received"), (display, "displayed"), (confirm, "confirmed")):
            report(client, receipt.offset)
            await settled()
            assert reached[-1] == expected
    assert len(reached) == 3


@pytest.mark.requirement("R13")
async def test_a_later_event_that_was_displayed_is_not_this_one() -> None:
    async with open_backstage() as stage, stage.run() as run, stage.client() as client:
        first, second = [await run.agent_thinking(text=text) for text in "12"]
        await settled()
        display(client, second.offset)
        await second.wait_displayed(timeout=1)
        assert await first.stage() is RECEIVED


async def test_each_wait_that_ends_in_vain_says_what_did_not_happen(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage, stage.run() as run:
        receipt = await run.agent_thinking(text="hm")
        with pytest.raises(NotReceived, match=r"not received within 1 s.*sent again until"):
            await receipt.wait_received(timeout=1)
        with pytest.raises(NotDisplayed, match=r"not displayed within 1 s.*how far it got"):
            await receipt.wait_displayed(timeout=1)
        with pytest.raises(NotConfirmed, match="not confirmed within 1 s"):
            await receipt.wait_confirmed(timeout=1)


@pytest.mark.requirement("R12", "R13", "R15")
async def test_waits_are_answered_by_reports_from_before_a_crash() -> None:
    """What an earlier actor was told is in the journal; nobody reports it twice."""
    async with open_backstage() as stage, stage.run() as run:
        async with stage.client() as client:
            receipt = await run.agent_thinking(text="hm")
            await settled()
            display(client, receipt.offset)
            await settled()
            await run.agent_thinking(text="which takes the mark to the disk")
        await stage.crash("alice")
        await receipt.wait_received(timeout=1)
        await receipt.wait_displayed(timeout=1)
        assert (await receipt.standing()).outcome is Outcome.RECEIVED


@pytest.mark.requirement("R02")
async def test_what_a_session_received_stays_received_when_it_loses_its_place() -> None:
    """It goes on under another name, or its one stretch would begin behind the event."""
    async with open_backstage() as stage, stage.run() as run:
        async with stage.client() as client:
            receipt = await run.agent_thinking(text="hm")
            await settled()
        await run.agent_thinking(text="which takes the cursor along")
        async with stage.client(session=client.attached.session, offset=99) as lost:
            await run.agent_thinking(text="and this the other one")
            await settled()
        assert not lost.attached.recovered
        assert (await receipt.standing()).outcome is Outcome.RECEIVED


@pytest.mark.requirement("R12", "R02")
async def test_a_session_that_says_it_got_what_it_was_not_sent_is_not_believed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "greenroom.delivery")
    async with open_backstage() as stage, stage.run() as run:
        async with stage.client(acks=False) as client:
            received = await run.agent_thinking(text="this was handed over")
            await settled()
        missed = await run.agent_thinking(text="and this was not")
        await settled()
        session = client.attached.session
        async with stage.client(session=session, offset=missed.offset, acks=False) as again:
            await settled()
            assert again.attached.session == session
            assert again.attached.recovered
            assert await received.stage() is RECEIVED
            assert again.offsets == [missed.offset], "it is sent what it says it has"
            assert await missed.stage() is SENT
        assert "offset 3 in its hello, but was sent events only through offset 2" in caplog.text
        async with stage.client(session=session, offset=missed.offset):  # as it was sent by now
            await settled()
            assert await missed.stage() is RECEIVED


@pytest.mark.requirement("R16")
async def test_a_session_looked_up_in_the_journal_keeps_what_it_reached() -> None:
    """Its cursor alone would say that it has nothing from before it came back."""
    async with open_backstage() as stage, stage.run() as run:
        async with stage.client() as client:
            receipt = await run.agent_thinking(text="hm")
            await settled()
            await run.agent_thinking(text="which takes the cursor along")
            await settled()
        await run.agent_thinking(text="and this the last one")
    async with open_backstage(stage.journal) as later:  # another process, by its journal
        async with later.client(session=client.attached.session) as again:
            await settled()
            assert again.attached.recovered
        cursor = await later.journal.cursor(ALICE, client.attached.session)
        assert cursor is not None
        assert cursor.start < receipt.offset <= cursor.offset


@pytest.mark.requirement("R15")
async def test_a_receipt_outlives_its_users_passivation(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(idle_seconds=1) as stage:
        async with stage.run() as run, stage.client():
            receipt = await run.agent_thinking(text="hm")
            await settled()
        await trio.sleep(5)
        assert stage.users.active() == ()
        assert await receipt.stage() is RECEIVED


# Fail-fast


@pytest.mark.requirement("R09")
async def test_an_event_that_must_be_displayed_and_is_not_raises_where_it_was_emitted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage:
        async with stage.run() as run, stage.client(), run.require(displayed_within=5):
            began = trio.current_time()
            with pytest.raises(NotDisplayed, match="within 5 s"):
                await run.final_report(report="a saving")
            assert trio.current_time() - began == 5
        assert await stage.kinds() == ["agent_started", "final_report", "agent_completed"]


@pytest.mark.requirement("R09", "R06")
@pytest.mark.parametrize("seconds", [-1, math.nan, "5", True])
async def test_a_time_that_is_none_is_refused_before_anything_is_emitted(seconds: Any) -> None:
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(ValueError, match="must be a number of seconds, 0 or more"):
            run.require(displayed_within=seconds)
        await run.agent_thinking(text="nothing is demanded")
        assert await stage.kinds() == ["agent_started", "agent_thinking"]


@pytest.mark.requirement("R09", "R13")
async def test_an_event_that_is_displayed_in_time_returns_its_receipt(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with (
        open_backstage() as stage,
        stage.run() as run,
        stage.client() as client,
        trio.open_nursery() as nursery,
    ):
        run.require(displayed_within=5)

        async def look() -> None:
            await trio.sleep(3)
            display(client, 2)

        nursery.start_soon(look)
        assert (await run.agent_thinking(text="hm")).offset == 2


async def test_a_block_that_requires_ends_with_the_block(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage, stage.run() as run:
        run.require(displayed_within=7)
        async with run.require(displayed_within=2):
            with pytest.raises(NotDisplayed, match="within 2 s"):
                await run.agent_thinking(text="hm")
        with pytest.raises(NotDisplayed, match="within 7 s"):
            await run.agent_thinking(text="hm")


async def test_a_piece_that_nobody_saw_has_its_number_all_the_same(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            async with run.require(displayed_within=1):
                with pytest.raises(NotDisplayed):
                    await run.partial_result(text="a")
            await run.partial_result(text="b")
        indexes = [data["index"] for data in await stage.data() if "index" in data]
        assert indexes == [0, 1]


async def test_the_runtimes_last_words_are_not_held_up_by_a_requirement(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage:
        began = trio.current_time()
        async with stage.run() as run:
            run.require(displayed_within=100)
        assert trio.current_time() == began
        assert (await stage.kinds())[-1] == "agent_completed"


# By id, from the journal


@pytest.mark.requirement("R15")
async def test_an_event_is_asked_for_by_its_id_after_a_restart() -> None:
    async with open_backstage() as stage, stage.run() as run, stage.client() as client:
        receipt = await run.agent_thinking(text="hm")
        await settled()
        display(client, receipt.offset)
        await settled()
    async with open_backstage(stage.journal) as later:
        again = await later.ledger.receipt(str(receipt.event))
        assert again == receipt
        standing = await again.standing()
        assert (standing.stage, standing.outcome) == (DISPLAYED, Outcome.RECEIVED)
        assert [each.session for each in standing.sessions] == [client.attached.session]


@pytest.mark.requirement("R15", "R17")
async def test_an_event_that_is_not_there_is_said_to_be_unknown() -> None:
    async with open_backstage() as stage:
        with pytest.raises(UnknownEvent):
            await stage.ledger.receipt(IDS.new(EventId))
        with pytest.raises(BadId, match="expected an event id, got session"):
            await stage.ledger.receipt(ONE)


@pytest.mark.requirement("R15")
async def test_the_receipts_of_a_user_come_page_by_page_and_are_nobody_elses() -> None:
    async with open_backstage() as stage:
        async with stage.run("alice") as run, stage.run("bob"):
            made = [await run.agent_thinking(text=text) for text in "abc"]
        last = await stage.ledger.receipts(user="alice", limit=2)
        assert [receipt.offset for receipt in last] == [4, 5]
        before = await stage.ledger.receipts(user="alice", before=4, limit=2)
        assert before == made[:2]
        assert len(await stage.ledger.receipts(user="bob")) == 2
