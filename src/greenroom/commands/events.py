"""`greenroom events`: what a journal holds, for people and for programs."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from greenroom.commands.options import Flag, Limit
from greenroom.commands.output.events import Printer, print_json, table_printer
from greenroom.commands.output.printing import say_none
from greenroom.delivery.events.ids import ThreadId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.journal.sql.reader import Numbered, ReadTo, SqlReader
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.legacy.legacy_ids import modern
from greenroom.journal_opening import without_coredis, without_psycopg
from greenroom.settings import BadSettings, Settings
from greenroom.settings.database_url import DatabaseUrl

POLL_SECONDS = 0.25
CHUNK = 500


@attrs.frozen
class Query:
    """Which records, of which journal."""

    reader: SqlReader
    user: UserId | None
    thread: str | None
    kind: Kind | None

    def read(self, after: int, through: int | None = None) -> Iterator[Numbered]:
        return self.reader.read(
            user=self.user,
            thread=None if self.thread is None else modern(ThreadId, self.thread),
            legacy_thread=self.thread,  # one not migrated is found by its old id
            kind=self.kind,
            after=after,
            through=through,
        )


def events(
    *,
    journal: Path | None = None,
    user: str | None = None,
    thread: str | None = None,
    kind: Annotated[Kind | None, Parameter(name_transform=str.lower)] = None,
    limit: Limit | None = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    json: Flag = False,
    config: Path | None = None,
) -> None:
    """Show the events of a journal, oldest first. A server may be writing it meanwhile.

    Parameters
    ----------
    journal
        The journal's file (greenroom.db), or the URL of one in Postgres or Redis.
    user
        Only this user's.
    thread
        Only this thread's: its id, or the id that an older system gave it.
    kind
        Only of this kind.
    limit
        Show only this number of events, the newest.
    follow
        Print new events as they come, until Ctrl-C.
    json
        One JSON object per line: the event as in the protocol, after `number` and `user`.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    query = Query(
        reader=reader_of(Settings.load(config, journal=journal)),
        user=UserId.parse(user) if user is not None else None,
        thread=thread,
        kind=kind,
    )
    show = print_json if json else table_printer()
    through = query.reader.settled() if follow else None
    last = show_all(newest(query.read(0, through), limit), show)
    if not (last or json):
        say_none("events yet" if follow else "events", user=user, thread=thread, kind=kind)
    if follow:
        follow_on(query, last or query.reader.end(), show)


def show_all(records: Iterable[Numbered], show: Printer) -> ReadTo | None:
    """Print them in chunks. Returns the place of the last one, if there was one."""
    records, last = iter(records), None
    while chunk := list(islice(records, CHUNK)):
        show(chunk)
        last = ReadTo(chunk[-1].number, chunk[-1].record.id)
    return last


def newest(records: Iterator[Numbered], limit: int | None) -> Iterable[Numbered]:
    return records if limit is None else deque(records, maxlen=limit)


def follow_on(
    query: Query, last: ReadTo, show: Printer, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Print what comes after the place `last`, for ever."""
    while True:
        after = query.reader.agreed(last)
        if after < last.number:
            words = (
                "the journal was restored from a backup: these events replace some of those above"
            )
            print(words, file=sys.stderr, flush=True)
            last = ReadTo(after)
        last = show_all(query.read(after, query.reader.settled()), show) or last
        sleep(POLL_SECONDS)


def reader_of(settings: Settings) -> SqlReader:
    """Reads the journal of the settings. Raises `BadSettings` when there is none."""
    if not isinstance(settings.journal, DatabaseUrl):
        return JournalReader(existing_journal(settings))
    if settings.journal.is_in_redis:
        return _redis_reader(settings.journal)
    try:
        from greenroom.delivery.journal.postgres.reader import PostgresReader
    except ImportError as error:
        raise without_psycopg(settings.journal) from error
    return PostgresReader(settings.journal.url)


def _redis_reader(journal: DatabaseUrl) -> SqlReader:
    try:
        from greenroom.delivery.journal.redis.reader import RedisReader
    except ImportError as error:
        raise without_coredis(journal) from error
    return RedisReader(journal.url)


def existing_journal(settings: Settings) -> Path:
    """The journal's file. Raises `BadSettings` when there is none."""
    if settings.in_memory:
        raise BadSettings(
            ["`journal` must be a file, not :memory:, which only its own server can read"],
            advice="name the file with --journal",
        )
    file = journal_file(settings)
    if not file.is_file():
        raise BadSettings(
            [f"there is no journal at {file}"],
            advice="name the journal's file with --journal; the demo's is greenroom-demo.db",
        )
    return file


def journal_file(settings: Settings) -> Path:
    """The journal's file, whether it exists or not. Raises `BadSettings` for a database."""
    if isinstance(settings.journal, DatabaseUrl):
        raise BadSettings(
            [f"this command reads files, not {settings.journal}"],
            advice="ask the server that runs on it, with --url where the command takes that",
        )
    return settings.journal
