"""What an event costs with its journal in a database, by the number of nodes, beside one on SQLite.

First CPU per event, as `bench/delivery.py` measures it, of all nodes together and of the database
server; and what the database takes on the disk. Then ms from emit to client at a steady rate: each
user has two tabs, with several nodes on two of them, and says something in one; where the run is,
the tab is on the same node. Postgres and Redis are started here, so that a commit is synced to the
disk, as SQLite's is. At the end stand the ratios and the floors that they must keep. Nodes, clients
and the database share the machine's cores: past what these can do, `events/s` says more about the
machine.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

import attrs
import trio
from side_by_side.client import Client, show
from side_by_side.cluster import Cluster, named, sharing
from side_by_side.compare import Figures, finish
from side_by_side.compare import options as common_options
from side_by_side.crowd import ACK_EVENTS, ACK_SECONDS, Crowd, Failed
from side_by_side.engine import Engine
from side_by_side.order import STAMP, Order
from side_by_side.postgres import PostgresServer
from side_by_side.redis import RedisServer
from side_by_side.server import SQLITE, allow_sockets, running
from side_by_side.table import Table

CPU, ENGINE, DISK = "CPU µs/event", "the engine's", "bytes/event"
P99, ELSEWHERE = "p99 ms", "p99 elsewhere"
ENGINES = {
    "Postgres": partial(PostgresServer.alone, "max_connections = 200"),
    "Redis": RedisServer.alone,
}
MOST_OF_SQLITE, MOST_OF_ONE, MOST_ELSEWHERE = 1.6, 1.3, 3.0
REST = 1.0
ALONE = 4  # events after one another take longer: a part of them is enough
PATIENCE = 60.0
QUICK = {"users": 20, "events": 64, "rounds": 1, "seconds": 2, "rate": 100}
Measure = Callable[[Cluster], Awaitable[Figures]]
Start = Callable[[], AbstractContextManager[Cluster]]


def arguments() -> argparse.ArgumentParser:
    parser = common_options(__doc__)
    parser.set_defaults(rounds=1)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--events", type=int, default=640, help="events a user gets")
    parser.add_argument(
        "--bursts", type=int, nargs="+", default=[16, 1], help="tasks of an agent that emit at once"
    )
    parser.add_argument("--rate", type=int, default=250, help="events a second, for the latency")
    parser.add_argument("--seconds", type=int, default=5, help="how long that load goes on")
    parser.add_argument("--quick", action="store_true", help="a short run that shows it works")
    return parser


@attrs.define
class TwoTabs(Crowd):
    """Each user has another tab, elsewhere, that says nothing."""

    elsewhere: list[float] = attrs.field(factory=list)  # ms from emit to that tab

    async def _user(self, number: int, order: Order) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._watch, number, order)
            await super()._user(number, order)

    async def _watch(
        self,
        number: int,
        order: Order,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        client = await self.server.connect_elsewhere(number)
        task_status.started()
        try:
            with trio.fail_after(PATIENCE + order.events * order.every):
                await self._read(client, order.events)
        finally:
            await client.close()

    async def _read(self, client: Client, missing: int) -> None:
        """All events, of which those that are sent again do not count."""
        offset, acked, acked_at = 0, 0, time.monotonic()
        while missing > 0:
            events = (await client.wait_for("events"))["events"]
            now = time.monotonic()
            fresh = [each for each in events if each["offset"] > offset]
            offset = max(offset, events[-1]["offset"])
            pieces = [each["data"] for each in fresh if each["kind"] == "partial_result"]
            self.elsewhere += [now * 1e3 - int(data["text"][:STAMP]) / 1e6 for data in pieces]
            missing -= sum(1 + len(data.get("merges", ())) for data in pieces)
            if missing <= 0 or offset >= acked + ACK_EVENTS or now >= acked_at + ACK_SECONDS:
                acked, acked_at = offset, now
                await client.send(type="ack", offset=offset)


async def costs(servers: Cluster, users: int, order: Order) -> Figures:
    crowd = Crowd(servers, users, order)
    seconds, size = servers.engine_seconds(), servers.disk_bytes()
    await crowd.run()
    engine, disk = servers.engine_seconds() - seconds, servers.disk_bytes() - size
    _check(crowd)
    found = {CPU: crowd.cpu / crowd.events * 1e6, "events/s": crowd.events / crowd.wall}
    if servers.engine:
        found[ENGINE] = engine / crowd.events * 1e6
        found[DISK] = disk / crowd.events
    return found


async def latencies(servers: Cluster, users: int, order: Order) -> Figures:
    crowd = TwoTabs(servers, users, order)
    await crowd.run()
    _check(crowd)
    here, there = (statistics.quantiles(ms, n=100) for ms in (crowd.latencies, crowd.elsewhere))
    found = {"p50 ms": here[49], P99: here[98]}
    return found | ({"p50 elsewhere": there[49], ELSEWHERE: there[98]} if servers.nodes > 1 else {})


def _check(crowd: Crowd) -> None:
    if crowd.failures:
        ((words, count),) = crowd.failures.most_common(1)
        raise Failed(f"{count:,} of {crowd.users:,} users, {words}")


def compare(
    title: str, options: argparse.Namespace, engines: Sequence[Engine], measure: Measure
) -> Table:
    """Each engine and number of nodes in each round, by turns, with a journal of its own."""
    table = Table(title, SQLITE)
    for number in range(options.rounds):
        for name, start in subjects(options, engines):
            show(f"round {number + 1} of {options.rounds}: {name}")
            with start() as servers:
                table.add(name, trio.run(measure, servers))
            gc.collect()
    show("")
    return table


def subjects(options: argparse.Namespace, engines: Sequence[Engine]) -> Iterator[tuple[str, Start]]:
    """Their rows, and how to start them."""
    yield SQLITE, partial(on_a_file, options.directory)
    for engine in engines:
        for nodes in options.nodes:
            yield named(engine.title, nodes), partial(sharing, engine, nodes)


@contextmanager
def on_a_file(directory: Path | None) -> Iterator[Cluster]:
    with running(SQLITE, directory) as server:
        yield Cluster((server,))


def floors(
    cost: Table, latency: Table, engine: str, nodes: list[int]
) -> Iterator[tuple[str, float, float]]:
    """What is compared, the ratio, and the most that it may be."""
    first, last = named(engine, nodes[0]), named(engine, nodes[-1])
    if engine == "Postgres":
        ratio = _ratio(cost, first, SQLITE, CPU)
        yield f"CPU per event, {first} to {SQLITE}", *ratio, MOST_OF_SQLITE
    if len(nodes) > 1:
        yield f"CPU per event, {last} to {first}", *_ratio(cost, last, first, CPU), MOST_OF_ONE
    for each in [named(engine, number) for number in nodes if number > 1]:
        ms = latency.median(each, ELSEWHERE) or 0.0, latency.median(each, P99) or 1.0
        yield f"p99 elsewhere to p99, {each}", ms[0] / ms[1], MOST_ELSEWHERE


def _ratio(table: Table, row: str, base: str, column: str) -> tuple[float]:
    return ((table.median(row, column) or 0.0) / (table.median(base, column) or 1.0),)


def main() -> None:
    options = arguments().parse_args()
    vars(options).update(QUICK if options.quick else {})
    allow_sockets(2 * options.users)
    gc.disable()  # its pauses would be the clients'
    users, every = options.users, options.users / options.rate
    paced = Order(max(round(options.seconds / every), 1), every=every, acked=True, rest=REST)
    with ExitStack() as stack:
        engines = [stack.enter_context(ENGINES[each]()) for each in options.engines]
        cost = [_cost(options, engines, burst) for burst in options.bursts]
        title = f"{users} users with two tabs, {options.rate} events/s in all"
        latency = compare(title, options, engines, partial(latencies, users=users, order=paced))
    finish([*cost, latency], options)
    for engine in options.engines:
        for what, ratio, most in floors(cost[0], latency, engine, options.nodes):
            print(f"{what}: {ratio:.2f} x, at most {most}: {'kept' if ratio <= most else 'MISSED'}")


def _cost(options: argparse.Namespace, engines: Sequence[Engine], burst: int) -> Table:
    events = options.events // (1 if burst > 1 else ALONE)
    title = f"{options.users} users, {events} events each, {burst} at a time"
    order = Order(events, burst, stays=True)
    return compare(title, options, engines, partial(costs, users=options.users, order=order))


if __name__ == "__main__":
    main()
