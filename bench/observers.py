"""What observers cost the users whom they watch: the way of an event from emit to client, without
and with three observers open, by many short turns under one load of one server.

One observer has the tree open, as a stream; one the overview, and one the crashes, which it asks
for every five seconds, as the page does. They are a process of their own, so the clients' clock is
not disturbed by what they read. A turn has one look of each, at a moment of its own. A round is
without, with, with, without: what drifts meanwhile is the same for both. Every event counts.

`paired p99 ×` is the median, over all pairs of turns beside each other, of the p99 with observers
as a multiple of that without. With `--blind` no one looks in either turn: the measure's own noise.
"""

from __future__ import annotations

import argparse
import gc
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Self

import attrs
import trio
from side_by_side.client import LOOK, show
from side_by_side.compare import finish, options
from side_by_side.crowd import Crowd, Failed
from side_by_side.order import Order
from side_by_side.server import SQLITE, Server, allow_sockets, running
from side_by_side.table import Table

WITHOUT, WITH = "no observer", "three observers"
ROUND = (WITHOUT, WITH, WITH, WITHOUT)
REST = 1.0
EVERY = 5.0
"""Seconds between two looks of the page, and of a turn."""

STREAMED = "/admin/nodes/changes?sort=waiting&limit=100"
POLLED = ("/admin/overview", "/admin/crashes")


def arguments() -> argparse.ArgumentParser:
    parser = options(__doc__)
    parser.set_defaults(rounds=2)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--rate", type=int, default=200, help="events a second, of all users")
    parser.add_argument("--blind", action="store_true", help="no one looks: the noise alone")
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


async def poll(port: int, path: str, phase: float) -> None:
    await trio.sleep(phase)
    while True:
        await ask(port, path)
        await trio.sleep(EVERY)


async def observe(port: int) -> None:
    """Look while the last line of stdin says so."""
    looking, phases = trio.CancelScope(), random.Random(port)
    async with trio.open_nursery() as nursery:
        async for line in trio.wrap_file(sys.stdin):
            looking.cancel()
            if line.strip() == WITH:
                looking = await nursery.start(look, port, phases)
        nursery.cancel_scope.cancel()


async def look(
    port: int, phases: random.Random, task_status: trio.TaskStatus[trio.CancelScope]
) -> None:
    async with trio.open_nursery() as nursery:
        task_status.started(nursery.cancel_scope)
        nursery.start_soon(ask, port, STREAMED)
        for path in POLLED:
            nursery.start_soon(poll, port, path, phases.uniform(0, EVERY))


@attrs.define
class Turn:
    """What arrived in it, in ms since the emit; and the seconds of CPU that the server used."""

    row: str
    latencies: list[float] = attrs.field(factory=list)
    cpu: float = 0.0

    @property
    def p99(self) -> float:
        return percentiles(self.latencies)[98]


class OfTurns(list[float]):
    """Takes what is added to it into the list of the present turn."""

    def __init__(self) -> None:
        self.began = trio.Event()
        self.turns = [Turn("begin")]

    def __iadd__(self, values: Iterable[float]) -> Self:  # type: ignore[misc]  # of a list's kinds
        self.turns[-1].latencies.extend(values)
        self.began.set()
        return self


async def measure(
    server: Server, observers: subprocess.Popen[str], chosen: argparse.Namespace, table: Table
) -> None:
    every, turns = chosen.users / chosen.rate, len(ROUND) * chosen.rounds
    events = math.ceil(EVERY * (turns + 1) / every)
    order = Order(events, every=every, acked=True, rest=REST)
    latencies, took = OfTurns(), time.monotonic()
    crowd = Crowd(server, chosen.users, order, latencies)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turns, server, latencies, observers, chosen)
        await crowd.run()
        nursery.cancel_scope.cancel()
    if observers.poll() is not None:
        raise Failed("the observers have ended")
    if crowd.acked < chosen.users:
        raise Failed(
            f"after {time.monotonic() - took:.0f} s {crowd.acked:,} of {chosen.users:,} users "
            f"have all events: {crowd.failures.most_common(3)}"
        )
    if len(latencies.turns) < turns + 2:
        raise Failed(f"the load ended after {len(latencies.turns) - 2} of {turns} turns")
    fill(table, latencies.turns[1 : turns + 1])


def fill(table: Table, turns: list[Turn]) -> None:
    for row in (WITHOUT, WITH):
        mine = [turn for turn in turns if turn.row == row]
        found = [each for turn in mine for each in turn.latencies]
        cuts = percentiles(found)
        cpu = sum(turn.cpu for turn in mine) / len(found) * 1e6
        table.add(
            row, {"events": len(found), "p50 ms": cuts[49], "p99 ms": cuts[98], "CPU µs/event": cpu}
        )
    for pair in zip(turns[::2], turns[1::2], strict=True):
        p99 = {turn.row: turn.p99 for turn in pair}
        table.add(WITHOUT, {"paired p99 ×": 1.0})
        table.add(WITH, {"paired p99 ×": p99[WITH] / p99[WITHOUT]})


def percentiles(found: list[float]) -> list[float]:
    return statistics.quantiles(found, n=100)


async def take_turns(
    server: Server,
    latencies: OfTurns,
    observers: subprocess.Popen[str],
    chosen: argparse.Namespace,
) -> None:
    assert observers.stdin is not None
    await latencies.began.wait()
    for number in range(chosen.rounds):
        for row in ROUND:
            show(f"round {number + 1} of {chosen.rounds}: {row}")
            observers.stdin.write(f"{WITHOUT if chosen.blind else row}\n")
            observers.stdin.flush()
            turn, before = Turn(row), server.cpu_seconds()
            latencies.turns.append(turn)
            await trio.sleep(EVERY)
            turn.cpu = server.cpu_seconds() - before
    latencies.turns.append(Turn("end"))


def main() -> None:
    chosen = arguments().parse_args()
    if chosen.observe:
        trio.run(observe, chosen.observe)
        return
    allow_sockets(chosen.users)
    turns = len(ROUND) * chosen.rounds
    title = f"{chosen.users:,} users, {chosen.rate:,} events/s in all, {turns} turns of {EVERY:g} s"
    table = Table(title, WITHOUT)
    gc.disable()  # its pauses would be the clients'
    with running(SQLITE, chosen.directory) as server:
        command = [sys.executable, __file__, "--observe", str(server.port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as observers:
            try:
                trio.run(measure, server, observers, chosen, table)
            except Failed as error:
                raise SystemExit(f"failed: {error}") from error
            finally:
                observers.kill()
    show("")
    finish([table], chosen)


if __name__ == "__main__":
    main()
