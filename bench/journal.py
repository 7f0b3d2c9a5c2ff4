"""What keeping an event costs: greenroom's SQLite journal beside the bare standard library.

The peer is `sqlite3` with the same tables and pragmas, called directly: no thread, no checks, no
threads of conversation, no runs. The ratio is what greenroom's promises cost over it (CPU of the
process, wall clock of the whole); both are measured in turns, in one run, and the medians shown.
Each user has an event already: what is done once for a user is not measured.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from side_by_side.compare import Figures, finish
from side_by_side.compare import options as common_options
from side_by_side.table import Table

from greenroom.delivery.events.ids import EventId, IdSource, RequestId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.sql.rows import RECORD_COLUMNS, record_row
from greenroom.delivery.journal.sqlite import file as sqlite_file
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal

Batch = Sequence[Record]
PEER = "sqlite3"


def main() -> None:
    options = arguments().parse_args()
    finish([_compare(size, options) for size in options.sizes], options)


def arguments() -> argparse.ArgumentParser:
    parser = common_options(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 100, 800], metavar="N")
    parser.add_argument("--events", type=int, default=40_000, help="per round, at most")
    parser.add_argument("--appends", type=int, default=400, help="per round, at most")
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--body", type=int, default=251, help="bytes of an event")
    return parser


def _compare(size: int, options: argparse.Namespace) -> Table:
    appends = min(options.appends, max(options.events // size, 1))
    table = Table(f"{size} an append, {options.users} users, {options.body} bytes", PEER)
    for _ in range(options.rounds):
        first, *batches = _batches(size, appends, options.users, options.body)
        with TemporaryDirectory(dir=options.directory) as directory:
            table.add(PEER, _sqlite3(Path(directory, "sqlite3.db"), first, batches))
            own = trio.run(_greenroom, Path(directory, "greenroom.db"), first, batches)
            table.add("greenroom", own)
    return table


async def _greenroom(path: Path, first: Batch, batches: list[Batch]) -> Figures:
    async with open_sqlite_journal(path) as journal:
        await journal.append(first)
        with _measured(batches) as cost:
            for batch in batches:
                await journal.append(batch)
    return cost()


def _sqlite3(path: Path, first: Batch, batches: list[Batch]) -> Figures:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = wal")
    database.execute("PRAGMA synchronous = full")
    database.execute(f"PRAGMA cache_size = -{sqlite_file.CACHE_KIB}")
    database.executescript(sqlite_schema.TABLES)
    insert = f"INSERT INTO log ({RECORD_COLUMNS}) VALUES ({', '.join('?' * 12)})"
    _insert(database, insert, first)
    with _measured(batches) as cost:
        for batch in batches:
            _insert(database, insert, batch)
    database.close()
    return cost()


def _insert(database: sqlite3.Connection, insert: str, batch: Batch) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.executemany(insert, map(record_row, batch))
    database.execute("COMMIT")


@contextmanager
def _measured(batches: list[Batch]) -> Iterator[Callable[[], Figures]]:
    cpu, wall = time.process_time(), time.perf_counter()
    found: list[Figures] = []
    yield found.pop
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    events = sum(map(len, batches))
    found.append({"CPU µs/event": cpu / events * 1e6, "events/s": events / wall})


def _batches(size: int, appends: int, users: int, body: int) -> Iterator[Batch]:
    """First one with an event of each user, then every user in turn, each in one thread and one
    run, as a busy server sees them."""
    ids = IdSource()
    own = [
        (UserId.parse(f"auth0|{n:06d}"), ids.new(ThreadId), ids.new(RunId), ids.new(RequestId))
        for n in range(users)
    ]
    offsets = [count(1) for _ in range(users)]
    turns = (n for _ in count() for n in range(users))
    for events in (users, *[size] * appends):
        yield [
            _record(*own[n], next(offsets[n]), ids.new(EventId), bytes(body))
            for n in islice(turns, events)
        ]


def _record(
    user: UserId,
    thread: ThreadId,
    run: RunId,
    request: RequestId,
    offset: int,
    event: EventId,
    body: bytes,
) -> Record:
    return Record(
        user=user,
        offset=offset,
        id=event,
        kind=Kind.TOOL_EXECUTING,
        event_class=EventClass.CRITICAL,
        thread=thread,
        run=run,
        parent=None,
        request=request,
        at=time.time_ns() // 1_000_000,
        say=None,
        body=body,
    )


if __name__ == "__main__":
    main()
