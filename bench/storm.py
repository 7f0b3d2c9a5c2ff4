"""A storm of connects, then idle connections held: greenroom beside bare trio-websocket.

Each connect is another user's, with a token of its own, from TCP to `ready`; greenroom checks the
token, and starts the user's actors. All of a storm stay connected until it is over. Then as many
as `--idle` says are held for `--hold` seconds, pings answered, and the server's memory is read.
The clients are one process, each server is another.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import trio
from side_by_side.client import Client, Refused, show, token_of
from side_by_side.server import MEMORY, PEER, SQLITE, Server, allow_sockets, running

PATIENCE = 30.0  # seconds for one connect


@attrs.define
class Storm:
    """What became of the connects: seconds each took, the sockets, and what went wrong."""

    seconds: list[float] = attrs.field(factory=list)
    clients: list[Client] = attrs.field(factory=list)
    failures: Counter[str] = attrs.field(factory=Counter)
    wall: float = 0.0
    cpu: float = 0.0
    on_ready: Callable[[Client], None] = attrs.field(default=lambda _: None)

    @property
    def tried(self) -> int:
        return len(self.seconds) + self.failures.total()

    async def run(self, server: Server, tokens: list[str], concurrency: int) -> None:
        waiting = iter(tokens)
        self.wall, self.cpu = -time.perf_counter(), -server.cpu_seconds()
        async with trio.open_nursery() as nursery:
            for _ in range(concurrency):
                nursery.start_soon(self._connect, server.port, waiting)
        self.wall += time.perf_counter()
        self.cpu += server.cpu_seconds()

    async def _connect(self, port: int, tokens: Iterator[str]) -> None:
        """One after the other, as long as there are any."""
        for token in tokens:
            began = time.perf_counter()
            try:
                with trio.fail_after(PATIENCE):
                    client = await Client.connect(port, token)
                self.seconds.append(time.perf_counter() - began)
                self.clients.append(client)
                self.on_ready(client)
            except (OSError, Refused, trio.TooSlowError) as error:
                self.failures[f"{type(error).__name__}: {error}"] += 1
            if self.tried % 100 == 0:
                show(f"{self.tried} connects tried")

    async def close(self) -> None:
        for client in self.clients:
            await client.close()


@attrs.frozen
class Connects:
    """Of one storm: what came of it."""

    rate: float  # of success
    p50: float  # ms
    p99: float
    per_second: float
    cpu: float  # µs of the server a connect


@attrs.frozen
class Held:
    """Of the idle connections: how many stayed, and KiB of the server each."""

    count: int
    kib: float


async def measure_connects(server: Server, tokens: list[str], concurrency: int) -> Connects:
    storm = Storm()
    await storm.run(server, tokens, concurrency)
    await storm.close()
    tell_failures(storm)
    cuts = statistics.quantiles(storm.seconds, n=100)
    return Connects(
        len(storm.seconds) / storm.tried,
        cuts[49] * 1e3,
        cuts[98] * 1e3,
        storm.tried / storm.wall,
        storm.cpu / storm.tried * 1e6,
    )


async def measure_idle(server: Server, tokens: list[str], options: argparse.Namespace) -> Held:
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
        storm = Storm(on_ready=lambda client: nursery.start_soon(stay, client))
        await storm.run(server, tokens, options.concurrency)
        for second in range(options.hold):
            show(f"{held:,} connections held, {second} of {options.hold} s")
            await trio.sleep(1)
        memory = server.resident_kib() - before
        nursery.cancel_scope.cancel()
    tell_failures(storm)
    await storm.close()
    return Held(held, memory / max(held, 1))


def tell_failures(storm: Storm) -> None:
    show("")
    for words, count in storm.failures.most_common(5):
        print(f"    failed {count:,} times: {words}")


def median(rounds: list[Connects]) -> Connects:
    """Of each figure by itself; the success rate is the worst."""
    middle = [statistics.median(column) for column in zip(*map(attrs.astuple, rounds), strict=True)]
    return Connects(min(each.rate for each in rounds), *middle[1:])


def compare_connects(options: argparse.Namespace) -> None:
    print(f"{options.connects:,} connects, {options.concurrency} at a time")
    print(" " * 18, "  ready %   p50 ms   p99 ms  connects/s  CPU µs/connect")
    tokens = [token_of(number) for number in range(options.connects)]
    rounds: dict[str, list[Connects]] = {PEER: [], options.server: []}
    for _ in range(options.rounds):
        for kind, found in rounds.items():
            with running(kind, options.directory) as server:
                found.append(trio.run(measure_connects, server, tokens, options.concurrency))
    peer = median(rounds[PEER])
    for kind, found in rounds.items():
        own = median(found)
        print(
            f"{kind:18} {own.rate:9.2%} {own.p50:8.1f} {own.p99:8.1f} {own.per_second:11,.0f}"
            f" {own.cpu:15,.0f}   {own.cpu / peer.cpu:.1f} × the peer's CPU"
        )


def compare_idle(options: argparse.Namespace) -> None:
    print(f"{options.idle:,} idle connections, held for {options.hold} s")
    print(" " * 18, "     held  KiB each")
    tokens = [token_of(number) for number in range(options.idle)]
    peer = None
    for kind in (PEER, options.server):
        with running(kind, options.directory) as server:
            own = trio.run(measure_idle, server, tokens, options)
        peer = peer or own
        ratio = own.kib / peer.kib
        print(f"{kind:18} {own.count:9,} {own.kib:9.1f}   {ratio:.1f} × the peer's memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connects", type=int, default=1_000, help="in a storm; 0: no storm")
    parser.add_argument("--concurrency", type=int, default=50, help="connects at a time")
    parser.add_argument("--rounds", type=int, default=3, help="storms; the medians are shown")
    parser.add_argument("--idle", type=int, default=1_000, help="connections to hold; 0: none")
    parser.add_argument(
        "--hold", type=int, default=30, help="seconds; each is pinged once in 25 (default 30)"
    )
    parser.add_argument("--memory", action="store_true", help="keep the journal in memory only")
    parser.add_argument("--directory", type=Path, help="where to put the journal (default: /tmp)")
    options = parser.parse_args()
    options.server = MEMORY if options.memory else SQLITE
    allow_sockets(max(options.connects, options.idle))
    gc.disable()  # its pauses would be the clients'
    if options.connects:
        compare_connects(options)
    if options.idle:
        compare_idle(options)


if __name__ == "__main__":
    main()
