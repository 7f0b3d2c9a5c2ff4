"""A journal in Postgres behind PgBouncer in transaction mode, where no session is one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs
from tests.delivery.journal.journal_conformance import ALICE, cursor, records
from tests.delivery.journal.postgres.conformance import PostgresConformance
from tests.delivery.journal.postgres.pg_bouncer import NEEDS_PGBOUNCER, pg_bouncer
from tests.delivery.journal.postgres_server import database_of, name_of

pytestmark = [NEEDS_PGBOUNCER, pytest.mark.requirement("R43")]


class TestPgBouncer(PostgresConformance):
    examples = 3
    node_examples = 1

    def url(self, place: Path) -> str:
        return pg_bouncer().url(name_of(database_of(place)))

    def socket(self) -> str:
        return pg_bouncer().socket


SETTINGS = """
    SELECT current_setting('search_path'), current_setting('lock_timeout'),
        current_setting('synchronous_commit'), current_setting('default_transaction_read_only'),
        current_setting('default_transaction_isolation'),
        (SELECT count(*) FROM pg_prepared_statements),
        (SELECT count(*) FROM pg_listening_channels())
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return pg_bouncer().url(name_of(database_of(tmp_path)))


def sessions(url: str) -> list[tuple[object, ...]]:
    """What other clients find in each of the pooler's two sessions."""
    import psycopg

    with psycopg.connect(url) as one, psycopg.connect(url) as other:
        return [each.execute(SETTINGS).fetchone() or () for each in (one, other)]


async def test_other_clients_of_the_pooler_find_its_sessions_as_they_were(url: str) -> None:
    from greenroom.delivery.journal.postgres.journal import open_postgres_journal

    before = await trio.to_thread.run_sync(sessions, url)
    assert before[0] == before[1]
    async with open_postgres_journal(url) as journal:
        for last in range(0, 60, 3):
            await journal.append([*records(last + 1, last + 3), cursor(last + 3)])
            assert (await journal.bounds(ALICE)).last == last + 3
        await journal.sweep(Cutoffs(keep_events=1), BEGINNING)
        assert await trio.to_thread.run_sync(sessions, url) == before
        assert await trio.to_thread.run_sync(read_beside, url) == 60
        assert await trio.to_thread.run_sync(sessions, url) == before


def read_beside(url: str) -> int:
    """As the commands do that read a journal, beside its servers."""
    from greenroom.delivery.journal.postgres.reader import PostgresReader
    from greenroom.delivery.upkeep.postgres.whole_postgres import WholePostgres

    reader = PostgresReader(url)
    assert [each.number for each in reader.read(after=58)] == [59, 60]
    lines: list[bytes] = []
    WholePostgres(url).export_to(lines.append, lambda *_: None)
    assert b"".join(lines).count(b'{"log"') == 60
    return reader.last_number()
