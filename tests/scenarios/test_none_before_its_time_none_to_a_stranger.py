"""The fourth report: events raced their sockets, and some came out at another user's."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from greenroom import Run
from greenroom.delivery.user.messages import DeliverEvents
from tests.face.metrics.scrape import Scrape
from tests.protocol.client import Client
from tests.protocol.hours import hours
from tests.protocol.server import Server, token_for
from tests.scenarios.crowd import at_shared_desks, storm
from tests.scenarios.stage import JUMPS, Serving, begin, kinds, offsets

pytestmark = pytest.mark.every_server


async def speak(server: Server, user: str, text: str = "a word") -> None:
    """A run of three events that all name their user."""
    async with server.runtime.run(user=user, agent=user) as run:
        await run.agent_thinking(text=f"{user}: {text}")


@contextmanager
def speaking(server: Server, *users: str) -> Iterator[None]:
    """Agents speak to all these users without a pause, for the length of a block."""

    async def all_the_time() -> None:
        with scope:
            while True:
                async with trio.open_nursery() as nursery:
                    for user in users:
                        nursery.start_soon(speak, server, user)

    scope = trio.CancelScope()
    talk = begin(server, all_the_time)
    try:
        yield
    finally:
        server.run_sync(scope.cancel)
        talk.result(10)


@pytest.mark.requirement("R22")
def test_what_is_emitted_before_a_socket_is_ready_waits_and_then_flows_in_order(
    server: Server, connect: Callable[..., Client], user: str
) -> None:
    """Without it: "'Need to call accept first', 20–30 a day"."""
    server.run(speak, server, user, "nobody is there")
    with socket.create_connection(("127.0.0.1", server.port)) as knocking:
        server.run(speak, server, user, "a socket that is not accepted")
        knocking.sendall(b"GET /live HTTP/1.1\r\nHost: here\r\n")
        server.run(speak, server, user, "half an upgrade")
    client = connect()
    server.run(speak, server, user, "an upgrade, and no hello")
    client.send("hello", epoch=server.runtime.journal.epoch, offset=0)
    first = client.next()
    assert (first["type"], first["offset"]) == ("ready", 12)
    events = client.events(until=12)
    assert offsets(events) == [*range(1, 13)]
    assert [event["data"]["text"].partition(": ")[2] for event in events[1::3]] == [
        *("nobody is there", "a socket that is not accepted"),
        *("half an upgrade", "an upgrade, and no hello"),
    ]


@pytest.mark.requirement("R22")
@pytest.mark.requirement("R25")
def test_of_a_hundred_sockets_opened_at_once_while_agents_speak_every_one_gets_ready_first(
    server: Server, scrape: Scrape
) -> None:
    """Without it: "'Need to call accept first', 20–30 a day", and 90 % connected."""
    users = [f"storm-{number}" for number in range(10)]
    before = scrape.value("connection_ready_seconds_count")
    with speaking(server, *users):
        firsts = storm(server.port, [token_for(user) for user in users * 10])
    assert firsts == ["ready"] * 100
    assert scrape.value("connection_ready_seconds_count") == before + 100


@pytest.mark.requirement("R23")
@pytest.mark.requirement("R08")
def test_users_who_take_turns_at_the_same_browsers_hear_nothing_of_each_other(
    server: Server,
) -> None:
    """Without it: "2+ cross-user deliveries". Each resumes with what the last one left there."""
    users = [f"desk-{number}" for number in range(5)]
    tokens = {user: token_for(user) for user in users}
    with speaking(server, *users):
        desks = at_shared_desks(server.port, tokens, browsers=10, visits=8, seed=23)
    heard = [(user, event) for desk in desks for user, event in desk.heard]
    assert len(heard) > 100
    for user, event in heard:
        named = event["data"].get("agent") or event["data"].get("text") or user
        assert named.partition(":")[0] == user


@pytest.mark.requirement("R23")
def test_an_event_of_one_user_in_anothers_hands_is_stopped_at_the_socket_and_alarms(
    server: Server,
    connect: Callable[..., Client],
    user: str,
    scrape: Scrape,
    alarms: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without it: "2+ cross-user deliveries". The routing is wrong here, on purpose."""
    alarms += ["isolation", "IsolationViolation"]
    stranger = connect(bearing=token_for(f"stranger-to-{user}"))
    ready = stranger.hello()
    closed, crashes = (
        scrape.value(*each) for each in (("connections_closed_total", "4505"), ("crashes_total",))
    )
    server.run(speak, server, user)

    async def misroute() -> None:
        journal = server.runtime.journal
        records = await journal.read(user, after=0, limit=10, max_bytes=1 << 20)  # type: ignore[arg-type]
        (handle,) = [each for each in server.runtime.users.active() if each.user == ready["user"]]
        connection = handle.connections.child(ready["connection"])
        connection.tell(DeliverEvents(records, replay=False))  # type: ignore[attr-defined]  # a Ref

    server.run(misroute)
    assert stranger.closed_with() == 4505
    assert [frame["type"] for frame in stranger.kept] == ["closing"]
    scrape.wait("connections_closed_total", "4505", at_least=closed + 1)
    scrape.wait("crashes_total", at_least=crashes + 1)
    assert any(each.levelno == logging.CRITICAL for each in caplog.records)


@pytest.mark.requirement("R24")
def test_after_sockets_joined_and_left_all_at_once_each_that_stayed_hears_the_next_event(
    server: Server, scrape: Scrape
) -> None:
    """Without it: "table out of sync"."""
    users = [f"joiner-{number}" for number in range(5)]
    tokens = {user: token_for(user) for user in users}
    scrape.wait("connections", "ready", at_least=0, at_most=0)  # those of earlier tests are gone
    with speaking(server, *users):
        stayed = {user: [Client(server.port, tokens[user]) for _ in range(3)] for user in users}
        at_shared_desks(server.port, tokens, browsers=10, visits=5, seed=24)
        for tabs in stayed.values():
            for tab in tabs:
                tab.hello()
    connected = 3 * len(users)
    server.wait_until(lambda: listening(server, users) == connected)
    for user, tabs in stayed.items():
        server.run(speak, server, user, "the next event")
        for tab in tabs:
            while (seen := tab.events(until="agent_thinking")[-1])["data"]["text"] != (
                f"{user}: the next event"
            ):
                assert seen["data"]["text"].startswith(f"{user}: ")
    scrape.wait("connections", "ready", at_least=connected, at_most=connected)
    for tabs in stayed.values():
        for tab in tabs:
            tab.cut()
    server.wait_until(lambda: listening(server, users) == 0)


def listening(server: Server, users: list[str]) -> int:
    """How many sockets the users' own actors know of."""
    active = [each for each in server.runtime.users.active() if each.user in users]
    return sum(each.gauge.listening for each in active)


# A run ends for its user, whatever becomes of its agent


@pytest.mark.requirement("R28")
def test_an_agent_that_crashes_ends_its_run_for_the_user(
    client: Client, scrape: Scrape, alarms: list[str]
) -> None:
    """Without it: "UI waited for ever"."""
    alarms.append("crashed: RuntimeError")
    crashes = scrape.value("crashes_total")
    client.send("say", id="1", body="crash")
    failed = client.events(until="agent_failed")[-1]
    assert (failed["data"]["reason"], failed["data"]["reference"]) == ("crash", failed["id"])
    scrape.wait("crashes_total", at_least=crashes + 1)


@JUMPS
@pytest.mark.requirement("R28")
@pytest.mark.parametrize("stubborn", [False, True], ids=["it hangs", "and cannot be cancelled"])
def test_an_agent_that_hangs_is_cut_and_its_run_ends_for_the_user(
    stubborn: bool, connect: Callable[..., Client], alarms: list[str]
) -> None:
    """Without it: "UI waited for ever"."""
    released = trio.Event()

    async def agent(run: Run, _: object) -> None:
        with trio.CancelScope(shield=stubborn):
            await released.wait()

    alarms += ["does not stop", "was cut", "still runs"]
    with hours(agent=agent) as later:
        client = connect(later.server)
        client.hello()
        client.send("say", id="1", body="hello")
        client.send("ack", offset=client.events(until="agent_started")[-1]["offset"])
        later.pass_by(later.server.runtime.settings.agent_seconds + 5, client)
        failed = client.events(until="agent_failed")[-1]
        later.server.run_sync(released.set)
    assert failed["data"]["reason"] == "timeout"


@pytest.mark.requirement("R28")
@pytest.mark.requirement("R27")
def test_a_run_that_a_stopping_server_cut_off_has_ended_for_the_user_who_comes_back(
    connect: Callable[..., Client], tmp_path: Path, serving: Serving
) -> None:
    """Without it: "UI waited for ever"."""
    chosen: dict[str, Any] = {"journal": tmp_path / "g.db", "drain_seconds": 0.1}
    with serving(**chosen) as server:
        client = connect(server)
        ready = client.hello()
        client.ask("say", id="1", body="wait")
        seen = client.events(until="agent_thinking")
    assert client.closed_with() == 1001
    with serving(**chosen) as server:
        client = connect(server)
        client.hello(session=ready["session"], epoch=ready["epoch"], offset=seen[-1]["offset"])
        (failed,) = client.events(until="agent_failed")
    assert (kinds([failed]), failed["data"]["reason"]) == (["agent_failed"], "lost")
