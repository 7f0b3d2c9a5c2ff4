"""A journal in Postgres: what is promised beside that of every journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import trio
from psycopg.conninfo import conninfo_to_dict

from greenroom.delivery.errors import (
    JournalBusy,
    JournalError,
    JournalFailed,
    JournalFull,
    JournalLost,
    JournalReadOnly,
    JournalTooNew,
    JournalUnreachable,
    OutOfSequence,
)
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.postgres import journal as postgres_journal
from greenroom.delivery.journal.postgres import opening
from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.postgres.errors import in_our_words
from greenroom.delivery.journal.postgres.journal import open_postgres_journal
from greenroom.delivery.journal.postgres.opening import connect, epoch_of, prepare
from greenroom.delivery.journal.postgres.store import PostgresStore
from greenroom.delivery.journal.postgres.tables import MIGRATIONS
from tests.delivery.journal.journal_conformance import (
    ALICE,
    BOB,
    THREADS,
    confirmed,
    record,
)
from tests.delivery.journal.postgres.cut_wire import CutWire
from tests.delivery.journal.postgres_server import (
    NEEDS_POSTGRES,
    PostgresServer,
    postgres_server,
)

pytestmark = NEEDS_POSTGRES


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database of the test's own: some leave it in a state that no other could use."""
    return postgres_server().url(tmp_path.name)


def database(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


async def offsets(url: str) -> list[int]:
    async with open_postgres_journal(url) as journal:
        found = await journal.read(ALICE, after=0, limit=1_000, max_bytes=1_000_000)
        return [each.offset for each in found]


# --- writers that race


def store(url: str) -> PostgresStore:
    return PostgresStore(PostgresDatabase(connect(url)))


@pytest.fixture
def stores(url: str) -> Iterator[list[PostgresStore]]:
    """Two writers, neither of which knows of the other."""
    with closing(connect(url)) as connection:
        prepare(connection, "an epoch")
    both = [store(url), store(url)]
    yield both
    for each in both:
        each._postgres.connection.close()


def test_a_writer_that_knows_what_another_appended_continues_the_log(
    stores: list[PostgresStore],
) -> None:
    one, other = stores
    one.append([record(1)])
    other.append([record(2)])
    one.append([record(3)])
    assert one.bounds(ALICE).last == 3


def test_a_writer_may_be_refused_at_any_time(stores: list[PostgresStore]) -> None:
    """psycopg prepares a statement when it is used for the sixth time: perhaps in a refused append,
    which does not prepare it."""
    one, other = stores
    for last in range(0, 20, 2):
        other.append([record(last + 1)])
        one.bounds(ALICE)
        one._tails.update(dict.fromkeys([ALICE], (last, THREADS[0])))
        with pytest.raises(OutOfSequence), in_our_words("Postgres"):
            one.append([record(last + 1)])
        one.append([record(last + 2)])
    assert one.bounds(ALICE).last == 20


# --- a server that goes away


@pytest.fixture
def wire(url: str) -> Iterator[CutWire]:
    server = postgres_server()
    server.command("ALTER ROLE greenroom PASSWORD 'secret'")
    with closing(CutWire(f"{server.directory}/.s.PGSQL.{server.port}")) as wire:
        yield wire


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_append_whose_answer_is_lost_is_kept_once(
    when: str, url: str, wire: CutWire
) -> None:
    name = database(url)
    async with open_postgres_journal(
        f"postgresql://greenroom@127.0.0.1:{wire.port}/{name}"
    ) as journal:
        await journal.append([record(1), record(1, user=BOB)])
        wire.cut_next_commit(when)
        await journal.append([record(2), record(2, user=BOB)])
        assert wire.cuts == 1
        await journal.append([record(3)])
    assert await offsets(url) == [1, 2, 3]


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    with PostgresServer.alone() as server:
        yield server


async def test_a_journal_whose_server_is_down_says_so_and_goes_on_when_it_is_back(
    own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_journal, "ANSWER_SECONDS", 0.3)
    async with open_postgres_journal(own_server.url("journal")) as journal:
        await journal.append([record(1)])
        await trio.to_thread.run_sync(own_server.stop)
        for _ in range(2):
            with pytest.raises(JournalUnreachable) as refused:
                await journal.append([record(2)])
            assert refused.value.temporary
        assert journal.trouble == "the journal cannot be reached"
        with pytest.raises(JournalUnreachable):
            await journal.bounds(ALICE)
        await trio.to_thread.run_sync(own_server.start)
        with trio.fail_after(30):
            while journal.trouble:  # noqa: ASYNC110  # the journal's thread finds it
                await trio.sleep(0.05)
        await journal.append([record(2)])
        assert (await journal.bounds(ALICE)).last == 2


async def readers_error(journal: Journal) -> type[JournalError]:
    """What questions meet, once each reader has noticed that its connection was cut."""
    for _ in range(postgres_journal.READERS + 1):
        with pytest.raises(JournalError) as met:
            await journal.bounds(ALICE)
        if type(met.value) is not JournalUnreachable:
            break
    return type(met.value)


async def test_another_journal_in_the_place_of_the_one_that_was_open_is_left_alone(
    url: str,
) -> None:
    async with open_postgres_journal(url) as journal:
        await journal.append([record(1)])
        name = database(url)
        server = postgres_server()
        server.command("UPDATE greenroom.meta SET value = 'other' WHERE name = 'epoch'", name)
        server.command(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        for _ in range(2):
            with pytest.raises(JournalLost, match="epoch other"):
                await journal.append([record(2)])
        assert await readers_error(journal) is JournalLost
        assert journal.trouble


# --- a server that refuses


NO_ROOM = """
CREATE FUNCTION greenroom.no_room() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = '53100',
        MESSAGE = 'could not extend file "base/1/2": No space left on device';
END $$;
CREATE TRIGGER no_room BEFORE INSERT ON greenroom.log
    FOR EACH ROW EXECUTE FUNCTION greenroom.no_room();
"""


async def refusal(url: str) -> JournalError:
    with pytest.raises(JournalError) as refused:
        async with open_postgres_journal(url):
            pass
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value), "one line"
    return refused.value


async def test_a_wrong_password_a_missing_database_and_a_missing_grant_are_named(url: str) -> None:
    server = postgres_server()
    name = database(url)
    server.command("CREATE ROLE poor LOGIN PASSWORD 'its secret'")
    try:
        here = f"postgresql://poor:wrong-secret@127.0.0.1:{server.port}/{name}"
        wrong = str(await refusal(here))
        assert "refuses this service" in wrong
        assert "password authentication failed" in wrong
        there = f"postgresql://greenroom@:{server.port}/nowhere?host={server.directory}"
        assert "nowhere" in str(await refusal(there))
        poor = f"postgresql://poor@:{server.port}/{name}?host={server.directory}"
        refused = await refusal(poor)
        assert type(refused) is JournalFailed
        assert "refuses this service: permission denied for database" in str(refused)
        assert "its grants" in refused.advice
    finally:
        server.command("DROP ROLE poor")


async def test_nobody_at_the_address_is_told_as_unreachable() -> None:
    assert type(await refusal("postgresql://a:secret@127.0.0.1:1/b")) is JournalUnreachable


async def test_a_full_disk_of_the_server_is_named_and_nothing_is_kept_in_part(url: str) -> None:
    """Postgres reports it so (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""
    name, run = database(url), postgres_server().command
    async with open_postgres_journal(url) as journal:
        await journal.append([record(1)])
        run(NO_ROOM, name)
        with pytest.raises(JournalFull, match="has no room: could not extend file") as refused:
            await journal.append([record(2), record(1, user=BOB)])
        assert ("\n" in str(refused.value), refused.value.temporary) == (False, True)
        assert journal.trouble == "the journal's disk is full"
        run("DROP TRIGGER no_room ON greenroom.log; DROP FUNCTION greenroom.no_room", name)
        await journal.append([record(2), record(1, user=BOB)])
        assert await offsets(url) == [1, 2]


async def test_a_url_that_cannot_be_read_is_not_repeated() -> None:
    assert type(await refusal("postgresql://a:secret@h:port/b?what=secret")) is JournalFailed


async def test_the_tables_of_a_newer_greenroom_are_left_alone(url: str) -> None:
    async with open_postgres_journal(url):
        pass
    name = database(url)
    postgres_server().command("UPDATE greenroom.meta SET value = 99 WHERE name = 'version'", name)
    assert type(await refusal(url)) is JournalTooNew


async def test_a_server_that_is_too_old_is_named_and_gets_no_tables(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(psycopg.ConnectionInfo, "server_version", 130_014)
        refused = await refusal(url)
    assert type(refused) is JournalFailed
    assert "this Postgres is version 13, but the journal needs 14" in str(refused)
    with closing(connect(url)) as connection:
        assert epoch_of(connection) == ""


async def test_a_server_of_an_earlier_schema_keeps_the_journal_for_itself(url: str) -> None:
    with closing(connect(url)) as earlier:
        earlier.execute("CREATE SCHEMA greenroom")
        earlier.execute(MIGRATIONS[0].encode())
        earlier.execute("INSERT INTO meta VALUES ('version', '1'), ('epoch', 'an epoch')")
        earlier.execute("SELECT pg_advisory_lock(%s)", (opening._WRITER,))
        assert type(await refusal(url)) is JournalBusy
    async with open_postgres_journal(url) as journal:
        await journal.append([record(1)])
    assert await offsets(url) == [1]


async def test_a_read_only_server_is_told_as_such(url: str) -> None:
    async with open_postgres_journal(url):
        pass
    read_only = f'ALTER DATABASE "{database(url)}" SET default_transaction_read_only = on'
    postgres_server().command(read_only)
    refused = await refusal(url)
    assert type(refused) is JournalReadOnly
    assert "primary" in str(refused)


async def test_of_a_text_only_the_null_characters_are_replaced(url: str) -> None:
    """Postgres has none in text (https://www.postgresql.org/docs/current/datatype-character.html)."""
    async with open_postgres_journal(url) as journal:
        await journal.append([record(1), confirmed(1, note="a\0b")])
        [mark] = await journal.marks(ALICE, after=0, limit=10)
        assert mark.note == "a\ufffdb"
