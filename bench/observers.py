"""What observers cost the users whom they watch: the way of an event from emit to client, without
and with three observers open, by turns under one load of one server.

One observer has the tree open, as a stream; one the overview, and one the crashes, which it asks
for again every five seconds, as the page does. They are a process of their own, so the clients'
clock is not disturbed by what they read.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
from collections.abc import Iterable
from typing import Self

import trio
from side_by_side.client import LOOK, show
from side_by_side.compare import finish, options
from side_by_side.crowd import Crowd, Failed
from side_by_side.order import Order
from side_by_side.server import SQLITE, Server, allow_sockets, running
from side_by_side.table import Table

WITHOUT, WITH = "no observer", "three observers"
REST = 1.0
EVERY = 5.0
"""Seconds between two looks of the page."""

STREAMED = "/admin/nodes/changes?sort=waiting&limit=100"
POLLED = ("/admin/overview", "/admin/crashes")


def arguments() -> argparse.ArgumentParser:
    parser = options(__doc__)
    parser.set_defaults(rounds=5)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--rate", type=int, default=250, help="events a second, of all users")
    parser.add_argument("--turn", type=float, default=10.0, help="seconds of each turn")
    parser.add_argument("--observe", type=int, metavar="PORT", help=argparse.SUPPRESS)
    return parser


async def ask(port: int, path: str) -> int:
    """Read the whole answer; its bytes."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {LOOK}\r\n\r\n"
    )
    size = 0
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(request.encode())
        async for data in stream:
            if size == 0 and b" 200 " not in data[:15]:
                raise SystemExit(f"{path}: {data[:100]!r}")
            size += len(data)
    return size


async def poll(port: int, path: str) -> None:
    while True:
        await ask(port, path)
        await trio.sleep(EVERY)


async def observe(port: int) -> None:
    """Look while the last line of stdin says so."""
    looking = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        async for line in trio.wrap_file(sys.stdin):
            looking.cancel()
            if line.strip() == WITH:
                looking = await nursery.start(look, port)
        nursery.cancel_scope.cancel()


async def look(port: int, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
    async with trio.open_nursery() as nursery:
        task_status.started(nursery.cancel_scope)
        nursery.start_soon(ask, port, STREAMED)
        for path in POLLED:
            nursery.start_soon(poll, port, path)


class OfTurns(list[float]):
    """Takes what is added to it into the list of the present turn."""

    def __init__(self) -> None:
        self.began = trio.Event()
        self.turns: list[tuple[str, list[float]]] = [("begin", [])]

    def begin(self, row: str) -> None:
        self.turns.append((row, []))

    def __iadd__(self, values: Iterable[float]) -> Self:  # type: ignore[misc]  # of a list's kinds
        self.turns[-1][1].extend(values)
        self.began.set()
        return self


async def measure(
    server: Server, observers: subprocess.Popen[str], chosen: argparse.Namespace, table: Table
) -> None:
    every = chosen.users / chosen.rate
    seconds = chosen.turn * (2 * chosen.rounds + 1)
    order = Order(max(round(seconds / every), 1), every=every, acked=True, rest=REST)
    latencies = OfTurns()
    crowd = Crowd(server, chosen.users, order, latencies)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turns, latencies, observers, chosen)
        await crowd.run()
        nursery.cancel_scope.cancel()
    if observers.poll() is not None:
        raise Failed("the observers have ended")
    if crowd.acked < chosen.users:
        raise Failed(f"{crowd.acked} of {chosen.users} users have all events")
    for row, found in latencies.turns[1 : 2 * chosen.rounds + 1]:
        cuts = statistics.quantiles(found, n=100)
        table.add(row, {"events": len(found), "p50 ms": cuts[49], "p99 ms": cuts[98]})


async def take_turns(
    latencies: OfTurns, observers: subprocess.Popen[str], chosen: argparse.Namespace
) -> None:
    assert observers.stdin is not None
    await latencies.began.wait()
    for number in range(chosen.rounds):
        for row in (WITHOUT, WITH) if number % 2 == 0 else (WITH, WITHOUT):
            show(f"round {number + 1} of {chosen.rounds}: {row}")
            observers.stdin.write(f"{row}\n")
            observers.stdin.flush()
            latencies.begin(row)
            await trio.sleep(chosen.turn)
    latencies.begin("end")


def main() -> None:
    chosen = arguments().parse_args()
    if chosen.observe:
        trio.run(observe, chosen.observe)
        return
    allow_sockets(chosen.users)
    title = f"{chosen.users:,} users, {chosen.rate:,} events/s in all, turns of {chosen.turn:g} s"
    table = Table(title, WITHOUT)
    gc.disable()  # its pauses would be the clients'
    with running(SQLITE, chosen.directory) as server:
        command = [sys.executable, __file__, "--observe", str(server.port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as observers:
            trio.run(measure, server, observers, chosen, table)
            observers.kill()
    show("")
    finish([table], chosen)


if __name__ == "__main__":
    main()
