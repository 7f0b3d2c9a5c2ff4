"""A client that still knows its thread, run and session by an older system's ids goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from greenroom.delivery.events.ids import RunId, SessionId, ThreadId
from greenroom.delivery.legacy.legacy_ids import modern
from greenroom.delivery.upkeep.journal_migration import migrate
from tests.delivery.journal.journal_story import EPOCH, legacy, rows, write_story
from tests.protocol.client import Client, Json
from tests.protocol.server import Server, serving, token_for


@pytest.fixture
def old(tmp_path: Path) -> Path:
    write_story(tmp_path / "journal.db", "alice", new=legacy)
    return tmp_path / "journal.db"


@pytest.fixture
def remembered(old: Path) -> Json:
    """What alice's page remembers from before: an event's ids, and its session."""
    event = orjson.loads(rows(old)["log"][0][-1])  # type: ignore[arg-type]  # its body
    session = str(rows(old)["cursor"][0][1])
    return {**event, "session": session}


@pytest.fixture
def server(old: Path, remembered: Json) -> Iterator[Server]:
    """Started on the journal after it was migrated."""
    migrate(old)
    with serving(journal=old) as server:
        yield server


@pytest.mark.requirement("R19", "R20")
def test_the_history_of_a_legacy_thread_is_there_under_its_new_id(
    server: Server, remembered: Json
) -> None:
    with Client(server.port, token_for("alice")) as alice:
        alice.hello()
        reply = alice.ask("history", id="1", thread=remembered["thread"], limit=200)
        same = alice.ask(
            "history", id="2", thread=modern(ThreadId, remembered["thread"]), limit=200
        )
    assert reply["ok"]
    assert {event["thread"] for event in reply["events"]} == {
        modern(ThreadId, remembered["thread"])
    }
    assert len(reply["events"]) == 12
    assert same["events"] == reply["events"]


@pytest.mark.requirement("R16", "R19")
def test_a_legacy_session_resumes_where_it_was(server: Server, remembered: Json) -> None:
    with Client(server.port, token_for("alice")) as alice:
        ready = alice.hello(session=remembered["session"], epoch=EPOCH, offset=3)
        assert ready["session"] == modern(SessionId, remembered["session"])
        assert ready["recovered"]
        assert alice.take("events")["events"][0]["offset"] == 4


@pytest.mark.requirement("R19")
def test_the_user_goes_on_in_a_legacy_thread(server: Server, remembered: Json) -> None:
    with Client(server.port, token_for("alice")) as alice:
        alice.hello()
        reply = alice.ask("say", id="1", body="hello", thread=remembered["thread"])
        cancelled = alice.ask("cancel", id="2", run=remembered["run"])
    assert reply["thread"] == modern(ThreadId, remembered["thread"])
    assert modern(RunId, remembered["run"]) in cancelled["error"]["message"]


@pytest.mark.requirement("R17", "R19")
@pytest.mark.parametrize(
    ("thread", "given"),
    [
        ("req_a1b2c3d4e5f6", "a legacy request id (req_<hex12>)"),
        ("mystery-7", "other text"),
    ],
)
def test_an_id_that_never_was_a_threads_is_refused_naming_both_kinds(
    thread: str, given: str, server: Server
) -> None:
    with Client(server.port, token_for("alice")) as alice:
        alice.hello()
        reply = alice.ask("history", id="1", thread=thread, limit=1)
    assert not reply["ok"]
    assert f"`thread` must be a thread id, not {given}" in reply["error"]["message"]


@pytest.mark.requirement("R08", "R19")
def test_another_user_finds_nothing_under_a_legacy_thread(server: Server, remembered: Json) -> None:
    with Client(server.port, token_for("mallory")) as mallory:
        mallory.hello()
        reply = mallory.ask("history", id="1", thread=remembered["thread"], limit=200)
    assert reply["events"] == []
