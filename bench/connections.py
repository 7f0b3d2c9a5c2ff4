"""How the cost of an event grows with the connections, from one to thousands.

CPU µs of the server per event, for each number of connections, every one with events as fast as
they go: what `delivery.py` measures, again and again.
"""

from __future__ import annotations

import argparse
from functools import partial

from side_by_side.compare import Figures, compare, finish, server_options
from side_by_side.crowd import measure
from side_by_side.order import Order
from side_by_side.server import Server, allow_sockets
from side_by_side.table import Table

EACH = 4  # events, at least
LARGE = 10_000


def arguments() -> argparse.ArgumentParser:
    parser = server_options(__doc__)
    parser.set_defaults(rounds=1)
    parser.add_argument(
        "--connections", type=int, nargs="+", default=[1, 10, 100, 1_000], metavar="N"
    )
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} of them, too")
    parser.add_argument("--events", type=int, default=8_000, help="of all connections, at least")
    return parser


async def cost(server: Server, connections: int, events: int) -> Figures:
    order = Order(max(EACH, events // connections), stays=True)
    found = await measure(server, connections, order)
    return {f"{connections:,}": found["CPU µs/event"]}


def main() -> None:
    options = arguments().parse_args()
    counts = [*options.connections, LARGE] if options.large else options.connections
    allow_sockets(max(counts))
    table = Table("CPU µs/event by number of connections", "")
    for count in counts:
        found = compare("", options, partial(cost, connections=count, events=options.events))
        table.join(found)
    finish([table], options)


if __name__ == "__main__":
    main()
