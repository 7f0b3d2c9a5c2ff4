"""Checking, exporting and importing a journal in Postgres."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from greenroom.delivery.errors import JournalBusy, JournalFailed
from greenroom.delivery.events.ids import ThreadId
from greenroom.delivery.upkeep.journal_export import export_journal, import_journal
from greenroom.delivery.upkeep.journal_intake import NotMixed
from greenroom.delivery.upkeep.journal_lines import BadExport
from greenroom.delivery.upkeep.journal_upkeep import no_progress
from greenroom.delivery.upkeep.sql_tables import tables
from tests.delivery.journal.journal_conformance import ALICE
from tests.delivery.journal.journal_story import EPOCH, TURN, native, rows, turn, write_story
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of

if TYPE_CHECKING:
    from greenroom.delivery.upkeep.postgres.whole_postgres import WholePostgres

pytestmark = [NEEDS_POSTGRES, pytest.mark.requirement("R43")]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return database_of(tmp_path)


@pytest.fixture
def there(url: str) -> WholePostgres:
    from greenroom.delivery.upkeep.postgres.whole_postgres import WholePostgres

    return WholePostgres(url)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    write_story(path, "alice", "bob", "zoë·日本")
    return path


def exported(path: Path) -> list[bytes]:
    lines: list[bytes] = []
    export_journal(path, lines.append)
    return lines


def exported_from(there: WholePostgres) -> list[bytes]:
    lines: list[bytes] = []
    there.export_to(lines.append, no_progress)
    return lines


def command(url: str, sql: str) -> None:
    from greenroom.delivery.journal.postgres.opening import connect

    with closing(connect(url)) as connection:
        connection.execute(sql.encode())


def test_a_file_moves_to_postgres_and_back_row_by_row(
    file: Path, there: WholePostgres, tmp_path: Path
) -> None:
    lines = exported(file)
    done = there.import_from(lines, no_progress)
    assert done.rows == len(lines) - 2
    assert list(there.flaws(no_progress)) == []
    assert exported_from(there) == lines
    import_journal(tmp_path / "back.db", exported_from(there))
    assert rows(tmp_path / "back.db") == rows(file)


def test_a_file_and_postgres_keep_entries_in_the_same_tables(
    file: Path, url: str, there: WholePostgres
) -> None:
    """What only one of them has is no entry: the other could not import it."""
    from greenroom.delivery.journal.postgres.connection import PostgresDatabase
    from greenroom.delivery.journal.postgres.opening import connect

    there.import_from(exported(file), no_progress)
    with closing(connect(url)) as connection, closing(apsw.Connection(str(file))) as database:
        in_postgres, in_file = tables(PostgresDatabase(connection)), tables(database)
    assert {each.name: {*each.columns} for each in in_postgres} == {
        each.name: {*each.columns} for each in in_file
    }


async def test_a_server_goes_on_with_what_was_imported(
    file: Path, url: str, there: WholePostgres
) -> None:
    from greenroom.delivery.journal.postgres.journal import open_postgres_journal

    there.import_from(exported(file), no_progress)
    async with open_postgres_journal(url) as journal:
        assert journal.epoch == EPOCH
        bounds = await journal.bounds(ALICE)
        await journal.append([*turn(ALICE, bounds.last + 1, thread=native(ThreadId))])
        assert (await journal.bounds(ALICE)).last == bounds.last + len(TURN)
    assert list(there.flaws(no_progress)) == []


async def test_an_empty_journal_that_a_server_has_open_takes_no_import(
    file: Path, url: str, there: WholePostgres
) -> None:
    from greenroom.delivery.journal.postgres.journal import open_postgres_journal

    async with open_postgres_journal(url):
        with pytest.raises(JournalBusy, match="a server has the journal open"):
            there.import_from(exported(file), no_progress)


def test_an_import_that_fails_leaves_the_journal_as_it_was(
    file: Path, there: WholePostgres
) -> None:
    first = exported(file)
    there.import_from(first, no_progress)
    with pytest.raises(NotMixed, match="already has entries of user 'alice'"):
        there.import_from(first, no_progress)
    assert exported_from(there) == first


def test_the_line_that_is_wrong_is_named_and_nothing_is_kept(
    file: Path, there: WholePostgres
) -> None:
    lines = exported(file)
    twice = [*lines[:3], lines[2], *lines[3:]]
    with pytest.raises(BadExport, match=r"line 4: log: duplicate key value"):
        there.import_from(twice, no_progress)
    assert len(exported_from(there)) == 2, "the header and the end"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("DELETE FROM log WHERE number = 2", "2 is missing"),
        ("UPDATE log_end SET last = 99 WHERE \"user\" = 'bob'", "is said to end at 99"),
        ("DELETE FROM span", "begins a stretch in"),
        ("UPDATE log SET body = 'x' WHERE number = 3", "its body is not JSON"),
        ("DELETE FROM open_run", "is not listed as open"),
        ('UPDATE cursor SET "offset" = 99', "but the user's events end at"),
    ],
)
def test_check_finds(harm: str, said: str, file: Path, url: str, there: WholePostgres) -> None:
    there.import_from(exported(file), no_progress)
    command(url, harm)
    assert any(said in flaw for flaw in there.flaws(no_progress))


def test_where_no_journal_is_there_is_nothing_to_check(there: WholePostgres) -> None:
    with pytest.raises(JournalFailed, match="has no journal"):
        list(there.flaws(no_progress))
