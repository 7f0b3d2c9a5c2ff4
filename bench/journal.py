"""What keeping an event costs: greenroom's SQLite journal beside the bare standard library.

The peer is `sqlite3` with the same tables and pragmas, called directly: no thread, no checks, no
threads of conversation, no runs. The ratio is what greenroom's promises cost over it (CPU of the
process, wall clock of the whole); both are measured in turns, in one run, and the medians shown.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import trio

from greenroom.delivery.events.ids import EventId, IdSource, RequestId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.sqlite import file as sqlite_file
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.journal.sqlite.rows import RECORD_COLUMNS, record_row

Batch = Sequence[Record]


@attrs.frozen
class Cost:
    """CPU and wall-clock microseconds per event."""

    cpu: float
    wall: float


def main() -> None:
    arguments = _arguments()
    print(f"{arguments.users} users, {arguments.body} bytes an event")
    print("events/append   events/s  CPU µs/event   sqlite3: events/s  CPU µs/event   ratio CPU")
    for size in arguments.sizes:
        _compare(size, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 100, 800], metavar="N")
    parser.add_argument("--events", type=int, default=40_000, help="per round, at most")
    parser.add_argument("--appends", type=int, default=400, help="per round, at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--body", type=int, default=251, help="bytes of an event")
    parser.add_argument("--directory", type=Path, help="on the disk to measure")
    return parser.parse_args()


def _compare(size: int, arguments: argparse.Namespace) -> None:
    appends = min(arguments.appends, max(arguments.events // size, 1))
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        batches = list(_batches(size, appends, arguments.users, arguments.body))
        with TemporaryDirectory(dir=arguments.directory) as directory:
            ours.append(trio.run(_greenroom, Path(directory, "greenroom.db"), batches))
            theirs.append(_sqlite3(Path(directory, "sqlite3.db"), batches))
    own, peer = _median(ours), _median(theirs)
    print(
        f"{size:13} {1e6 / own.wall:10,.0f} {own.cpu:13.1f}"
        f" {1e6 / peer.wall:19,.0f} {peer.cpu:13.1f} {own.cpu / peer.cpu:11.2f}"
    )


async def _greenroom(path: Path, batches: list[Batch]) -> Cost:
    async with open_sqlite_journal(path) as journal:
        with _measured(batches) as cost:
            for batch in batches:
                await journal.append(batch)
    return cost()


def _sqlite3(path: Path, batches: list[Batch]) -> Cost:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = wal")
    database.execute("PRAGMA synchronous = full")
    database.execute(f"PRAGMA cache_size = -{sqlite_file.CACHE_KIB}")
    database.executescript(sqlite_schema.TABLES)
    insert = f"INSERT INTO log ({RECORD_COLUMNS}) VALUES ({', '.join('?' * 12)})"
    with _measured(batches) as cost:
        for batch in batches:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(insert, map(record_row, batch))
            database.execute("COMMIT")
    database.close()
    return cost()


@contextmanager
def _measured(batches: list[Batch]) -> Iterator[Callable[[], Cost]]:
    cpu, wall = time.process_time(), time.perf_counter()
    costs: list[Cost] = []
    yield costs.pop
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    events = sum(map(len, batches))
    costs.append(Cost(cpu / events * 1e6, wall / events * 1e6))


def _batches(size: int, appends: int, users: int, body: int) -> Iterator[Batch]:
    """Every user in turn, each in one thread and one run, as a busy server sees them."""
    ids = IdSource()
    own = [
        (UserId.parse(f"auth0|{n:06d}"), ids.new(ThreadId), ids.new(RunId), ids.new(RequestId))
        for n in range(users)
    ]
    offsets = [count(1) for _ in range(users)]
    turns = (n for _ in count() for n in range(users))
    for _ in range(appends):
        yield [
            _record(*own[n], next(offsets[n]), ids.new(EventId), bytes(body))
            for n in islice(turns, size)
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


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.wall for cost in costs),
    )


if __name__ == "__main__":
    main()
