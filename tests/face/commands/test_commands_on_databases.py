"""Commands that read a journal read one in Postgres or Redis, too, and say the same of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import attrs
import pytest

from greenroom.delivery.events.going_on import GoesOn, StepResult
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Entry
from greenroom.delivery.upkeep.journal_export import export_journal
from greenroom.delivery.upkeep.journal_upkeep import no_progress
from tests.delivery.history.run_story import Afternoon, Author, write
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of, postgres_server
from tests.delivery.journal.redis.redis_cluster import redis_cluster
from tests.delivery.journal.redis_server import NEEDS_REDIS, redis_url_of
from tests.face.cli import greenroom

pytestmark = pytest.mark.requirement("R43")

Write: TypeAlias = Callable[..., None]
BOB = UserId("bob")
READING = [
    "events",
    "events --json --user alice --limit 4",
    "events --kind final_report",
    "timeline {run}",
    "timeline {part} --json",
    "usage --by user",
    "usage --by tool",
    "dead-letters list --json",
    "dead-letters show {event}",
    "threads list alice",
    "threads show alice {thread}",
    "runs list --json",
    "runs show {open}",
    "explain {event} --json",
    "why {event} --json",
    "why alice",
    "users export alice",
]


def write_to_postgres(url: str, *entries: Entry) -> None:
    """Keep the entries in a journal, which is made unless it is there."""
    from greenroom.delivery.journal.postgres.connection import PostgresDatabase
    from greenroom.delivery.journal.postgres.opening import connect, prepare
    from greenroom.delivery.journal.postgres.store import PostgresStore

    with closing(connect(url)) as connection:
        prepare(connection, "the-epoch")
        PostgresStore(PostgresDatabase(connection)).append(entries)


def write_to_redis(url: str, *entries: Entry) -> None:
    """Import them from a file."""
    from greenroom.delivery.upkeep.redis.whole_redis import WholeRedis

    lines: list[bytes] = []
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "greenroom.db"
        write(file, *entries)
        export_journal(file, lines.append)
    WholeRedis(url).import_from(lines, no_progress)


@attrs.frozen
class Story:
    """What is kept in both journals, and ids in it."""

    entries: list[Entry]
    ids: dict[str, str]


@pytest.fixture
def story() -> Story:
    afternoon, bob = Afternoon(), Author(BOB, salt=1)
    run = bob.run()
    bob.tell(0, run, Kind.USER_SAID, body="and now?", say="1")
    bob.tell(9, run, Kind.AGENT_STARTED, agent="cook")
    goes_on = [GoesOn(BOB, run, "cook"), StepResult(BOB, run, "charge", "1", at=7)]
    thread = next(each.thread for each in afternoon.records if each.user == "alice")
    ids = {"run": afternoon.run, "part": afternoon.run[-8:], "event": afternoon.lost.id}
    entries = [*afternoon.entries, *bob.records, *goes_on]
    return Story(entries, {**ids, "thread": thread, "open": run})


DATABASES = [
    pytest.param(database_of, write_to_postgres, marks=NEEDS_POSTGRES, id="postgres"),
    pytest.param(redis_url_of, write_to_redis, marks=NEEDS_REDIS, id="redis"),
]
"""What gives the URL of a database of a test, and what writes to it."""


@pytest.mark.parametrize(("url_of", "write_to"), DATABASES)
def test_a_command_says_the_same_of_a_journal_in_a_database_as_of_one_in_a_file(
    url_of: Callable[[Path], str], write_to: Write, story: Story, tmp_path: Path
) -> None:
    write_to(url := url_of(tmp_path), *story.entries)
    write(tmp_path / "greenroom.db", *story.entries)
    for words in READING:
        asked = words.format(**story.ids).split()
        of_file = greenroom(*asked, cwd=tmp_path)
        assert (of_file.code, of_file.err, bool(of_file.out)) == (0, "", True)
        of_database = greenroom(*asked, "--journal", url, cwd=tmp_path)
        assert (words, of_database.err) == (words, "")
        assert of_database == of_file


@pytest.mark.parametrize(("url_of", "write_to"), DATABASES)
def test_where_there_is_no_journal_in_a_database_a_command_says_so(
    url_of: Callable[[Path], str], write_to: Write, tmp_path: Path
) -> None:
    said = greenroom("events", "--journal", url_of(tmp_path), cwd=tmp_path)
    assert said.code == 1
    assert "has no journal" in said.err


@NEEDS_REDIS
def test_commands_find_a_journal_in_a_cluster(story: Story, tmp_path: Path) -> None:
    url = redis_cluster().url(tmp_path.name)
    write(tmp_path / "greenroom.db", *story.entries)
    of_file = greenroom("usage", "--by", "user", cwd=tmp_path)
    for words in ("journal export out.jsonl", f"journal import out.jsonl --journal {url}"):
        assert greenroom(*words.split(), cwd=tmp_path).code == 0
    (tmp_path / "greenroom.db").unlink()
    assert greenroom("usage", "--by", "user", "--journal", url, cwd=tmp_path) == of_file
    for words in ("journal check", "journal export again.jsonl", "nodes"):
        said = greenroom(*words.split(), "--journal", url, cwd=tmp_path)
        assert (words, said.code) == (words, 0)


@NEEDS_POSTGRES
def test_a_command_needs_no_right_but_to_read(story: Story, tmp_path: Path) -> None:
    write_to_postgres(url := database_of(tmp_path), *story.entries)
    name = urlsplit(url).path[1:]
    grants = (
        "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA greenroom TO reader;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA greenroom TO reader;"
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA greenroom TO reader"
    )
    postgres_server().command(grants, name)
    try:
        as_reader = url.replace("//greenroom@", "//reader@")
        said = greenroom("events", "--user", "alice", "--journal", as_reader, cwd=tmp_path)
        assert (said.code, said.err) == (0, "")
    finally:
        postgres_server().command("DROP OWNED BY reader; DROP ROLE reader", name)
