"""Whether an event costs more where many are stored: an empty journal beside one of millions.

CPU µs of the server per event, as `delivery.py` measures it, and the seconds until the server
listens. The events are stored by SQL in tables that greenroom's schema creates, each user's in
turn, all of them settled; the users who are measured have their share of them.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import trio
from side_by_side.client import show
from side_by_side.compare import Figures, finish, options
from side_by_side.crowd import measure
from side_by_side.order import Order
from side_by_side.server import SQLITE, running
from side_by_side.table import Table

from greenroom.delivery.journal.sqlite import schema

LARGE = 10_000_000
EMPTY = "nothing stored"
STORE = """
    WITH RECURSIVE turn (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM turn WHERE n + 1 < ?1),
    event AS (
        SELECT 'user-' || (n % ?2) AS user, n / ?2 + 1 AS "offset", printf('evt_%026d', n) AS id,
            printf('thread_%026d', n % ?2) AS thread, printf('run_%026d', n % ?2) AS run,
            printf('req_%026d', n % ?2) AS request, ?3 + n AS at
        FROM turn)
    INSERT INTO log
        (user, "offset", id, kind, class, thread, run, parent, request, at, say, body)
    SELECT user, "offset", id, 'partial_result', 'progress', thread, run, NULL, request, at, NULL,
        CAST(printf('{"offset":%d,"at":%d,"id":"%s","kind":"partial_result","class":"progress",'
            || '"thread":"%s","run":"%s","request":"%s","data":{"text":"%100d"}}',
            "offset", at, id, thread, run, request, 0) AS BLOB)
    FROM event
"""
SPANS = "INSERT INTO span SELECT user, 1, thread FROM log WHERE number <= ?"
SETTLED = """
    INSERT INTO settled SELECT log.user, classes.class, max(log."offset")
    FROM log CROSS JOIN (SELECT 'critical' AS class UNION SELECT 'progress') AS classes
    WHERE number > ? GROUP BY 1, 2
"""
DERIVED = """
    SELECT type, name, sql FROM sqlite_schema
    WHERE tbl_name = 'log' AND type IN ('index', 'trigger') AND sql IS NOT NULL
"""


def arguments() -> argparse.ArgumentParser:
    parser = options(__doc__)
    parser.set_defaults(rounds=1)
    parser.add_argument("--stored", type=int, default=200_000, help="events")
    parser.add_argument(
        "--large", action="store_const", const=LARGE, dest="stored", help=f"{LARGE:,} (6 GB)"
    )
    parser.add_argument("--owners", type=int, default=10_000, help="users who have them")
    parser.add_argument("--users", type=int, default=100, help="of them who are measured")
    parser.add_argument("--events", type=int, default=160, help="events each of these gets")
    return parser


def fill(path: Path, events: int, owners: int) -> None:
    """A journal with a number of events, all of them settled."""
    with closing(apsw.Connection(str(path))) as database:
        database.pragma("journal_mode", "off")
        database.pragma("synchronous", "off")
        schema.create(database, "bench")
        with database, _without_indexes(database):
            at = time.time_ns() // 1_000_000 - events
            database.execute(STORE, (events, owners, at))
            database.execute(SPANS, (owners,))
            database.execute(SETTLED, (events - owners,))


@contextmanager
def _without_indexes(database: apsw.Connection) -> Iterator[None]:
    """To sort once is ten times as quick as to insert ten million times."""
    derived = database.execute(DERIVED).fetchall()
    for kind, name, _ in derived:
        database.execute(f"DROP {kind} {name}")
    yield
    for _, _, sql in derived:
        database.execute(str(sql))


def cost(journal: Path | None, chosen: argparse.Namespace) -> Figures:
    begun = time.perf_counter()
    with running(SQLITE, chosen.directory, journal) as server:
        seconds = time.perf_counter() - begun
        order = Order(chosen.events, stays=True)
        found = trio.run(partial(measure, server, chosen.users, order))
    return {"CPU µs/event": found["CPU µs/event"], "starts in s": seconds}


def main() -> None:
    chosen = arguments().parse_args()
    table = Table(f"{chosen.users} users, {chosen.events} events each; {SQLITE}", EMPTY)
    gc.disable()
    with TemporaryDirectory(dir=chosen.directory) as folder:
        path = Path(folder, "large.db")
        show(f"storing {chosen.stored:,} events")
        path.touch(mode=0o600)
        fill(path, chosen.stored, chosen.owners)
        for _ in range(chosen.rounds):
            table.add(EMPTY, cost(None, chosen))
            table.add(f"{chosen.stored:,} stored", cost(path, chosen))
    show("")
    finish([table], chosen)


if __name__ == "__main__":
    main()
