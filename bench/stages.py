"""Where the CPU time of an event goes, from an agent's emit to the client's socket and back.

Samples the main thread of a greenroom server each millisecond of CPU time, while 100 users are sent
events: the share of each part of the code, and the µs of an event that this is. Starting the
server and connecting the users are among it, a few percent of the default number of events.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import trio
from side_by_side.compare import options
from side_by_side.crowd import measure
from side_by_side.order import Order
from side_by_side.sampling import SAMPLED, samples
from side_by_side.server import MEMORY, SQLITE, running
from side_by_side.table import Table


def stages(kind: str, users: int, order: Order) -> Table:
    """The µs that an event takes in each part of a server of this kind."""
    table = Table(f"{kind}: {users} users, {order.events:,} events each", "all of it")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "samples")
        os.environ[SAMPLED] = str(file)
        with running(kind) as server:
            cpu = trio.run(measure, server, users, order)["CPU µs/event"]
            found = samples(server.pid, file)
    table.add("all of it", {"CPU µs/event": cpu})
    for stage, count in found.most_common():
        table.add(stage, {"CPU µs/event": cpu * count / found.total()})
    return table


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--events", type=int, default=640, help="events a user gets")
    parser.add_argument("--burst", type=int, default=1, help="tasks of an agent that emit at once")
    chosen = parser.parse_args()
    order = Order(chosen.events, chosen.burst, 0.0, stays=True)
    for kind in (MEMORY, SQLITE):
        stages(kind, chosen.users, order).print()


if __name__ == "__main__":
    main()
