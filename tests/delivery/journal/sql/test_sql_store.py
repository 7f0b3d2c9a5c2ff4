"""Statements of the SQLite store: prepared once, and no more of them than an append needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.ids import EventId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.file import SqliteFile, open_file
from tests.delivery.journal.journal_conformance import (
    ALICE,
    BOB,
    IDS,
    SESSIONS,
    THREADS,
    cursor,
    record,
    records,
)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteFile]:
    with closing(open_file(tmp_path / "journal.db", new_epoch=lambda: "an epoch")) as file:
        yield file


def first_words(database: apsw.Connection) -> list[str]:
    """The first two words of each statement that is carried out from now on."""
    words: list[str] = []

    def note(_: apsw.Cursor, sql: str, __: object) -> bool:
        words.append(" ".join(sql.split()[:2]))
        return True

    database.exec_trace = note
    return words


def planned(database: apsw.Connection) -> list[int]:
    """Grows while a statement is prepared."""
    found: list[int] = []

    def note(action: int, *_: object) -> int:
        found.append(action)
        return apsw.SQLITE_OK

    database.authorizer = note
    return found


def read_all(store: SqlStore, user: UserId) -> None:
    store.bounds(user)
    store.read(user, 0, 9, 9)
    store.history(user, None, None, 9)
    store.history(user, THREADS[0], None, 9)
    store.said(user, "key")
    store.open_runs(user)
    store.cursor(user, SESSIONS[0])
    store.sent_to(user, 1, 9)
    store.reached(user, 0, 9)
    store.marks(user, 0, 9)
    store.threads(user)
    store.find(IDS.new(EventId))


@pytest.mark.parametrize("reading", [True, False], ids=["a reader's", "the writer's"])
def test_a_question_is_planned_once_whoever_it_is_about(file: SqliteFile, *, reading: bool) -> None:
    database = file.open_to_read() if reading else file.database
    store, found = SqlStore(database), planned(database)
    read_all(store, ALICE)
    assert found
    found.clear()
    read_all(store, BOB)
    assert found == []


def test_a_lone_event_of_a_known_user_is_one_statement(file: SqliteFile) -> None:
    store = SqlStore(file.database)
    store.append([record(1)])
    words = first_words(file.database)
    store.append([record(2)])
    assert words == ["INSERT INTO"]
    assert store.bounds(ALICE).last == 2


def test_a_lone_cursor_is_one_statement_and_nothing_is_none(file: SqliteFile) -> None:
    store = SqlStore(file.database)
    words = first_words(file.database)
    store.append([cursor(1)])
    store.append([])
    assert words == ["INSERT INTO"]


def test_what_takes_more_statements_is_one_transaction(file: SqliteFile) -> None:
    store = SqlStore(file.database)
    words = first_words(file.database)
    store.append(records(1, 3))
    assert (words[0], words[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
    words.clear()
    store.append([record(4, kind=Kind.AGENT_STARTED)])
    assert (words[0], words[-1]) == ("BEGIN IMMEDIATE", "COMMIT")


def test_a_gap_of_a_known_user_begins_no_transaction(file: SqliteFile) -> None:
    store = SqlStore(file.database)
    store.append([record(1)])
    words = first_words(file.database)
    with pytest.raises(OutOfSequence):
        store.append([record(3)])
    assert words == []


def test_the_end_of_a_log_that_is_all_trimmed_is_known_to_another_store(file: SqliteFile) -> None:
    store = SqlStore(file.database)
    store.append(records(1, 3))
    store.trim(ALICE, 3)
    again = SqlStore(file.database)
    assert again.bounds(ALICE).last == 3
    again.append([record(4)])
    assert [each.offset for each in again.read(ALICE, 0, 9, 99)] == [4]
