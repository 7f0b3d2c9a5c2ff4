"""How long an event takes from an agent's emit to its client, under a steady load.

First 1,000 events a second over 100 users, then over 1,000 users, each of whom ends with every
event acknowledged; beside peers, which send as many frames of the same size and keep nothing. The
emit is timed where it is called: what greenroom adds is a commit to the disk, so the time of a sync
is in it. The runs end, and the clients hang up, when the load is over: neither is part of it. The
clients are one process, each server is another.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial

from side_by_side.compare import Figures, compare, finish, server_options
from side_by_side.crowd import Crowd, Failed
from side_by_side.order import Order
from side_by_side.server import Server, allow_sockets

REST = 1.0
"""Seconds from the last event to the end of all runs."""


def arguments() -> argparse.ArgumentParser:
    parser = server_options(__doc__)
    parser.set_defaults(rounds=1)
    parser.add_argument(
        "--users", type=int, nargs="+", default=[100, 1_000], help="default: 100, then 1,000"
    )
    parser.add_argument("--rate", type=int, default=1_000, help="events a second, of all users")
    parser.add_argument("--seconds", type=int, default=5, help="how long the load goes on")
    return parser


async def measure(server: Server, users: int, options: argparse.Namespace) -> Figures:
    """Users with all acknowledged, ms from emit to client, CPU µs of the server per event."""
    every = users / options.rate
    events = max(round(options.seconds / every), 1)
    crowd = Crowd(server, users, Order(events, every=every, acked=True, rest=REST))
    await crowd.run()
    for words, count in crowd.failures.most_common(5):
        print(f"    {server.kind}: failed {count:,} times: {words}")
    if len(crowd.latencies) < 2:
        raise Failed("no events came")
    cuts = statistics.quantiles(crowd.latencies, n=100)
    return {
        "users with all": crowd.acked,
        "p50 ms": cuts[49],
        "p99 ms": cuts[98],
        "CPU µs/event": crowd.cpu / crowd.events * 1e6,
    }


def main() -> None:
    options = arguments().parse_args()
    allow_sockets(max(options.users))
    tables = []
    for users in options.users:
        title = f"{users:,} users, {options.rate:,} events/s in all, for {options.seconds} s"
        tables.append(compare(title, options, partial(measure, users=users, options=options)))
    finish(tables, options)


if __name__ == "__main__":
    main()
