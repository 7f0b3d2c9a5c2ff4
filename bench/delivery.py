"""Server CPU per event, from an agent's emit to the client's socket, beside peers.

Starts each server in a process of its own, gives each of `--users` clients a run, and lets all runs
emit `--events` each, as fast as they can or one `--every` seconds. Only events are measured: runs
have begun before, and end after. The peers send as many frames of the same size, and keep nothing.
Clients acknowledge every 32 events or 50 ms, as those of greenroom do.
"""

from __future__ import annotations

import argparse

from side_by_side.compare import compare, finish, server_options
from side_by_side.crowd import measure
from side_by_side.order import Order
from side_by_side.server import allow_sockets


def arguments() -> argparse.ArgumentParser:
    parser = server_options(__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--events", type=int, default=160, help="events a user gets")
    parser.add_argument("--burst", type=int, default=1, help="tasks of an agent that emit at once")
    parser.add_argument("--every", type=float, default=0.0, help="seconds from event to event")
    return parser


def main() -> None:
    options = arguments().parse_args()
    order = Order(options.events, options.burst, options.every, stays=True)
    allow_sockets(options.users)
    users = f"{options.users:,} user{'s' if options.users > 1 else ''}"
    pace = f"one per {options.every} s" if options.every else f"{options.burst} at a time"
    title = f"{users}, {options.events:,} events each, {pace}"
    finish([compare(title, options, lambda server: measure(server, options.users, order))], options)


if __name__ == "__main__":
    main()
