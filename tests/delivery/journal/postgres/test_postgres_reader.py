"""What reads a journal in Postgres while others write it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.sql.reader import ReadTo
from tests.delivery.journal.journal_conformance import ALICE, BOB, record
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of

if TYPE_CHECKING:
    import psycopg

pytestmark = [NEEDS_POSTGRES, pytest.mark.requirement("R43")]


@pytest.fixture
def url(tmp_path: Path) -> str:
    from greenroom.delivery.journal.postgres.opening import connect, prepare

    url = database_of(tmp_path)
    with closing(connect(url)) as connection:
        prepare(connection, "the-epoch")
    return url


_SLOW = """
    INSERT INTO log ("user", "offset", id, kind, class, thread, run, request, at, body)
    SELECT 'bob', "offset", id, kind, class, thread, run, request, at, body FROM log
"""


def append(connection: psycopg.Connection[Any], *records: Record) -> None:
    from greenroom.delivery.journal.postgres.connection import PostgresDatabase
    from greenroom.delivery.journal.postgres.store import PostgresStore

    PostgresStore(PostgresDatabase(connection)).append(records)


def test_who_follows_waits_for_a_number_that_is_given_and_not_committed(url: str) -> None:
    """Else an event that another node commits a little later would never be read."""
    from greenroom.delivery.journal.postgres.opening import connect
    from greenroom.delivery.journal.postgres.reader import PostgresReader

    reader = PostgresReader(url)
    with closing(connect(url)) as slow, closing(connect(url)) as quick:
        append(quick, record(1))
        assert (reader.settled(), reader.last_number()) == (1, 1)
        with slow.transaction():
            slow.execute(_SLOW)
            append(quick, record(2))
            assert (reader.settled(), reader.last_number()) == (1, 3)
        assert reader.settled() == 3
        assert [each.record.user for each in reader.read(after=1, through=3)] == [BOB, ALICE]


def test_a_place_in_a_log_that_was_trimmed_stays_what_it_is(url: str) -> None:
    from greenroom.delivery.journal.postgres.opening import connect
    from greenroom.delivery.journal.postgres.reader import PostgresReader

    reader = PostgresReader(url)
    with closing(connect(url)) as connection:
        append(connection, kept := record(1), gone := record(2))
        connection.execute("DELETE FROM log WHERE number = 2")
    assert reader.agreed(ReadTo(1, kept.id)) == 1
    assert reader.agreed(ReadTo(2, gone.id)) == 2
    assert reader.agreed(ReadTo(9, gone.id)) == 1


def test_a_reader_whose_connection_was_cut_reads_on(url: str) -> None:
    from greenroom.delivery.errors import JournalUnreachable
    from greenroom.delivery.journal.postgres.opening import connect
    from greenroom.delivery.journal.postgres.reader import PostgresReader

    reader = PostgresReader(url)
    with closing(connect(url)) as other:
        append(other, record(1))
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
    with pytest.raises(JournalUnreachable):
        reader.last_number()
    assert reader.last_number() == 1
