"""`greenroom dead-letters` on the journal of a stopped server, and beside one that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from greenroom.delivery.events import Kind
from greenroom.delivery.ids import ConnectionId, EventId, IdSource
from greenroom.delivery.journal import Attempt, DeadLetter
from greenroom.delivery.legacy_ids import modern
from greenroom.delivery.sqlite_journal import open_sqlite_journal
from tests.delivery.journal_conformance import ALICE, SESSIONS, record
from tests.face.cli import Result, called, greenroom

BODY = (
    b'{"offset":1,"at":1,"id":"%b","kind":"final_report","class":"critical","thread":"%b",'
    b'"run":"%b","request":"%b","data":{"report":"a saving"}}'
)


@pytest.fixture
def letter(tmp_path: Path) -> DeadLetter:
    plain = record(1, kind=Kind.FINAL_REPORT)
    ids = [each.encode() for each in (plain.id, plain.thread, plain.run, plain.request)]
    kept = record(1, kind=Kind.FINAL_REPORT, body=BODY % tuple(ids))
    connection = IdSource().new(ConnectionId)
    attempts = [Attempt(ALICE, SESSIONS[0], connection, 0, 1, number, 1000) for number in (1, 2)]
    letter = DeadLetter(ALICE, 1, kept.id, kept.kind, "dead_lettered", attempts, at=5_000)

    async def main() -> None:
        async with open_sqlite_journal(tmp_path / "greenroom.db") as journal:
            await journal.append([kept, letter])

    trio.run(main)
    return letter


@pytest.fixture
def called_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    return partial(called, cwd=tmp_path, monkeypatch=monkeypatch, capfd=capfd)


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
    assert cut.err == f"there are more: --after {letter.event}\n"
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
    assert greenroom("dead-letters", "list", cwd=tmp_path).out == ""


async def test_beside_a_running_server_letters_are_read_and_not_touched(
    letter: DeadLetter, tmp_path: Path
) -> None:
    async with open_sqlite_journal(tmp_path / "greenroom.db") as journal:
        listed = await trio.to_thread.run_sync(
            lambda: greenroom("dead-letters", "list", cwd=tmp_path)
        )
        assert letter.event in listed.out
        for command in ("requeue", "drop"):
            told = partial(greenroom, "dead-letters", command, letter.event, cwd=tmp_path)
            refused = await trio.to_thread.run_sync(told)
            assert refused.code == 1
            assert "has" in refused.err
            assert "open" in refused.err
            assert f"runtime.dead_letters.{command}(event)" in refused.err
            assert "another path" not in refused.err
        assert await journal.dead_letter(letter.event) == letter
