"""Server CPU per event, from an agent's emit to the client's socket, beside bare trio-websocket.

Starts each server in a process of its own, lets `--users` clients ask for `--events` each, and
reads the server's CPU time from `/proc`. The peer sends as many frames of the same size, nothing
durable. Clients acknowledge every 32 events or 50 ms, as those of greenroom do. Prints medians of
`--rounds` and ratios to the peer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import attrs
import trio
from side_by_side.client import Client, show, token_of
from side_by_side.server import MEMORY, PEER, SQLITE, Order, Server, running

ACK_EVENTS, ACK_SECONDS = 32, 0.05


async def listen(client: Client, order: Order) -> None:
    await client.send(type="say", id="1", body=attrs.asdict(order))
    missing, acked, acked_at = order.events, 0, time.monotonic()
    while missing:
        events = (await client.wait_for("events"))["events"]
        pieces = [event["data"] for event in events if event["kind"] == "partial_result"]
        missing -= sum(1 + len(piece.get("merges", ())) for piece in pieces)  # of who lags
        offset, now = events[-1]["offset"], time.monotonic()
        if offset >= acked + ACK_EVENTS or now >= acked_at + ACK_SECONDS:
            acked, acked_at = offset, now
            await client.send(type="ack", offset=offset)


async def measure(server: Server, users: int, order: Order) -> float:
    """CPU microseconds of the server per event."""
    clients = [await Client.connect(server.port, token_of(number)) for number in range(users)]
    before = server.cpu_seconds()
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(listen, client, order)
    cpu = server.cpu_seconds() - before
    for client in clients:
        await client.close()
    return cpu / (users * order.events) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--events", type=int, default=160, help="events a user gets")
    parser.add_argument("--burst", type=int, default=1, help="tasks of an agent that emit at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="where to put the journal (default: /tmp)")
    options = parser.parse_args()
    order = Order(options.events, options.burst)
    print(f"{options.users} users, {options.events} events each, {options.burst} at a time")
    found: dict[str, list[float]] = {PEER: [], MEMORY: [], SQLITE: []}
    for number in range(options.rounds):
        for kind, figures in found.items():
            show(f"round {number + 1} of {options.rounds}: {kind}")
            with running(kind, options.directory) as server:
                figures.append(trio.run(measure, server, options.users, order))
    show("")
    base = statistics.median(found[PEER])
    for kind, figures in found.items():
        figure = statistics.median(figures)
        print(f"{kind:20} {figure:8.1f} µs of server CPU per event, {figure / base:.2f} × the peer")


if __name__ == "__main__":
    main()
