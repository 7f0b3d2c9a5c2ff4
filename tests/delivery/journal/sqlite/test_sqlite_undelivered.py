"""How an SQLite journal finds overdue events: by an index that every writer keeps, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import attrs
import pytest

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Settled
from greenroom.delivery.journal.sql.letters import SqlLetters
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_compaction import compact
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from tests.delivery.journal.journal_conformance import ALICE, BOB, cursor, record, records
from tests.delivery.journal.journal_story import execute, write_story

PROGRESS, CRITICAL = EventClass.PROGRESS, EventClass.CRITICAL
CAROL = UserId("carol")
_UNSETTLED = 'SELECT user, class, number, "offset", at FROM unsettled ORDER BY 1, 2'


def unsettled(path: Path) -> list[tuple[object, ...]]:
    with closing(apsw.Connection(str(path))) as database:
        return database.execute(_UNSETTLED).fetchall()


def make_older(path: Path) -> None:
    """As a version wrote it that did not have the index."""
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TABLE unsettled")
        sql = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
        for (name,) in database.execute(sql).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.mark.fault("S16")
async def test_a_journal_of_an_older_version_gets_the_index_when_it_is_opened(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append([*records(1, 9), record(1, user=BOB, kind=Kind.FINAL_REPORT)])
        await journal.append([record(1, user=CAROL), Settled(CAROL, PROGRESS, 1)])
        await journal.append([Settled(ALICE, PROGRESS, 4), cursor(4)])
    kept = unsettled(path)
    make_older(path)
    async with open_sqlite_journal(path) as journal:
        assert (await journal.overdue(PROGRESS, before=99, limit=9)).users == [BOB, ALICE]
        assert BOB in (await journal.overdue(CRITICAL, before=99, limit=9)).users
    assert set(kept) <= set(unsettled(path)), "of classes that a user has none of, more may be"


@pytest.mark.fault("S16")
async def test_an_older_version_that_appends_and_settles_leaves_nothing_out(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.append([record(1), Settled(ALICE, PROGRESS, 1)])
        assert unsettled(path) == []
    for offset in (2, 3):
        execute(
            path,
            f"INSERT INTO log SELECT {offset + 5}, user, {offset}, id, kind, class, thread, run,"
            " parent, request, 55, say, body FROM log WHERE number = 1",
        )
    assert unsettled(path) == [("alice", "progress", 7, 2, 55)]
    execute(path, "UPDATE settled SET through = 2")
    async with open_sqlite_journal(path):
        assert unsettled(path) == [("alice", "progress", 8, 3, 55)]


@pytest.mark.fault("S16")
def test_the_index_is_not_exported_and_an_import_makes_it(path: Path, tmp_path: Path) -> None:
    write_story(path, "alice", "bob")
    lines: list[bytes] = []
    export_journal(path, lines.append)
    assert not any(line.startswith(b'{"unsettled"') for line in lines)
    import_journal(tmp_path / "new.db", lines)
    assert unsettled(tmp_path / "new.db") == unsettled(path) != []
    with closing(apsw.Connection(str(path))) as database:
        assert list(check(database)) == []


@pytest.mark.fault("S16")
def test_what_a_compaction_forgets_is_in_the_index_no_more(path: Path) -> None:
    write_story(path, "alice")
    before = unsettled(path)
    compact(path, keep=2)
    after = unsettled(path)
    assert [row[:2] for row in after] == [row[:2] for row in before]
    assert min(int(str(row[3])) for row in after) > max(int(str(row[3])) for row in before)


def steps(database: apsw.Connection, users: int, letters: SqlLetters) -> int:
    """Instructions of SQLite's machine that one look takes."""
    taken = [0]

    def count() -> bool:
        taken[0] += 1
        return False

    database.set_progress_handler(count, 1)
    found = letters.overdue(PROGRESS, 5, None, 10)
    database.set_progress_handler(None)
    assert len(found.users) == min(users, 10)
    return taken[0]


@pytest.mark.fault("S16")
async def test_a_look_costs_the_same_among_ten_users_and_among_ten_thousand(path: Path) -> None:
    def crowd(first: int, last: int) -> Iterator[UserId]:
        return (UserId(f"user{number:05}") for number in range(first, last))

    async with open_sqlite_journal(path) as journal:
        database = journal._file.database
        overdue = [attrs.evolve(record(1, user=user), at=1) for user in crowd(0, 10)]
        await journal.append(overdue)
        among_few = steps(database, 10, SqlLetters(database))
        await journal.append(
            [attrs.evolve(record(1, user=user), at=9) for user in crowd(10, 10_000)]
        )
        assert steps(database, 10_000, SqlLetters(database)) <= among_few + 10


@pytest.mark.fault("P11")
async def test_the_time_without_a_server_is_known_to_the_servers_after_the_next(
    path: Path,
) -> None:
    day = 24 * 3600 * 1000
    async with open_sqlite_journal(path) as journal:
        await journal.alive(0, after=0)
        await journal.append([attrs.evolve(record(1), at=1_000)])
        await journal.alive(60_000, after=60_000)
    for restart in (1, 2, 3):
        async with open_sqlite_journal(path) as journal:
            began = restart * 100 * day
            await journal.alive(began, after=0)
            (event,) = await journal.reached(ALICE, after=0, limit=9)
            assert began - event.since == 60_000 * restart - 1_000, "time with a server alone"
            await journal.alive(began + 60_000, after=60_000)
