"""The first report: five events of every turn were lost, and nobody was told."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from greenroom import BadEvent, BadId, EventClass, EventNotKept, NotDisplayed, Policy, Run
from greenroom.delivery.events.ids import KINDS, IdSource
from tests.face.metrics.scrape import Scrape
from tests.protocol.client import Client
from tests.protocol.hours import Hours
from tests.protocol.server import Server, token_for
from tests.scenarios.crowd import crowd
from tests.scenarios.stage import FIVE, JUMPS, Serving, begin, kinds, offsets

pytestmark = pytest.mark.every_server

IDS = IdSource()
ALERTS = (Path(__file__).parents[2] / "docs" / "alerts.yml").read_text(encoding="utf-8")


async def five_events(run: Run) -> None:
    """What the agents of the report did."""
    await run.agent_thinking(text="reading the costs")
    async with run.tool("get_costs", {"month": "2026-10"}) as tool:
        tool.result(7)


@pytest.mark.requirement("R01")
def test_a_run_id_used_as_a_user_id_is_refused_naming_both_kinds(
    client: Client, server: Server, scrape: Scrape, user: str
) -> None:
    """Without it: "run ids were used as user ids; the socket manager was never called"."""
    before = scrape.value("id_mismatches_total", "user", "run")
    for kind in KINDS:
        with pytest.raises(BadId, match=f"expected a user id, got {kind.kind}: "):
            server.run_sync(lambda kind=kind: server.runtime.run(user=IDS.new(kind)))
    assert scrape.value("id_mismatches_total", "user", "run") == before + 1

    async def rightly() -> None:
        async with server.runtime.run(user=user, agent="analyst") as run:
            await five_events(run)

    server.run(rightly)
    assert kinds(client.events()) == FIVE


@pytest.mark.requirement("R02")
def test_an_emit_that_a_full_disk_refuses_raises_and_the_run_still_ends_for_its_user(
    connect: Callable[..., Client],
    tmp_path: Path,
    alarms: list[str],
    caplog: pytest.LogCaptureFixture,
    serving: Serving,
) -> None:
    """Without it: "methods returned False and execution went on"."""
    alarms.append("no room on the disk")
    went_on = []

    async def agent(run: Run, _: object) -> None:
        await run.agent_thinking(text="there is room")
        fill(True)
        try:
            await run.final_report(report="x" * 100_000)
            went_on.append("nothing was raised")
        finally:
            fill(False)

    def fill(full: bool) -> None:
        database = server.runtime.journal._file.database  # type: ignore[attr-defined]  # the disk
        pages = database.pragma("page_count") if full else 1_000_000
        database.pragma("max_page_count", pages)

    with serving(journal=tmp_path / "g.db", agent=agent) as server:
        client = connect(server)
        client.hello()
        client.send("say", id="1", body="what does it cost?")
        events = client.events(until="agent_failed")
        assert kinds(events) == ["user_said", "agent_started", "agent_thinking", "agent_failed"]
        assert offsets(events) == [1, 2, 3, 4]
        found = server.run(server.runtime.explain, events[-1]["data"]["reference"])
        assert found.cause is not None
        assert found.cause.type.endswith(EventNotKept.__name__)
        assert Scrape(server).value("emits_refused_total", "journal") == 1
        assert server.runtime.crashes() == (), "the disk is no fault of the agent"
    assert went_on == []
    assert any(" failed: the journal did not keep the event" in line for line in caplog.messages)


@pytest.mark.requirement("R02")
def test_an_event_that_nobody_came_for_is_a_dead_letter_logged_as_its_policy_says_and_counted(
    connect: Callable[..., Client],
    alarms: list[str],
    caplog: pytest.LogCaptureFixture,
    user: str,
    serving: Serving,
) -> None:
    """Without it: "methods returned False and execution went on"."""
    soon = dict.fromkeys(EventClass, Policy(expires_after=0.2, level="critical"))
    with serving(policies=soon) as server:
        scrape = Scrape(server)

        async def to_nobody() -> tuple[str, str]:
            async with server.runtime.run(user=user, agent="analyst") as run:
                event = (await run.final_report(report={"saving": "10%"})).event
                return event, run.context.run

        event, run = server.run(to_nobody)
        alarms.append("dead")
        scrape.wait("events_dead_lettered_total", "final_report")
        letters = server.run(server.runtime.dead_letters.list)
        assert event in [letter.event for letter in letters]
        critical = [each for each in caplog.records if each.levelno == logging.CRITICAL]
        assert [run in each.getMessage() for each in critical] == [True]


@pytest.mark.requirement("R03")
def test_the_five_events_of_a_turn_arrive_in_order_and_the_emitter_knows(
    client: Client, server: Server, user: str
) -> None:
    """Without it: "all five lost, users saw nothing"."""
    received = []

    async def turn() -> None:
        async with server.runtime.run(user=user, agent="analyst") as run:
            first = await run.agent_started()
            thought = await run.agent_thinking(text="reading the costs")
            tool = await run.tool_executing(tool_name="get_costs")
            done = await run.tool_completed(tool_name="get_costs", result=7)
            last = await run.agent_completed()
        for receipt in (first, thought, tool, done, last):
            await receipt.wait_received(timeout=30)
            received.append(str(receipt.kind))

    turning = begin(server, turn)
    events = client.events()
    assert (kinds(events), offsets(events)) == (FIVE, [1, 2, 3, 4, 5])
    client.send("ack", offset=5)
    turning.result(10)
    assert received == FIVE


@JUMPS
@pytest.mark.requirement("R04")
def test_an_event_is_sent_three_times_ever_further_apart_to_a_client_that_never_acks(
    later: Hours, connect: Callable[..., Client], user: str
) -> None:
    """Without it: "one attempt, then lost for ever"."""
    client = connect(later.server)
    ready = client.hello()
    later.server.run(one_run, later.server, user)
    client.events()
    sent = [later.now()]
    while later.tick(0.5, client):
        if [frame for frame in client.kept if frame["type"] == "events"]:
            again = client.take("events")
            assert (again["replay"], again["events"][0]["offset"]) == (True, 1)
            sent.append(later.now())
    closing = client.take("closing")
    first, second = (b - a for a, b in pairwise(sent))
    assert second > 2 * first
    assert (len(sent), closing["code"], closing["reconnect"] is not None) == (3, 4103, True)
    back = connect(later.server)
    back.hello(session=ready["session"])
    assert offsets(back.events()) == [1, 2]


async def one_run(server: Server, user: str) -> None:
    async with server.runtime.run(user=user, agent="analyst"):
        pass


@pytest.fixture
def stuck(later: Hours, connect: Callable[..., Client], user: str) -> Client:
    """Its breaker is open: it was sent a run's two events, twice, and acknowledged neither."""
    client = connect(later.server)
    client.hello()
    later.server.run(one_run, later.server, user)
    client.events()
    scrape = Scrape(later.server)
    while not scrape.value("breakers", "open"):
        assert later.tick(1.0, client)
    return client


@JUMPS
@pytest.mark.requirement("R05")
def test_a_connection_that_keeps_failing_is_spared_probed_and_recovers(
    later: Hours, stuck: Client, user: str
) -> None:
    """Without it: none; every event was thrown at a connection that answered nothing."""
    stuck.kept.clear()
    later.server.run(one_run, later.server, user)
    assert stuck.fence() == [], "nothing new while it is open"
    while not stuck.kept:
        assert later.tick(1.0, stuck)
    assert offsets(stuck.take("events")["events"]) == [1], "one event, as a probe"
    stuck.send("ack", offset=2)
    assert offsets(stuck.events()) == [3, 4]
    assert Scrape(later.server).value("breakers", "closed") == 1


@JUMPS
@pytest.mark.requirement("R10")
def test_what_fails_in_silence_is_seen_in_the_numbers_and_has_an_alert_rule(
    later: Hours, stuck: Client
) -> None:
    """Without it: no monitoring."""
    scrape = Scrape(later.server)
    assert scrape.value("events_accepted_total") == 2
    assert scrape.value("events_received_total") == 0
    assert scrape.value("event_retries_total") == 2
    assert scrape.value("connections", "ready") == 1
    for metric in ("events_received_total", "event_retries_total", "breaker_moves_total"):
        assert re.search(rf"expr: [^#]*?greenroom_{metric}\b", ALERTS)


@pytest.mark.requirement("R06")
def test_a_missing_or_wrong_field_raises_at_the_call_naming_it_and_nobody_is_shown_half_an_event(
    client: Client, server: Server, user: str
) -> None:
    """Without it: "`notify_tool_executing()` lacked `tool_name`, failed at run time"."""

    async def clumsy() -> None:
        async with server.runtime.run(user=user, agent="analyst") as run:
            with pytest.raises(TypeError, match="tool_name"):
                await run.tool_executing()  # type: ignore[call-arg]  # the incident
            with pytest.raises(TypeError, match="positional"):
                await run.tool_executing("get_costs")  # type: ignore[call-arg]  # the same
            for wrong in ("", 7, None):
                with pytest.raises(BadEvent, match="tool_name"):
                    await run.tool_executing(tool_name=wrong)  # type: ignore[arg-type]
            with pytest.raises(BadEvent, match="text"):
                await run.agent_thinking(text=7)  # type: ignore[arg-type]
            await five_events(run)

    server.run(clumsy)
    events = client.events()
    assert (kinds(events), offsets(events)) == (FIVE, [1, 2, 3, 4, 5])


@pytest.mark.requirement("R07")
def test_the_context_of_what_a_user_says_is_honoured_on_every_path(
    connect: Callable[..., Client], user: str, serving: Serving
) -> None:
    """Without it: "context ignored; no `session_id`"."""
    contexts = []

    async def agent(run: Run, _: object) -> None:
        contexts.append(run.context)
        await five_events(run)
        async with run.sub_run(agent="helper") as helper:
            contexts.append(helper.context)
        assert {event.thread for event in await run.history()} == {run.thread}

    with serving(agent=agent) as server:
        client = connect(server)
        session = client.hello()["session"]
        said = client.ask("say", id="1", body="hello")
        events = [*client.events(), *client.events()]
    outer, inner = contexts
    assert (outer.user, outer.session) == (user, session)
    assert (outer.thread, outer.run) == (said["thread"], said["run"])
    assert (inner.user, inner.session, inner.thread) == (user, session, outer.thread)
    assert {event["request"] for event in events} == {outer.request} == {inner.request}
    assert {event["thread"] for event in events} == {said["thread"]}
    assert {event.get("parent", event["run"]) for event in events} == {said["run"]}


@pytest.mark.requirement("R08")
@pytest.mark.requirement("R22")
def test_two_hundred_users_at_once_get_their_own_events_and_all_of_them(server: Server) -> None:
    """Without it: "events lost and mixed". Agents speak before, while and after sockets open."""
    users = [f"crowd-{number}" for number in range(200)]

    async def speak(user: str) -> None:
        async with server.runtime.run(user=user, agent=user) as run:
            await run.agent_thinking(text=user)
            await run.final_report(report=user)

    async def speak_to_all() -> None:
        async with trio.open_nursery() as nursery:
            for user in users:
                nursery.start_soon(speak, user)

    speaking = begin(server, speak_to_all)
    epoch = server.runtime.journal.epoch
    seen = crowd(server.port, {user: token_for(user) for user in users}, epoch, events=4)
    speaking.result(20)
    for user, events in seen.items():
        assert offsets(events) == [1, 2, 3, 4]
        told = [next(iter(event["data"].values())) for event in events]
        assert told == [user, user, user, "ok"]


@pytest.mark.requirement("R09")
def test_an_event_that_no_user_saw_in_time_raises_where_it_was_emitted(
    client: Client, server: Server, user: str
) -> None:
    """Without it: "no way to know". The tab is hidden: it receives, and shows nothing."""

    async def demanding() -> None:
        async with server.runtime.run(user=user, agent="analyst") as run:
            async with run.require(displayed_within=30):
                await run.agent_thinking(text="this one is shown")
            async with run.require(displayed_within=0.1):
                with pytest.raises(NotDisplayed):
                    await run.agent_thinking(text="this one is not")

    demand = begin(server, demanding)
    shown = client.events(until="agent_thinking")[-1]
    client.send("displayed", offsets=[shown["offset"]])
    hidden = client.events(until="agent_thinking")[-1]
    client.send("ack", offset=hidden["offset"])
    demand.result(20)
    assert kinds(client.events()) == ["agent_completed"]
