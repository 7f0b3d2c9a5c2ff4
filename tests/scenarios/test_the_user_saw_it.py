"""The second report: nobody knew whether users saw anything, and agents were cut off unseen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio

from greenroom import Receipt, ReceiptStage, Run, UserContext
from tests.face.cli import SECRET, greenroom
from tests.face.metrics.scrape import Scrape
from tests.protocol.client import Client
from tests.protocol.hours import hours
from tests.protocol.server import Server
from tests.scenarios.stage import FIVE, JUMPS, Serving, kinds, offsets

pytestmark = pytest.mark.every_server

TURN_SECONDS = 37.0


@JUMPS
@pytest.mark.requirement("R11")
@pytest.mark.requirement("R35")
def test_an_agent_of_37_seconds_is_not_cut_on_standard(connect: Callable[..., Client]) -> None:
    """Without it: "15 s socket, 37 s agent: cut off 22 s early"."""

    async def agent(run: Run, _: object) -> None:
        await run.agent_thinking(text="this takes a while")
        await trio.sleep(TURN_SECONDS)
        await run.final_report(report={"saving": "10%"})

    with hours(agent=agent) as later:
        assert later.server.runtime.settings.tier == "standard"
        client = connect(later.server)
        client.hello()
        client.ask("say", id="1", body="what can we save?")
        asked = later.now()
        client.send("ack", offset=client.events(until="agent_thinking")[-1]["offset"])
        later.pass_by(TURN_SECONDS, client)
        assert later.now() - asked >= TURN_SECONDS
        assert client.take("ping") == {"type": "ping"}, "its heart beat meanwhile"
        events = client.events()
    assert kinds(events) == ["final_report", "agent_completed"]
    assert events[-1]["data"] == {"outcome": "ok"}


@pytest.mark.requirement("R11")
def test_a_server_whose_clients_would_give_up_before_its_agents_does_not_start(
    tmp_path: Path,
) -> None:
    """Without it: "15 s socket, 37 s agent: cut off 22 s early"."""
    (tmp_path / "app.py").write_text("async def agent(run, said): ...\n")
    (tmp_path / "greenroom.toml").write_text("agent_seconds = 40.0\nconnection_seconds = 15.0\n")
    result = greenroom("serve", "app:agent", "--port", "0", cwd=tmp_path, secret=SECRET)
    assert (result.code, result.out) == (2, "")
    assert "agent_seconds: 40 s and 5 s of margin exceed the 15 s" in result.err
    assert "connection_seconds" in result.err
    assert not (tmp_path / "greenroom.db").exists(), "it did not get as far as the journal"


# A turn of five events, and what became of each


@attrs.frozen
class Turn:
    """Five events that a client has in hand, and their emitter's receipts."""

    server: Server
    client: Client
    receipts: list[Receipt]

    def stages(self) -> list[ReceiptStage]:
        async def ask() -> list[ReceiptStage]:
            return [await receipt.stage() for receipt in self.receipts]

        self.client.ask("history", id="reports are taken in order", limit=1)
        return self.server.run(ask)

    def wait(self, wait: Callable[[Receipt], object]) -> None:
        async def each() -> None:
            for receipt in self.receipts:
                await wait(receipt)  # type: ignore[misc]  # one of Receipt's

        self.server.run(each)


@pytest.fixture
def turn(client: Client, server: Server, user: str) -> Turn:
    async def emit() -> list[Receipt]:
        async with server.runtime.run(user=user, agent="analyst") as run:
            return [
                await run.agent_started(),
                await run.agent_thinking(text="reading the costs"),
                await run.tool_executing(tool_name="get_costs"),
                await run.tool_completed(tool_name="get_costs", result=7),
                await run.agent_completed(),
            ]

    receipts = server.run(emit)
    assert kinds(client.events()) == FIVE
    return Turn(server, client, receipts)


@pytest.mark.requirement("R12")
def test_five_of_five_events_are_acknowledged_by_one_cumulative_offset(
    turn: Turn, scrape: Scrape
) -> None:
    """Without it: "0 of 5 acknowledged"."""
    counted = scrape.value("events_received_total")
    assert max(turn.stages()) <= ReceiptStage.SENT
    turn.client.send("ack", offset=5)
    turn.wait(lambda receipt: receipt.wait_received(timeout=30))
    assert turn.stages() == [ReceiptStage.RECEIVED] * 5
    assert scrape.value("events_received_total") == counted + 5


@pytest.mark.requirement("R13")
def test_five_of_five_events_are_reported_as_displayed(turn: Turn) -> None:
    """Without it: "0 of 5"."""
    turn.client.send("ack", offset=5)
    turn.client.send("displayed", offsets=[1, 2, 3, 4, 5])
    turn.wait(lambda receipt: receipt.wait_displayed(timeout=30))
    assert turn.stages() == [ReceiptStage.DISPLAYED] * 5


@pytest.mark.requirement("R14")
def test_four_of_four_events_are_confirmed_with_what_the_user_thinks_of_them(turn: Turn) -> None:
    """Without it: "0 of 4"."""
    for offset in (2, 3, 4, 5):
        turn.client.send("confirm", offset=offset, verdict={"good": offset != 3}, note="thanks")
    turn.server.run(turn.receipts[-1].wait_confirmed, 10)
    first, *rest = turn.stages()
    assert (first < ReceiptStage.CONFIRMED, rest) == (True, [ReceiptStage.CONFIRMED] * 4)
    standing = turn.server.run(turn.receipts[2].standing)
    (session,) = standing.sessions
    assert (session.verdict, session.note) == ({"good": False}, "thanks")


@pytest.mark.requirement("R15")
def test_emitter_and_operator_can_tell_of_each_event_how_far_it_got_or_why_not(
    connect: Callable[..., Client], tmp_path: Path, user: str, serving: Serving
) -> None:
    """Without it: "no visibility". The operator asks after a restart, knowing only the user."""
    with serving(journal=tmp_path / "g.db") as server, connect(server) as client:
        client.hello()
        client.story({"think": 3})
        client.send("ack", offset=4)
        client.send("displayed", offsets=[3])
        client.send("confirm", offset=2, verdict="good")
        client.fence()
    with serving(journal=tmp_path / "g.db") as server:

        async def standings() -> list[tuple[str, str]]:
            receipts = await server.runtime.receipts(user=user)
            found = [(each, await each.standing()) for each in receipts]
            return [(str(each.kind), str(standing.stage)) for each, standing in found]

        assert server.run(standings) == [
            ("user_said", "received"),
            ("agent_started", "confirmed"),
            ("agent_thinking", "displayed"),
            ("agent_thinking", "received"),
            ("agent_thinking", "sent"),
            ("agent_completed", "sent"),
        ]


@pytest.mark.requirement("R16")
@pytest.mark.requirement("R07")
def test_a_session_survives_a_reload_and_each_of_a_users_tabs_is_tracked_by_itself(
    client: Client, connect: Callable[..., Client], server: Server, user: str
) -> None:
    """Without it: "constructor refused `session_id`"."""
    other = connect()
    session = client.ready["session"]
    assert other.hello()["session"] != session
    context = UserContext.new(user=user, session=session)

    async def emit() -> Receipt:
        async with server.runtime.run(context, agent="analyst") as run:
            return await run.final_report(report={"saving": "10%"})

    report = server.run(emit)
    client.events()
    other.events()
    client.send("displayed", offsets=[report.offset])
    client.send("ack", offset=report.offset)
    client.ask("history", id="reports are taken in order", limit=1)
    client.cut()
    reloaded = connect()
    ready = reloaded.hello(session=session)
    assert (ready["session"], ready["recovered"]) == (session, True)
    assert offsets(reloaded.events()) == [report.offset + 1], "and nothing that it had"
    stages = {each.session: each.stage for each in server.run(report.standing).sessions}
    assert stages == {
        session: ReceiptStage.DISPLAYED,
        other.ready["session"]: ReceiptStage.SENT,
    }
