"""Connection strings stood in the chat: users read no exception's text, and operators find it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenroom import JSON, Run
from tests.face.cli import greenroom
from tests.protocol.client import Client, Json
from tests.protocol.server import ADMIN, crash_user_actor
from tests.scenarios.stage import Serving

Connect = Callable[..., Client]

pytestmark = pytest.mark.requirement("R52")

PRIVATE = "no route to db.internal:5432 for billing_rw"


async def unlucky(run: Run, _: JSON) -> None:
    """Fails in a tool of a sub-run, so that the tool, the sub-run and the run fail."""
    async with run.sub_run(agent="accountant") as accountant, accountant.tool("look_up"):
        raise ConnectionError(PRIVATE)


def failures(client: Client) -> list[Json]:
    """Until the run has ended; the sub-run's end comes before."""
    first = client.events(until="agent_failed")
    events = [*first, *client.events(until="agent_failed")]
    return [event for event in events if "reference" in event["data"]]


def explained(reference: str, cwd: Path, *more: str) -> Any:
    found = greenroom("explain", reference, "--json", *more, cwd=cwd)
    assert found.code == 0, found.err
    return json.loads(found.out)


def test_a_user_reads_no_exceptions_text_and_the_operator_finds_it_after_a_restart(
    connect: Connect, alarms: list[str], tmp_path: Path, user: str, serving: Serving
) -> None:
    alarms.append("crashed: ConnectionError")
    journal = tmp_path / "greenroom.db"
    with serving(journal=journal, agent=unlucky, admin_token=ADMIN) as server:
        client = connect(server)
        client.hello()
        client.ask("say", id="1", body="hello")
        failed = failures(client)
        assert [event["kind"] for event in failed] == [
            "tool_completed",
            "agent_failed",
            "agent_failed",
        ]
        assert "internal" not in str(client.kept) + str(failed)
        assert "ConnectionError" not in str(client.kept) + str(failed)
        reference = failed[0]["data"]["reference"]
        url = f"http://127.0.0.1:{server.port}"
        live = explained(reference, tmp_path, "--url", url, "--token", ADMIN)
        assert live == explained(reference, tmp_path), "beside the server, and from it"
    with serving(journal=journal, agent=unlucky, admin_token=ADMIN) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert explained(reference, tmp_path, "--url", url, "--token", ADMIN) == live
        client = connect(server)
        client.hello()
        shown = client.ask("history", id="2", limit=50)
        assert "internal" not in str(shown)
    for event in failed:
        found = explained(event["data"]["reference"], tmp_path)
        assert (found["user"], found["event"]) == (user, event)
        assert found["cause"]["type"] == "builtins:ConnectionError"
        assert found["cause"]["text"] == PRIVATE
        assert "in unlucky" in found["cause"]["traceback"]


def test_what_an_operator_reads_stays_on_its_lines_and_says_what_the_user_read(
    connect: Connect, alarms: list[str], tmp_path: Path, serving: Serving
) -> None:
    async def forger(run: Run, _: JSON) -> None:
        raise ValueError("one\nbuiltins:Harmless: two\x1b[2J")

    alarms.append("crashed: ValueError")
    with serving(journal=tmp_path / "greenroom.db", agent=forger) as server:
        client = connect(server)
        client.hello()
        client.ask("say", id="1", body="hello")
        failed = client.events(until="agent_failed")[-1]
    found = greenroom("explain", failed["data"]["reference"], cwd=tmp_path)
    assert f"the user reads: {failed['data']['message']}" in found.out
    assert r"builtins:ValueError: one\nbuiltins:Harmless: two\x1b[2J" in found.out
    assert "\x1b" not in found.out


def test_a_reference_to_no_failure_to_nothing_and_to_a_run_is_answered_plainly(
    connect: Connect, tmp_path: Path, serving: Serving
) -> None:
    journal = tmp_path / "greenroom.db"

    async def begin(run: Run, _: JSON) -> None:
        await run.history()

    with serving(journal=journal, agent=begin) as server:
        client = connect(server)
        client.hello()
        client.ask("say", id="1", body="hello")
        ended = client.events(until="agent_completed")[-1]
    found = greenroom("explain", ended["id"], cwd=tmp_path)
    assert "nothing failed here" in found.out
    unknown = greenroom("explain", ended["id"][:-4] + "0000", cwd=tmp_path)
    assert (unknown.code, "there is no event" in unknown.err) == (1, True)
    other = greenroom("explain", ended["run"], cwd=tmp_path)
    assert "expected an event id, got run" in other.err


def test_no_frame_and_no_answer_repeats_what_the_servers_own_parts_raised(
    connect: Connect, alarms: list[str], user: str, serving: Serving
) -> None:
    alarms.append("crashed")
    with serving() as server:
        client = connect(server)
        client.hello()
        server.run_sync(crash_user_actor, server, user)
        closing = client.take("closing")
        assert (closing["code"], closing["reason"]) == (4105, "the server failed")


def test_a_reference_is_refused_without_the_admin_token(tmp_path: Path, serving: Serving) -> None:
    with serving(admin_token=ADMIN) as server:
        status, _ = server.probe("admin/explanations/evt_01h455vb4pex5vsknk084sn02q")
        assert status == 401
