"""`greenroom runs`, on the journal of a server and beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from greenroom.admin.runs_desk import NotThatRun, RunsDesk
from greenroom.delivery.events.ids import UserId
from tests.delivery.backstage import ALICE, open_backstage
from tests.delivery.user.runs.broken import AGAIN, Analyst, Broken, at
from tests.face.cli import Result, greenroom
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(admin_token=ADMIN, journal=tmp_path / "greenroom.db") as server:
        url = f"http://127.0.0.1:{server.port}"
        (tmp_path / "greenroom.toml").write_text(f"url = '{url}'\nadmin_token = '{ADMIN}'\n")
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port, token_for("alice")) as client:
        client.hello()
        yield client


def test_a_run_is_listed_shown_and_cancelled_beside_its_server(
    client: Client, tmp_path: Path
) -> None:
    def runs(*words: str) -> Result:
        return greenroom("runs", *words, cwd=tmp_path)

    assert runs("list").out == "no open runs\n"
    run = client.ask("say", id="1", body="wait")["run"]
    client.events(until="agent_thinking")
    assert run in runs("list", "--user", "alice").out
    assert "no step is recorded" in runs("show", run).out
    assert runs("cancel", run[-8:]).out == f"{run} is cancelled\n"
    assert client.events(until="agent_completed")[-1]["data"] == {"outcome": "cancelled"}
    assert "has ended" in runs("show", run).err
    assert "is not going on" in runs("cancel", run).err


def test_a_run_that_failed_is_said_again_once_however_often_it_is_retried(
    client: Client, tmp_path: Path
) -> None:
    run = client.ask("say", id="1", body="crash")["run"]
    client.events(until="agent_failed")
    first = greenroom("runs", "retry", run, cwd=tmp_path)
    second = greenroom("runs", "retry", run, cwd=tmp_path)
    said = client.events(until="agent_failed")[0]
    assert (said["kind"], said["data"]["body"]) == ("user_said", "crash")
    assert first.out == second.out == f"said again, as {said['run']}\n"
    assert said["run"] != run


def test_a_run_that_is_at_work_is_not_tried_again(client: Client, tmp_path: Path) -> None:
    run = client.ask("say", id="1", body="wait")["run"]
    client.events(until="agent_thinking")
    assert "is going on" in greenroom("runs", "retry", run, cwd=tmp_path).err


@pytest.mark.requirement("R56")
async def test_a_run_that_waits_for_its_next_attempt_begins_it_when_an_operator_says_so(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, analyst = Broken(), Analyst()
    run = broken.say(attempts=2)
    journal, now_ms = await broken.keep(), at(0)
    async with open_backstage(journal, converse=analyst, when_lost=AGAIN, now_ms=now_ms) as stage:
        desk = RunsDesk(stage.users, journal)
        async with stage.users.lease(ALICE):
            await trio.sleep(0.5)
            assert await desk.retry(ALICE, run, "") == run
            await trio.sleep(0.1)
            assert analyst.begun == [(run, 3)]
            with pytest.raises(NotThatRun):
                await desk.cancel(UserId("bob"), run)
