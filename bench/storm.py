"""A storm of connects, then idle connections held: greenroom beside its peers.

Each connect is another user's, from TCP to `ready`; greenroom checks a token of its own, and starts
the user's actors. All of a storm stay connected until it is over. Then as many as `--idle` says are
held for `--hold` seconds, pings answered, and the server's memory is read. The clients are one
process, each server is another.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import attrs
import trio
from side_by_side.client import Client, Refused, show, token_of
from side_by_side.compare import Figures, compare, finish, server_options
from side_by_side.crowd import Failed
from side_by_side.server import Server, allow_sockets

PATIENCE = 30.0  # seconds for one connect


@attrs.define
class Storm:
    """What became of the connects: seconds each took, the sockets, and what went wrong."""

    server: Server
    seconds: list[float] = attrs.field(factory=list)
    clients: list[Client] = attrs.field(factory=list)
    failures: Counter[str] = attrs.field(factory=Counter)
    wall: float = 0.0
    cpu: float = 0.0
    on_ready: Callable[[Client], None] = attrs.field(default=lambda _: None)

    @property
    def tried(self) -> int:
        return len(self.seconds) + self.failures.total()

    async def run(self, connects: int, concurrency: int) -> None:
        for number in range(connects):
            token_of(number)  # kept from now on: signing takes none of the storm's time
        waiting = iter(range(connects))
        self.wall, self.cpu = -time.perf_counter(), -self.server.cpu_seconds()
        async with trio.open_nursery() as nursery:
            for _ in range(concurrency):
                nursery.start_soon(self._connect, waiting)
        self.wall += time.perf_counter()
        self.cpu += self.server.cpu_seconds()

    async def _connect(self, waiting: Iterator[int]) -> None:
        """One after the other, as long as there are any."""
        for number in waiting:
            began = time.perf_counter()
            try:
                with trio.fail_after(PATIENCE):
                    client = await self.server.connect(number)
                self.seconds.append(time.perf_counter() - began)
                self.clients.append(client)
                self.on_ready(client)
            except (OSError, Refused, trio.TooSlowError) as error:
                self.failures[f"{type(error).__name__}: {error}"] += 1

    async def close(self) -> None:
        """Hang up, and tell what failed."""
        for client in self.clients:
            await client.close()
        for words, count in self.failures.most_common(5):
            print(f"    {self.server.kind}: failed {count:,} times: {words}")


async def measure_connects(server: Server, options: argparse.Namespace) -> Figures:
    storm = Storm(server)
    await storm.run(options.connects, options.concurrency)
    await storm.close()
    if len(storm.seconds) < 2:
        raise Failed("no connect got ready")
    cuts = statistics.quantiles(storm.seconds, n=100)
    return {
        "ready %": len(storm.seconds) / storm.tried * 100,
        "p50 ms": cuts[49] * 1e3,
        "p99 ms": cuts[98] * 1e3,
        "connects/s": storm.tried / storm.wall,
        "CPU µs/connect": storm.cpu / storm.tried * 1e6,
    }


async def measure_idle(server: Server, options: argparse.Namespace) -> Figures:
    before, held = server.resident_kib(), 0

    async def stay(client: Client) -> None:
        """Answer pings, from the first moment on."""
        nonlocal held
        held += 1
        try:
            await client.wait_for("never")
        except Refused as error:
            held -= 1
            storm.failures[f"held no longer: {error}"] += 1

    async with trio.open_nursery() as nursery:
        storm = Storm(server, on_ready=lambda client: nursery.start_soon(stay, client))
        await storm.run(options.idle, options.concurrency)
        for second in range(options.hold):
            show(f"{server.kind}: {held:,} connections held, {second} of {options.hold} s")
            await trio.sleep(1)
        memory = server.resident_kib() - before
        nursery.cancel_scope.cancel()
    await storm.close()
    return {"held": held, "KiB each": memory / max(held, 1)}


def arguments() -> argparse.ArgumentParser:
    parser = server_options(__doc__)
    parser.set_defaults(rounds=1)
    parser.add_argument("--connects", type=int, default=1_000, help="in a storm; 0: no storm")
    parser.add_argument("--concurrency", type=int, default=50, help="connects at a time")
    parser.add_argument("--idle", type=int, default=1_000, help="connections to hold; 0: none")
    parser.add_argument("--hold", type=int, default=5, help="seconds; each is pinged once in 25")
    return parser


def main() -> None:
    options = arguments().parse_args()
    allow_sockets(max(options.connects, options.idle))
    tables = []
    if options.connects:
        title = f"{options.connects:,} connects, {options.concurrency} at a time"
        tables.append(compare(title, options, partial(measure_connects, options=options)))
    if options.idle:
        title = f"{options.idle:,} idle connections, held for {options.hold} s"
        tables.append(compare(title, options, partial(measure_idle, options=options)))
    finish(tables, options)


if __name__ == "__main__":
    main()
