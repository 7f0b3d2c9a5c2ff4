"""A journal moves from its file to Postgres beside its server, with a short stop at the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from greenroom.delivery.errors import JournalBusy, JournalCorrupt, JournalFailed, JournalMoved
from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import EventId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Record, Settled
from greenroom.delivery.files.entries import FilePart, FilesSaid
from greenroom.delivery.journal.sql.store import SqlStore
from greenroom.delivery.journal.sqlite.file import open_file
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.upkeep.journal_export import export_entries
from greenroom.delivery.upkeep.journal_upkeep import no_progress, open_for_upkeep
from tests.delivery.journal.journal_conformance import ALICE, BOB
from tests.delivery.journal.journal_story import EPOCH, START_MS, native, story, turn, write_story
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of

if TYPE_CHECKING:
    from greenroom.delivery.upkeep.postgres.moving import Moved

pytestmark = [NEEDS_POSTGRES, pytest.mark.requirement("R43")]

USERS = (ALICE, BOB, UserId("zoë·日本"))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return database_of(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    write_story(path, *USERS)
    return path


def move(path: Path, url: str, group: int = 2) -> Moved | None:
    from greenroom.delivery.upkeep.postgres.moving import move

    return move(path, url, group=group)


def in_file(path: Path) -> list[bytes]:
    lines: list[bytes] = []
    with JournalReader(path).look() as database:
        export_entries(database, EPOCH, lines.append, no_progress)
    return lines


def in_postgres(url: str) -> list[bytes]:
    from greenroom.delivery.upkeep.postgres.whole_postgres import WholePostgres

    lines: list[bytes] = []
    WholePostgres(url).export_to(lines.append, no_progress)
    return lines


def flaws(url: str) -> list[str]:
    from greenroom.delivery.upkeep.postgres.whole_postgres import WholePostgres

    return list(WholePostgres(url).flaws(no_progress))


def copied_beside(done: Moved | None) -> bool:
    """Whether rows were copied while a server had the file open."""
    return done is not None and bool(done.open_in) and done.rows > 0


def command(url: str, sql: str) -> None:
    from greenroom.delivery.journal.postgres.opening import connect

    with closing(connect(url)) as connection:
        connection.execute(sql.encode())


@contextmanager
def served(path: Path) -> Iterator[SqlStore]:
    """The store of a server that has the file open."""
    with closing(open_file(path, new_epoch=None)) as opened:
        yield SqlStore(opened.database)


def last_of(store: SqlStore, user: UserId) -> int:
    return store.bounds(user).last


def say_more(store: SqlStore, user: UserId) -> None:
    thread = ThreadId.trusted(native(ThreadId))
    store.append(list(turn(user, last_of(store, user) + 1, thread=thread)))


def trim(store: SqlStore, user: UserId) -> None:
    store.trim(user, last_of(store, user) - 4)


def erase_a_thread(store: SqlStore, user: UserId) -> None:
    for thread in store.threads(user)[:1]:
        while store.erase_thread(user, thread.thread, last_of(store, user)):
            pass


def erase(store: SqlStore, user: UserId) -> None:
    while store.erase_user(user):
        pass


def begin_again(store: SqlStore, user: UserId) -> None:
    """The same log once more, of other events."""
    log = store.read(user, 0, 100, 1_000_000)
    erase(store, user)
    store.append([_another(record) for record in log])


def _another(record: Record) -> Record:
    event = EventId.trusted(native(EventId))
    body = record.body.replace(record.id.encode(), event.encode())
    return attrs.evolve(record, id=event, body=body)


def think(store: SqlStore, user: UserId) -> None:
    (run,) = store.open_runs(user)
    event = draft(
        event=EventId.trusted(native(EventId)),
        kind=Kind.AGENT_THINKING,
        thread=run.thread,
        run=run.run,
        parent=None,
        request=run.request,
        data={"thought": "of costs"},
    )
    store.append([event.record(user, last_of(store, user) + 1, START_MS)])


def forget(store: SqlStore, user: UserId) -> None:
    store.forget_progress(user, last_of(store, user))


def settle(store: SqlStore, user: UserId) -> None:
    store.append([Settled(user, EventClass.CRITICAL, last_of(store, user))])


def send_a_file(store: SqlStore, user: UserId) -> None:
    name, run = native(RunId), RunId.trusted(native(RunId))
    store.append([FilePart(user, name, 0, 7, b"\x00\xff"), FilesSaid(user, run, (name,))])


CHANGES = [say_more, trim, erase_a_thread, erase, begin_again, forget, settle, send_a_file]


def test_the_next_round_takes_over_whatever_a_server_changed_since(
    tmp_path: Path, url: str
) -> None:
    path = tmp_path / "changed.db"
    users = {UserId(change.__name__): change for change in CHANGES}
    write_story(path, *users)
    with served(path) as store:
        for user in users:
            think(store, user)
        assert copied_beside(move(path, url))
        for user, change in users.items():
            change(store, user)
        assert in_postgres(url) != in_file(path)
        assert copied_beside(move(path, url))
        for user in users:
            say_more(store, user)
    last = move(path, url)
    assert last is not None
    assert not last.open_in
    assert last.compared > last.rows > 0
    assert in_postgres(url) == in_file(path)
    assert flaws(url) == []


def test_what_a_server_writes_beside_the_rounds_is_all_there_at_the_end(
    file: Path, url: str
) -> None:
    words = [sys.executable, "-m", "tests.delivery.journal.journal_writer_process", str(file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = int(server.stdout.readline())
        for _ in range(3):
            done = move(file, url)
            assert done is not None
            assert f"process {server.pid} has" in done.open_in
            told = int(server.stdout.readline())
        server.kill()
    assert move(file, url) is not None
    assert in_postgres(url) == in_file(file)
    with JournalReader(file).look() as database:
        assert SqlStore(database).bounds(ALICE).last >= told


def test_a_round_that_is_cut_off_is_gone_on_with(file: Path, url: str) -> None:
    from greenroom.delivery.upkeep.postgres.moving import move as moving

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            moving(file, url, cut_off, group=1)
        assert 0 < len(in_postgres(url)) < len(in_file(file))
    assert move(file, url) is not None
    assert in_postgres(url) == in_file(file)


async def test_a_move_that_breaks_off_at_its_very_end_lets_no_server_start_until_the_next_round(
    file: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenroom.delivery.journal.postgres.journal import open_postgres_journal
    from greenroom.delivery.upkeep.postgres import moving

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(moving, "end", cut_off)
        with pytest.raises(KeyboardInterrupt):
            move(file, url)
    with pytest.raises(JournalMoved, match="was moved to Postgres at"):
        async with open_sqlite_journal(file):
            pass
    with pytest.raises(JournalBusy, match="not all of it has come"):
        async with open_postgres_journal(url):
            pass
    assert move(file, url) is not None
    assert in_postgres(url) == in_file(file)
    with pytest.raises(JournalMoved):
        async with open_sqlite_journal(file):
            pass
    async with open_postgres_journal(url) as journal:
        assert journal.epoch == EPOCH


async def test_a_server_starts_on_the_copy_once_the_move_is_over_and_keeps_what_it_writes(
    file: Path, url: str
) -> None:
    from greenroom.delivery.journal.postgres.journal import open_postgres_journal

    with served(file):
        move(file, url)
        with pytest.raises(JournalBusy, match="not all of it has come"):
            async with open_postgres_journal(url):
                pass
    move(file, url)
    async with open_postgres_journal(url) as journal:
        assert journal.epoch == EPOCH
        last = (await journal.bounds(ALICE)).last
        thread = ThreadId.trusted(native(ThreadId))
        await journal.append([*turn(ALICE, last + 1, thread=thread)])
        assert move(file, url) is None
        assert (await journal.bounds(ALICE)).last == last + 6
    assert flaws(url) == []


async def test_a_database_with_something_else_is_no_target(
    file: Path, url: str, tmp_path: Path
) -> None:
    from greenroom.delivery.journal.postgres.journal import open_postgres_journal

    async with open_postgres_journal(url) as journal:
        with pytest.raises(JournalBusy, match="a server has the journal open"):
            move(file, url)
        await journal.append(list(story(ALICE, 2)))
    before = in_postgres(url)
    with pytest.raises(JournalFailed, match="has another journal"):
        move(file, url)
    assert in_postgres(url) == before


def test_a_second_source_is_refused_amid_a_move(file: Path, url: str, tmp_path: Path) -> None:
    with served(file):
        move(file, url)
    other = tmp_path / "other.db"
    write_story(other, ALICE, epoch="another")
    with pytest.raises(JournalFailed, match="has another journal"):
        move(other, url)


def test_a_copy_that_lacks_a_row_does_not_pass(file: Path, url: str) -> None:
    with served(file):
        move(file, url)
    command(
        url,
        "CREATE FUNCTION nothing() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER lost BEFORE INSERT ON mark FOR EACH ROW EXECUTE FUNCTION nothing();"
        "DELETE FROM mark",
    )
    try:
        with pytest.raises(JournalCorrupt, match="mark has 3 rows in the file, and 0 in Postgres"):
            move(file, url)
    finally:
        command(url, "DROP TRIGGER lost ON mark; DROP FUNCTION nothing")
    assert move(file, url) is not None
    assert in_postgres(url) == in_file(file)


def open_runs(store: SqlStore) -> set[object]:
    return {number for (number,) in store._database.execute("SELECT number FROM open_run")}


def test_a_number_that_was_another_users_is_taken_over(file: Path, url: str) -> None:
    with served(file) as store:
        move(file, url)
        numbers = open_runs(store)
        erase(store, USERS[-1])
        thread = ThreadId.trusted(native(ThreadId))
        store.append(list(turn(ALICE, last_of(store, ALICE) + 1, thread=thread, length=3)))
        assert open_runs(store) == numbers
        move(file, url, group=1)
    assert in_postgres(url) == in_file(file)


def test_texts_with_null_characters_are_the_same_as_their_copies(file: Path, url: str) -> None:
    with open_for_upkeep(file) as opened:
        opened.database.execute("UPDATE mark SET note = 'a' || char(0) || 'b'")
    with served(file):
        move(file, url)
        again = move(file, url)
    assert again is not None
    assert again.rows == 0
