"""`greenroom dead-letters` on the journal of a stopped server, and beside one that runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from greenroom.delivery.events import Kind
from greenroom.delivery.ids import ConnectionId, IdSource
from greenroom.delivery.journal import Attempt, DeadLetter
from greenroom.delivery.sqlite_journal import open_sqlite_journal
from tests.delivery.journal_conformance import ALICE, SESSIONS, record
from tests.face.cli import greenroom

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


@pytest.mark.requirement("R02")
def test_letters_are_listed_and_shown_with_their_attempts(
    letter: DeadLetter, tmp_path: Path
) -> None:
    listed = greenroom("dead-letters", "list", cwd=tmp_path)
    assert listed.out == (
        f"{letter.event}  final_report  dead_lettered  1970-01-01T00:00:05Z  2 attempts  alice\n"
    )
    shown = greenroom("dead-letters", "show", letter.event, cwd=tmp_path)
    assert shown.out.startswith(listed.out)
    assert f"  attempt 2  1970-01-01T00:00:01Z  {SESSIONS[0]}" in shown.out
    assert '"report":"a saving"' in shown.out


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
        refused = await trio.to_thread.run_sync(
            lambda: greenroom("dead-letters", "drop", letter.event, cwd=tmp_path)
        )
        assert refused.code == 1
        assert "has" in refused.err
        assert "open" in refused.err
        assert await journal.dead_letter(letter.event) == letter
