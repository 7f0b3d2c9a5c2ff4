"""`greenroom dead-letters` on the journal of a stopped server, and beside one that runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from greenroom.delivery.events.ids import EventId, IdSource
from greenroom.delivery.events.record import DeadLetter
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.legacy.legacy_ids import modern
from tests.delivery.journal.journal_conformance import SESSIONS
from tests.face.cli import Result, greenroom
from tests.face.commands.journal.letters import alices_letter
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for


@pytest.fixture
def letter(tmp_path: Path) -> DeadLetter:
    kept, letter = alices_letter()

    async def main() -> None:
        async with open_sqlite_journal(tmp_path / "greenroom.db") as journal:
            await journal.append([kept, letter])

    trio.run(main)
    return letter


@pytest.fixture
def called_here(tmp_path: Path) -> Callable[..., Result]:
    return partial(greenroom, cwd=tmp_path)


@pytest.mark.requirement("R02")
def test_letters_are_listed_and_shown_with_their_attempts(
    letter: DeadLetter, tmp_path: Path
) -> None:
    listed = greenroom("dead-letters", "list", cwd=tmp_path)
    heading, line = listed.out.splitlines()
    assert heading.split() == ["event", "kind", "outcome", "given", "up", "attempts", "user"]
    told = ["final_report", "dead_lettered", "1970-01-01T00:00:05Z", "2", "alice"]
    assert line.split() == [letter.event, *told]
    assert line.index("alice") == heading.index("user")
    assert listed.err == ""
    shown = greenroom("dead-letters", "show", letter.event, cwd=tmp_path)
    assert shown.out.startswith(listed.out)
    assert f"  attempt 2  1970-01-01T00:00:01Z  {SESSIONS[0]}" in shown.out
    assert '"report":"a saving"' in shown.out


def test_a_list_that_is_cut_says_how_to_go_on(
    letter: DeadLetter, tmp_path: Path, called_here: Callable[..., Result]
) -> None:
    second = attrs.evolve(letter, event=IdSource().new(EventId))

    async def main() -> None:
        async with open_sqlite_journal(tmp_path / "greenroom.db") as journal:
            await journal.append([second])

    trio.run(main)
    cut = called_here("dead-letters", "list", "--limit", "1")
    assert len(cut.out.splitlines()) == 2
    assert cut.err == f"there are more: continue with --after {letter.event}\n"
    rest = called_here("dead-letters", "list", "--json", "--after", letter.event)
    assert [json.loads(line)["event"] for line in rest.out.splitlines()] == [second.event]
    assert rest.err == ""


def test_programs_get_letters_as_json(
    letter: DeadLetter, called_here: Callable[..., Result]
) -> None:
    listed = called_here("dead-letters", "list", "--json")
    told = json.loads(listed.out)
    assert told["event"] == letter.event
    assert (told["user"], told["offset"], told["kind"]) == ("alice", 1, "final_report")
    assert (told["outcome"], told["at"]) == ("dead_lettered", 5_000)
    assert [each["attempt"] for each in told["attempts"]] == [1, 2]
    shown = json.loads(called_here("dead-letters", "show", "--json", letter.event).out)
    assert shown.pop("record")["data"] == {"report": "a saving"}
    assert shown == told


@pytest.mark.requirement("R19")
def test_a_letter_is_asked_for_by_what_its_id_was_and_garbage_gets_advice(
    letter: DeadLetter, called_here: Callable[..., Result]
) -> None:
    old = "event_1757371363786"
    becomes = modern(EventId, old)
    unknown = called_here("dead-letters", "show", old)
    assert unknown.err.startswith(f"greenroom: error: {becomes} is no dead letter\n")
    for command in ("show", "requeue", "drop"):
        garbage = called_here("dead-letters", command, "garbage")
        assert garbage.code == 2
        assert "expected an event id" in garbage.err
        assert "greenroom ids explain" in garbage.err


@pytest.mark.requirement("R02")
def test_a_letter_is_requeued_once_and_another_dropped(letter: DeadLetter, tmp_path: Path) -> None:
    requeued = greenroom("dead-letters", "requeue", letter.event, cwd=tmp_path)
    assert requeued.code == 0, requeued.err
    assert requeued.out.endswith(", offset 2\n")
    again = greenroom("dead-letters", "requeue", letter.event, cwd=tmp_path)
    assert (again.code, again.out) == (1, "")
    assert f"{letter.event} is no dead letter" in again.err
    assert greenroom("dead-letters", "drop", letter.event, cwd=tmp_path).code == 1
    assert '"offset": 2' in greenroom("events", "--json", cwd=tmp_path).out.replace(
        '"offset":2', '"offset": 2'
    )


def test_dropping_says_what_was_dropped(letter: DeadLetter, tmp_path: Path) -> None:
    assert greenroom("dead-letters", "drop", letter.event, cwd=tmp_path).out == (
        f"dropped {letter.event}\n"
    )
    assert greenroom("dead-letters", "list", cwd=tmp_path).out == "no dead letters\n"


@pytest.fixture
def server(letter: DeadLetter, tmp_path: Path) -> Iterator[Server]:
    """A server that has the journal open; `greenroom.toml` says where it is."""
    with serving(journal=tmp_path / "greenroom.db", admin_token=ADMIN) as server:
        toml = f'url = "http://127.0.0.1:{server.port}"\n'
        (tmp_path / "greenroom.toml").write_text(toml, encoding="utf-8")
        yield server


@pytest.mark.requirement("R02")
def test_beside_a_running_server_a_letter_is_requeued_by_it_and_reaches_who_is_connected(
    server: Server, letter: DeadLetter, tmp_path: Path
) -> None:
    assert letter.event in greenroom("dead-letters", "list", cwd=tmp_path).out
    requeue = ("dead-letters", "requeue", letter.event, "--token", ADMIN)
    with Client(server.port, token_for("alice")) as alice:
        alice.hello()
        done = greenroom(*requeue, cwd=tmp_path)
        (event,) = alice.take("events")["events"]
    assert (done.code, done.err) == (0, "")
    assert done.out == f"requeued as {event['id']}, offset 2\n"
    assert event["data"] == {"report": "a saving"}
    again = greenroom(*requeue, cwd=tmp_path)
    assert (again.code, again.out) == (1, "")
    assert f"http://127.0.0.1:{server.port}: {letter.event} is no dead letter" in again.err
    assert greenroom("dead-letters", "list", cwd=tmp_path).out == "no dead letters\n"


def test_beside_a_running_server_a_letter_is_dropped_by_it(
    server: Server, letter: DeadLetter, tmp_path: Path
) -> None:
    drop = ("dead-letters", "drop", letter.event, "--token", ADMIN)
    dropped = greenroom(*drop, cwd=tmp_path)
    assert (dropped.code, dropped.out, dropped.err) == (0, f"dropped {letter.event}\n", "")
    assert server.run(server.runtime.dead_letters.list) == []


def test_a_server_elsewhere_is_asked_by_its_url_without_a_journal_here(
    server: Server, letter: DeadLetter, tmp_path: Path
) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    url = f"http://127.0.0.1:{server.port}"
    drop = partial(greenroom, "dead-letters", "drop", letter.event, cwd=elsewhere)
    assert "there is no" in drop().err
    assert drop("--url", url, "--token", "a-wrong-admin-token-long-enough-for-settings").err == (
        f"greenroom: error: {url} does not accept this admin token\n"
        "greenroom: set GREENROOM_ADMIN_TOKEN or --token to the server's admin token\n"
    )
    assert drop("--url", url, "--token", ADMIN).out == f"dropped {letter.event}\n"


@pytest.mark.parametrize("command", ["requeue", "drop"])
def test_without_the_admin_token_letters_beside_a_running_server_stay(
    server: Server, letter: DeadLetter, command: str, tmp_path: Path
) -> None:
    refused = greenroom("dead-letters", command, letter.event, cwd=tmp_path)
    assert (refused.code, refused.out) == (1, "")
    error, advice = refused.err.splitlines()
    assert "has" in error
    assert "open" in error
    assert "set GREENROOM_ADMIN_TOKEN to that server's admin token" in advice
    assert "another path" not in advice
    assert server.run(server.runtime.dead_letters.list) == [letter]


def test_a_server_without_an_admin_token_says_how_it_gets_one(
    letter: DeadLetter, tmp_path: Path
) -> None:
    with serving(journal=tmp_path / "greenroom.db") as server:
        url = f"http://127.0.0.1:{server.port}"
        asked = ("--url", url, "--token", ADMIN)
        refused = greenroom("dead-letters", "requeue", letter.event, *asked, cwd=tmp_path)
    assert refused.code == 1
    assert "has no admin endpoints" in refused.err
    assert "GREENROOM_ADMIN_TOKEN" in refused.err
