"""Redelivery: what is not acknowledged is sent again, ever more rarely, and then given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.record import Attempt
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.outbox.feed import OutboxLimits
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.outbox.redelivery import (
    BREAKER,
    Circuit,
    Failures,
    Patience,
    Progressed,
    Redelivery,
    Retry,
    TimedOut,
)
from greenroom.delivery.user.actor import UserActor
from greenroom.delivery.user.messages import Acked, DeliverEvents, Unacknowledged
from greenroom.runtime import open_runtime
from greenroom.settings import Settings
from greenroom.settings.settings import MEMORY
from greenroom.supervisor.restarts import Backoff
from greenroom.testing import machine_test
from greenroom.testing.live import SECRET, open_door
from tests.delivery.backstage import ALICE, Client, Disk, open_backstage

STEADY = Patience(Backoff(2.0, 10.0, jitter=0.0))


def life(patience: Patience = STEADY) -> Iterator[tuple[float, Retry | None, Circuit]]:
    """What happens, and when, as long as nothing is acknowledged."""
    redelivery = Redelivery(patience)
    redelivery.sent(0.0)
    while True:
        assert redelivery.due is not None
        now = redelivery.due
        retry = redelivery.time_out(now)
        yield now, retry, redelivery.circuit
        if retry is Retry.GIVE_UP:
            return


# The pure part


TestBreaker = machine_test(
    BREAKER,
    data=Failures(opens_at=2, most=3),
    events=[TimedOut(), Progressed()],
).TestCase


@pytest.mark.requirement("R04", "R05")
def test_three_attempts_ever_further_apart_the_last_of_them_a_probe() -> None:
    assert list(life()) == [
        (2.0, Retry.ALL, Circuit.CLOSED),
        (6.0, None, Circuit.OPEN),
        (14.0, Retry.PROBE, Circuit.HALF_OPEN),
        (22.0, Retry.GIVE_UP, Circuit.HALF_OPEN),
    ]


@pytest.mark.requirement("R04")
@given(st.integers(3, 8), st.floats(0, 1), st.floats(0, 0.99), st.data())
def test_delays_are_jittered_within_bounds_and_never_fewer_attempts(
    attempts: int, jitter: float, drawn: float, data: st.DataObject
) -> None:
    opens_at = data.draw(st.integers(1, attempts))
    backoff = Backoff(2.0, 10.0, jitter=jitter, draw=lambda: drawn)
    before, sends = 0.0, 1
    for now, retry, _ in life(Patience(backoff, attempts, opens_at)):
        assert 2.0 * (1 - jitter) - 1e-9 <= now - before <= 10.0 + 1e-9
        before = now
        sends += retry in (Retry.ALL, Retry.PROBE)
    assert sends == attempts


@pytest.mark.requirement("R05")
def test_any_progress_closes_the_circuit_and_starts_anew() -> None:
    redelivery = Redelivery(STEADY)
    redelivery.sent(0.0)
    for now in (2.0, 6.0, 14.0):
        redelivery.time_out(now)
    assert redelivery.circuit is Circuit.HALF_OPEN
    redelivery.progressed(15.0, waiting=True)
    assert (redelivery.circuit, redelivery.failures, redelivery.due) == (Circuit.CLOSED, 0, 17.0)
    redelivery.progressed(16.0, waiting=False)
    assert redelivery.due is None


def test_a_patience_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="`opens_at` must be from 1"):
        Patience(attempts=2, opens_at=3)


# The whole way


def ack(client: Client, offset: int) -> None:
    client.socket._user.actor.tell(Acked(client.socket.connection, offset))


def deliveries(client: Client) -> list[tuple[list[int], bool]]:
    return [
        ([record.offset for record in news.records], news.replay)
        for news in client.socket.news
        if isinstance(news, DeliverEvents)
    ]


@pytest.mark.requirement("R04")
async def test_a_silent_connection_is_sent_it_again_and_then_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = OutboxLimits(patience=STEADY)
    async with open_backstage(limits=limits) as stage, stage.run() as run:
        async with stage.client(acks=False) as client:
            began = trio.current_time()
            await run.agent_thinking(text="1")
            await run.agent_thinking(text="2")
            await trio.sleep(21)
            assert deliveries(client)[-2:] == [([2, 3], True), ([2], True)]
            assert client.of(Unacknowledged) == []
            await trio.sleep(2)
            assert client.of(Unacknowledged) == [Unacknowledged(since=began)]
        again = await stage.journal.cursor(ALICE, client.attached.session)
        assert again is not None
        assert again.offset == 1
        async with stage.client(session=client.attached.session) as back:
            await trio.sleep(1)
            assert back.offsets == [2, 3]  # the events waited for another connection


@pytest.mark.requirement("R05")
async def test_while_its_circuit_is_open_a_connection_is_handed_nothing_new(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = OutboxLimits(patience=STEADY)
    async with (
        open_backstage(limits=limits) as stage,
        stage.run() as run,
        stage.client(acks=False) as client,
        stage.client() as other,
    ):
        await run.agent_thinking(text="1")
        await trio.sleep(7)
        await run.agent_thinking(text="2")
        await trio.sleep(1)
        assert client.offsets == [2, 2]
        assert other.offsets == [2, 3]  # its neighbour does not even notice
        outbox = stage_outbox(client)
        assert outbox.circuit(client.socket.connection) is Circuit.OPEN
        ack(client, 2)
        await trio.sleep(0.1)
        assert client.offsets == [2, 2, 3]
        assert outbox.circuit(client.socket.connection) is Circuit.CLOSED


@pytest.mark.requirement("R04")
async def test_a_tab_is_sent_it_again_in_time_whatever_another_tab_of_the_user_waits_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = OutboxLimits(patience=STEADY)
    async with (
        open_backstage(limits=limits) as stage,
        stage.run() as run,
        stage.client(acks=False) as silent,
    ):
        await run.agent_thinking(text="1")
        await trio.sleep(7)  # what is due next for the silent one is due at 14
        async with stage.client(acks=False) as other:
            await run.agent_thinking(text="2")
            await trio.sleep(2.5)
            assert other.offsets == [3, 3]
        assert silent.offsets == [2, 2]


@pytest.mark.requirement("R04")
async def test_who_acknowledges_in_time_is_sent_nothing_twice(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage() as stage, stage.run() as run, stage.client() as client:
        for _ in range(20):
            await run.agent_thinking(text="hm")
            await trio.sleep(1)
        assert client.offsets == list(range(2, 22))
        await trio.sleep(100)
        assert client.of(Unacknowledged) == []


async def test_a_full_socket_is_no_failure_of_its_client(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It has not seen the events yet; whether it reads at all is the write guard's to see."""
    async with open_backstage() as stage, stage.run() as run, stage.client(acks=False) as client:
        await run.agent_thinking(text="hm")
        await trio.testing.wait_all_tasks_blocked()
        client.socket.gauge.written = 0
        await trio.sleep(100)
        assert len(deliveries(client)) == 1
        assert client.of(Unacknowledged) == []


@pytest.mark.requirement("R04")
async def test_what_is_no_longer_at_hand_is_sent_again_from_the_journal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = OutboxLimits(frame_events=4, memory_frames=1, patience=STEADY)
    async with (
        open_backstage(limits=limits) as stage,
        stage.run() as run,
        stage.client(acks=False) as client,
    ):
        for _ in range(30):
            await run.agent_thinking(text="hm")
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(3)
        assert deliveries(client)[-1] == ([2, 3, 4, 5], True)


@pytest.mark.requirement("R04", "R15")
async def test_every_attempt_is_kept_with_its_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk()
    async with (
        open_backstage(disk, limits=OutboxLimits(patience=STEADY)) as stage,
        stage.run() as run,
    ):
        async with stage.client(acks=False) as client:
            receipt = await run.agent_thinking(text="hm")
            await trio.sleep(20)
        attempts = await disk.attempts(ALICE, receipt.offset)
        connection, session = client.socket.connection, client.attached.session
        assert [
            Attempt(ALICE, session, connection, 1, 2, number, each.at)
            for number, each in enumerate(attempts, 1)
        ] == attempts
        assert len(attempts) == 3
        assert attempts[1].at - attempts[0].at == 2000


def stage_outbox(client: Client) -> Outbox[Any]:  # Any: whoever waits
    actor = client.socket._user.actor._actor
    assert isinstance(actor, UserActor)
    return actor.outbox


@pytest.mark.requirement("R04")
@pytest.mark.parametrize("delay", [0.2, 60.0])
async def test_the_settings_decide_when_a_silent_client_is_sent_it_again(
    delay: float, autojump_clock: trio.testing.MockClock
) -> None:
    settings = Settings(
        secret=SECRET, journal=Path(MEMORY), redelivery_delay=delay, redelivery_longest=delay
    )
    async with (
        open_runtime(settings, journal=MemoryJournal()) as runtime,
        open_door(runtime) as door,
        runtime.run(user="alice", agent="a") as run,
    ):
        tab = await door("alice")
        await run.agent_thinking(text="hm")
        first = await tab.receive("events")
        began = trio.current_time()
        again = await tab.receive("events")
        assert again == {**first, "replay": True}
        assert 0.8 * delay - 0.1 <= trio.current_time() - began <= delay + 0.1


@pytest.mark.requirement("R04")
def test_clients_that_were_cut_off_at_once_are_not_sent_it_again_at_once() -> None:
    for patience in (Patience(), Settings().patience):
        assert patience.delays.jitter > 0
        assert len({patience.delays.delay(1) for _ in range(100)}) > 50
