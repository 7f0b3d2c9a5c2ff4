"""The third report: one thing had three ids, and conversations were not found any more."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from greenroom import UserContext, command_line
from greenroom.delivery.events.ids import IdSource, RunId, SessionId, ThreadId
from greenroom.delivery.legacy.legacy_ids import modern
from tests.delivery.journal.journal_story import EPOCH, legacy, rows, write_story
from tests.face.metrics.scrape import Scrape
from tests.protocol.client import Client
from tests.protocol.server import Server, token_for
from tests.scenarios.stage import Serving, offsets

IDS = IdSource()
ALERTS = (Path(__file__).parents[2] / "docs" / "alerts.yml").read_text(encoding="utf-8")


@pytest.mark.requirement("R17")
def test_a_thread_has_one_id_wherever_it_is_named_and_is_found_by_it(
    connect: Callable[..., Client],
    tmp_path: Path,
    user: str,
    capsys: pytest.CaptureFixture[str],
    serving: Serving,
) -> None:
    """Without it: "three formats for one thing: '404: Thread not found'"."""
    path = tmp_path / "g.db"
    with serving(journal=path) as server:
        client = connect(server)
        client.hello()
        thread = client.ask("say", id="1", body="hello")["thread"]
        assert {event["thread"] for event in client.events()} == {thread}

        async def by_a_service() -> str:
            context = UserContext.new(user=user, thread=thread)
            async with server.runtime.run(context, agent="analyst") as run:
                return run.thread

        assert server.run(by_a_service) == thread
        client.events()
        found = client.ask("history", id="2", thread=thread, limit=200)["events"]
        (kept,) = server.run(server.runtime.journal.threads, user)
        command_line.run(["events", "--journal", str(path), "--thread", thread, "--json"])
    shown = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert offsets(found) == offsets(shown) == [1, 2, 3, 4, 5]
    assert (kept.thread, kept.events) == (thread, 5)


@pytest.mark.requirement("R17")
@pytest.mark.requirement("R01")
def test_an_id_of_another_kind_is_refused_naming_both_before_storage_is_touched(
    connect: Callable[..., Client], serving: Serving
) -> None:
    """Without it: "three formats for one thing: '404: Thread not found'"."""
    with serving() as server:
        client, scrape = connect(server), Scrape(server)
        client.hello()
        said = client.ask("say", id="1", body="hello")
        client.events()
        touched = scrape.value("journal_lookup_seconds_count")
        for request in (
            {"type_": "history", "limit": 10, "thread": said["run"]},
            {"type_": "say", "body": "hello", "thread": said["run"]},
        ):
            reply = client.ask(id="2", **request)
            assert "`thread` must be a thread id, not run" in reply["error"]["message"]
        reply = client.ask("cancel", id="3", run=said["thread"])
        assert "`run` must be a run id, not thread" in reply["error"]["message"]
        assert scrape.value("journal_lookup_seconds_count") == touched
        assert scrape.value("id_mismatches_total", "thread", "run") == 3


@pytest.mark.requirement("R18")
def test_a_thread_derived_from_a_runs_text_finds_nothing_and_is_counted_where_the_run_knows_its_own(
    client: Client, server: Server, scrape: Scrape
) -> None:
    """Without it: "derived `thread_…_X_XXXXXXXX`"."""
    said = client.ask("say", id="1", body="hello")
    client.events()
    derived = "thread_" + said["run"].removeprefix("run_")
    failed = scrape.value("lookups_failed_total", "thread")
    reply = client.ask("history", id="2", thread=derived, limit=10)
    assert (reply["events"], derived != said["thread"]) == ([], True)
    assert scrape.value("lookups_failed_total", "thread") == failed + 1
    surgery = f"thread_{said['run'][4:12]}_X_XXXXXXXX"
    reply = client.ask("history", id="3", thread=surgery, limit=10)
    assert "`thread` must be a thread id" in reply["error"]["message"]

    again = client.ask("say", id="4", body="hello", thread=said["thread"])
    assert (again["thread"], again["run"] != said["run"]) == (said["thread"], True)
    assert {event["thread"] for event in client.events()} == {said["thread"]}


@pytest.mark.requirement("R19")
def test_ids_of_live_sessions_of_an_older_system_stay_usable(
    connect: Callable[..., Client],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    serving: Serving,
) -> None:
    """Without it: "ids of live sessions became unusable"."""
    path = tmp_path / "g.db"
    write_story(path, "alice", new=legacy)
    page = orjson.loads(rows(path)["log"][0][-1])  # type: ignore[arg-type]  # an event's body
    session = str(rows(path)["cursor"][0][1])
    assert command_line.run(["journal", "migrate", "--journal", str(path)]) == 0, (
        capsys.readouterr().err
    )
    with serving(journal=path) as server:
        client = connect(server, token_for("alice"))
        ready = client.hello(session=session, epoch=EPOCH, offset=3)
        assert (ready["session"], ready["recovered"]) == (modern(SessionId, session), True)
        assert client.take("events")["events"][0]["offset"] == 4
        found = client.ask("history", id="1", thread=page["thread"], limit=200)["events"]
        assert {event["thread"] for event in found} == {modern(ThreadId, page["thread"])}
        assert page["run"] != modern(RunId, page["run"]) in {event["run"] for event in found}
        reply = client.ask("say", id="2", body="and now?", thread=page["thread"])
        assert reply["thread"] == modern(ThreadId, page["thread"])
        reply = client.ask("history", id="3", thread="thread-7", limit=1)
        assert "`thread` must be a thread id" in reply["error"]["message"]
    assert command_line.run(["events", "--journal", str(path), "--thread", "thread-7"]) == 2
    assert "`greenroom ids explain`" in capsys.readouterr().err


@pytest.mark.requirement("R20")
@pytest.mark.requirement("R34")
def test_a_conversation_is_there_after_a_restart_of_the_server_and_a_reconnect(
    connect: Callable[..., Client], tmp_path: Path, serving: Serving
) -> None:
    """Without it: "history lost on reconnect"."""
    with serving(journal=tmp_path / "g.db") as server:
        client = connect(server)
        before = client.hello()
        first = client.story("everything", id="1")
        first += client.events()  # the first end was a sub-run's
        thread = first[0]["thread"]
        second = client.story("hello", id="2", thread=thread)
    with serving(journal=tmp_path / "g.db") as server:
        client = connect(server)
        ready = client.hello(session=before["session"], epoch=before["epoch"], offset=len(first))
        assert ready["recovered"] is True
        assert client.events() == second, "what the page had not seen"
        page = client.ask("history", id="h", thread=thread, limit=200)
        assert page["events"] == first + second, "and what was said before, for a fresh one"


@pytest.mark.requirement("R21")
def test_a_look_up_that_fails_is_counted_and_has_an_alert_rule_before_users_call(
    client: Client, connect: Callable[..., Client], scrape: Scrape
) -> None:
    """Without it: "found out from users"."""

    def failed(wanted: str) -> float:
        return scrape.value("lookups_failed_total", wanted)

    before = {wanted: failed(wanted) for wanted in ("thread", "run", "session")}
    mismatches = scrape.value("id_mismatches_total", "thread", "request")
    client.ask("history", id="1", thread=IDS.new(ThreadId), limit=10)
    client.ask("cancel", id="2", run=IDS.new(RunId))
    connect().hello(session=IDS.new(SessionId))
    assert {wanted: failed(wanted) for wanted in before} == {w: n + 1 for w, n in before.items()}
    client.ask("history", id="3", thread="req_01h455vb4pex5vsknk084sn02q", limit=10)
    assert scrape.value("id_mismatches_total", "thread", "request") == mismatches + 1
    rule = re.search(r'greenroom_lookups_failed_total\{wanted=~"([^"]+)"', ALERTS)
    assert rule is not None
    assert set(before) <= set(rule[1].split("|"))
    assert re.search(r"expr: [^#]*?greenroom_id_mismatches_total", ALERTS)
