"""How long an event takes from an agent's emit to its client, under a steady load.

First 1,000 events a second over 100 users, then over 1,000 users, each of whom ends with every
event acknowledged; beside bare trio-websocket, which sends as many frames of the same size and
keeps nothing. The emit is timed where it is called: what greenroom adds is a commit to the disk,
so the time of a sync is in it. The clients are one process, each server is another.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import time
from collections import Counter
from pathlib import Path

import attrs
import trio
from side_by_side.client import Client, Refused, show, token_of
from side_by_side.server import (
    MEMORY,
    PEER,
    SQLITE,
    STAMP,
    Order,
    Server,
    allow_sockets,
    running,
)

PATIENCE = 60.0  # seconds, beyond the load's own
AT_ONCE = 50  # connects


@attrs.define
class Load:
    """What reached the clients: ms from emit to client, and how many users got and acked all."""

    latencies: list[float] = attrs.field(factory=list)
    acked: int = 0
    failures: Counter[str] = attrs.field(factory=Counter)
    cpu: float = 0.0

    async def user(self, client: Client, order: Order) -> None:
        """Listen to a run, acknowledging every frame; the run ends when its agent has all acks."""
        try:
            with trio.fail_after(PATIENCE + order.events * order.every):
                await client.send(type="say", id="1", body=attrs.asdict(order))
                indexes = await self._listen(client)
        except (OSError, Refused, trio.TooSlowError) as error:
            self.failures[f"{type(error).__name__}: {error}"] += 1
            return
        if indexes == order.events:
            self.acked += 1
        else:
            self.failures[f"{indexes} events came, and not {order.events}"] += 1

    async def _listen(self, client: Client) -> int:
        """How many pieces came, each counted once, before the run was completed."""
        offset = pieces = 0
        while True:
            frame = await client.wait_for("events")
            now = time.monotonic_ns()
            for event in frame["events"]:
                if event["offset"] <= offset:
                    continue  # sent again, as its acknowledgement was late
                offset = event["offset"]
                if event["kind"] == "partial_result":
                    text, others = event["data"]["text"], event["data"].get("merges", ())
                    pieces += 1 + len(others)  # merged are those of who lags
                    self.latencies.append((now - int(text[:STAMP])) / 1e6)
                elif event["kind"] == "agent_failed":
                    raise Refused(event["data"]["message"])
            await client.send(type="ack", offset=offset)
            if event["kind"] == "agent_completed":
                return pieces


async def measure(server: Server, users: int, options: argparse.Namespace) -> Load:
    load, clients = Load(), list[Client]()
    tokens = iter([token_of(number) for number in range(users)])

    async def connect() -> None:
        for token in tokens:
            clients.append(await Client.connect(server.port, token))
            show(f"{len(clients):,} of {users:,} users connected")

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(connect)
    every = users / options.rate
    events = max(round(options.seconds / every), 1)
    begin = time.monotonic() + 1 + users / 250  # by then every run has begun
    async with trio.open_nursery() as nursery:
        for client in clients:
            phase = random.uniform(0, every)
            order = Order(events, every=every, begin=begin + phase, acked=True)
            nursery.start_soon(load.user, client, order)
        await sleep_until(begin)
        show(f"{events * users:,} events in {options.seconds} s")
        load.cpu = -server.cpu_seconds()
        await sleep_until(begin + options.seconds)
        load.cpu += server.cpu_seconds()
    show("")
    for client in clients:
        await client.close()
    return load


async def sleep_until(moment: float) -> None:
    await trio.sleep(moment - time.monotonic())


def compare(users: int, options: argparse.Namespace) -> None:
    print(f"{users:,} users, {options.rate:,} events/s in all, for {options.seconds} s")
    print(" " * 18, "   events  users with all acked   p50 ms   p99 ms  CPU µs/event")
    rounds: dict[str, list[Load]] = {PEER: [], options.server: []}
    for _ in range(options.rounds):
        for kind, found in rounds.items():
            with running(kind, options.directory) as server:
                found.append(trio.run(measure, server, users, options))
    peers = figures(rounds[PEER])
    for kind, found in rounds.items():
        p50, p99, cpu = own = figures(found)
        times = ", ".join(f"{mine / other:.1f}" for mine, other in zip(own, peers, strict=True))
        events = min(len(load.latencies) for load in found)
        acked = min(load.acked for load in found)
        print(
            f"{kind:18} {events:9,} {acked:21,} {p50:8.2f} {p99:8.2f} {cpu:13.0f}"
            f"   {times} × the peer"
        )
        for words, count in sum((load.failures for load in found), Counter()).most_common(5):
            print(f"    failed {count:,} times: {words}")


def figures(rounds: list[Load]) -> tuple[float, float, float]:
    """The medians over the rounds of p50, p99 (ms) and CPU an event (µs)."""
    cuts = [statistics.quantiles(load.latencies, n=100) for load in rounds]
    return (
        statistics.median(each[49] for each in cuts),
        statistics.median(each[98] for each in cuts),
        statistics.median(load.cpu / len(load.latencies) * 1e6 for load in rounds),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--users", type=int, nargs="+", default=[100, 1_000], help="default: 100, then 1,000"
    )
    parser.add_argument("--rate", type=int, default=1_000, help="events a second, of all users")
    parser.add_argument("--seconds", type=int, default=10, help="how long the load goes on")
    parser.add_argument("--rounds", type=int, default=3, help="the medians of so many are shown")
    parser.add_argument("--memory", action="store_true", help="keep the journal in memory only")
    parser.add_argument("--directory", type=Path, help="where to put the journal (default: /tmp)")
    options = parser.parse_args()
    options.server = MEMORY if options.memory else SQLITE
    allow_sockets(max(options.users))
    gc.disable()  # its pauses would be the clients'
    for users in options.users:
        compare(users, options)


if __name__ == "__main__":
    main()
