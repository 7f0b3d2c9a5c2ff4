"""How large a journal in Postgres stays while retention forgets as much as is appended.

Each user has a run after the other, of which the newest events are kept. The server's autovacuum
looks every second instead of every minute, and a cycle is what some minutes of traffic are. The
table says how many times as large as just rewritten (`VACUUM FULL`) the tables and their indexes
are; then the same with other settings of the largest table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, TypeAlias

import psycopg
from side_by_side.postgres import PostgresServer

from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import (
    EventId,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.record import Cursor, Entry, Settled
from greenroom.delivery.journal.postgres.connection import PostgresDatabase
from greenroom.delivery.journal.postgres.opening import connect_to_write, prepare
from greenroom.delivery.journal.postgres.store import PostgresStore
from greenroom.delivery.journal.postgres.sweeper import PostgresSweeper
from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs, SweptTo

AT_ONCE: Final = 20
"""Users whose runs are one commit."""

KINDS: Final = (
    *(Kind.USER_SAID, Kind.AGENT_STARTED, *[Kind.PARTIAL_RESULT] * 6),
    *(Kind.FINAL_REPORT, Kind.AGENT_COMPLETED),
)
MIB: Final = 1024 * 1024
MOST_TABLES: Final = 12
TEXT: Final = "x" * 120
VARIANTS: Final = {
    "as the journal makes them": "SELECT",
    "by the server's settings": "ALTER TABLE log RESET (autovacuum_vacuum_scale_factor)",
    "with room in each page": "ALTER TABLE log SET (fillfactor = 80)",
}
SIZES: Final = """
    SELECT relname, pg_table_size(relid), pg_indexes_size(relid), n_live_tup, n_dead_tup,
        autovacuum_count
    FROM pg_stat_user_tables WHERE schemaname = 'greenroom'
    ORDER BY pg_total_relation_size(relid) DESC
"""
IDS: Final = IdSource()
Sizes: TypeAlias = Mapping[str, Sequence[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--keep", type=int, default=100, help="events of each user")
    parser.add_argument("--cycles", type=int, default=36, help="each a run of every user")
    parser.add_argument("--only", choices=VARIANTS, nargs="+", default=list(VARIANTS))
    chosen = parser.parse_args()
    for name in chosen.only:
        print(f"\n{name}", flush=True)
        with PostgresServer.alone("fsync = off", "autovacuum_naptime = 1s") as server:
            url = server.url("bloat")
            with closing(connect_to_write(url)) as connection:
                prepare(connection, "epoch")
                connection.execute(VARIANTS[name].encode())
                live(connection, chosen)


def live(connection: Any, chosen: argparse.Namespace) -> None:
    database = PostgresDatabase(connection)
    store = PostgresStore(database)
    sweeper = PostgresSweeper(database, store)
    users = {UserId(f"user-{number}"): IDS.new(SessionId) for number in range(chosen.users)}
    began = time.monotonic()
    print("cycle    seconds   log MiB   its indexes   all tables   all indexes")
    for cycle in range(1, chosen.cycles + 1):
        first = 1 + (cycle - 1) * len(KINDS)
        for group in grouped(list(users.items())):
            store.append([each for user in group for each in entries(*user, first)])
        sweep(sweeper, chosen.keep)
        if cycle % (chosen.cycles // 6) == 0:
            print_line(cycle, time.monotonic() - began, sizes(connection))
    bloated = sizes(connection)
    connection.execute("VACUUM FULL")
    compare(bloated, sizes(connection))


def grouped(users: list[tuple[UserId, SessionId]]) -> Iterator[list[tuple[UserId, SessionId]]]:
    for first in range(0, len(users), AT_ONCE):
        yield users[first : first + AT_ONCE]


def entries(user: UserId, session: SessionId, first: int) -> Iterator[Entry]:
    """A run that a client received, and whose events have their outcomes."""
    thread, run, request = IDS.new(ThreadId), IDS.new(RunId), IDS.new(RequestId)
    last, at = first + len(KINDS) - 1, first * 1000
    for offset, kind in enumerate(KINDS, first):
        event = draft(
            event=IDS.new(EventId),
            kind=kind,
            thread=thread,
            run=run,
            parent=None,
            request=request,
            data={"text": TEXT, "index": offset},
        )
        yield event.record(user, offset, at)
    yield Cursor(user, session, 0, last, last, at)
    for event_class in EventClass:
        yield Settled(user, event_class, last)


def sweep(sweeper: PostgresSweeper, keep: int) -> None:
    """One pass of retention."""
    place: SweptTo | None = BEGINNING
    while place is not None:
        place = sweeper.sweep(Cutoffs(keep_events=keep), place, seconds=1.0).next


def sizes(connection: psycopg.Connection[Any]) -> Sizes:
    return {str(name): rest for name, *rest in connection.execute(SIZES).fetchall()}


def print_line(cycle: int, seconds: float, found: Sizes) -> None:
    log, indexes = found["log"][:2]
    whole, all_indexes = (sum(each[n] for each in found.values()) for n in (0, 1))
    numbers = "".join(f"{each / MIB:14.1f}" for each in (log, indexes, whole, all_indexes))
    print(f"{cycle:5} {seconds:9.0f} {numbers}", flush=True)


def compare(bloated: Sizes, rewritten: Sizes) -> None:
    print("                 MiB   rewritten   times:   table   indexes    dead rows   autovacuums")
    for name, (table, indexes, _, dead, vacuums) in list(bloated.items())[:MOST_TABLES]:
        least_table, least_indexes, *_ = rewritten[name]
        size, least = (table + indexes) / MIB, (least_table + least_indexes) / MIB
        times = f"{table / max(1, least_table):8.2f} {indexes / max(1, least_indexes):9.2f}"
        print(f"{name:14} {size:6.1f} {least:11.1f}         {times} {dead:12,} {vacuums:13,}")


if __name__ == "__main__":
    main()
