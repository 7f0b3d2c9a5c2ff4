"""What an event takes in Python: calls, calls of C functions and opcodes, by room and by function.

Timings on a shared machine are off by a tenth; these counts are not. They are of all threads of the
server, from an agent's emit to the client's acknowledgement, and leave out system calls and the
time that C functions take. Counting slows a server down, and with it its clocks: so there is no
pace to choose. With `--connects`, that number of users connect instead, and a connect is counted.
With `--callers`, that number of runs emit at once in a runtime beside an asyncio loop, from tasks
of trio and from tasks of asyncio, without a client: the difference is what the border takes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import trio
from side_by_side import crowd as crowds
from side_by_side.compare import server_options
from side_by_side.counting import COUNTED, OPCODES, PYTHON, C
from side_by_side.crossing import ASYNCIO, TRIO
from side_by_side.crowd import Crowd
from side_by_side.order import Order
from side_by_side.sampling import room_of
from side_by_side.server import BENCH, MEMORY, PEER, SQLITE, Server, running
from side_by_side.table import Table
from storm import Storm

Figures = dict[str, float]
AT_ONCE: Final = 10


class CountedServer(Server):
    """Counts from the first time that its CPU time is asked for until the second."""

    def cpu_seconds(self) -> float:
        os.kill(self.pid, signal.SIGUSR1)
        return 0.0


class Steps:
    """Rows of the path and name of a function, what was counted, and the number, in `times`."""

    def __init__(self, title: str, rows: list[list[Any]], times: int) -> None:
        self._title = title
        self._rows = rows
        self._times = times

    def tables(self, functions: int) -> list[Table]:
        """The table of the rooms, and that of the functions with the most opcodes."""
        by_room, by_function = Table(self._title, "all of it"), Table(self._title, "all of it")
        rooms = [(room_of(path) or _library(path), *rest) for path, _, *rest in self._rows]
        _fill(by_room, rooms, self._times)
        names = [(f"{_short(path)}:{name}", *rest) for path, name, *rest in self._rows]
        _fill(by_function, names, self._times, functions)
        return [by_room, by_function] if functions else [by_room]


def of_events(kind: str, users: int, order: Order) -> Steps:
    with _counted(kind) as (server, rows):
        crowd = Crowd(server, users, order)
        trio.run(crowd.run)
    return Steps(f"{kind}: {users} users, {order.events:,} events each", rows, crowd.events)


def of_connects(kind: str, connects: int) -> Steps:
    with _counted(kind) as (server, rows):
        storm = Storm(server)
        trio.run(storm.run, connects, AT_ONCE)
    return Steps(f"{kind}: {connects} connects, {AT_ONCE} at a time", rows, connects)


def of_emits(world: str, callers: int, times: int) -> Steps:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "steps")
        command = [sys.executable, "-m", "side_by_side.counting", "side_by_side.crossing"]
        environment = {**os.environ, COUNTED: str(file)}
        arguments = [world, str(callers), str(times)]
        subprocess.run([*command, *arguments], env=environment, cwd=BENCH, check=True)
        rows = json.loads(file.read_text())
    return Steps(f"emits from {world}: {callers} at once, {times} each", rows, callers * times)


@contextmanager
def _counted(kind: str) -> Iterator[tuple[CountedServer, list[list[Any]]]]:
    """A server, and what it counted, once the block is over."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "steps")
        os.environ[COUNTED] = str(file)
        rows: list[list[Any]] = []
        with running(kind, under=("side_by_side.counting",)) as server:
            yield CountedServer(server.pid, server.port, kind), rows
            while not file.exists():
                time.sleep(0.01)
            rows += json.loads(file.read_text())


def _fill(
    table: Table, rows: list[tuple[str, str, int]], times: int, most: int | None = None
) -> None:
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, what, count in rows:
        sums[name][what] += count
        sums["all of it"][what] += count
    for name, counts in sorted(sums.items(), key=lambda each: -each[1][OPCODES])[:most]:
        table.add(name, {what: counts[what] / times for what in (OPCODES, PYTHON, C)})


def _library(path: str) -> str:
    if path.startswith("<attrs generated"):
        return "making records"
    return "the rest" if path[0] in "/<" else path.split("/")[0]


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:]).removesuffix(".py")


def arguments() -> argparse.ArgumentParser:
    parser = server_options(__doc__)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--events", type=int, default=32, help="events a user gets")
    parser.add_argument("--burst", type=int, default=1, help="tasks of an agent that emit at once")
    parser.add_argument("--acked", type=int, default=4, help="events between a client's acks")
    parser.add_argument("--functions", type=int, default=30, help="how many of them to show")
    parser.add_argument("--connects", type=int, default=0, help="count connects, that number")
    parser.set_defaults(servers=[PEER, MEMORY, SQLITE])
    parser.add_argument("--callers", type=int, default=0, help="count emits of that number of runs")
    return parser


def main() -> None:
    chosen = arguments().parse_args()
    crowds.ACK_EVENTS, crowds.ACK_SECONDS = chosen.acked, math.inf
    order = Order(chosen.events, chosen.burst, stays=True)
    for kind in (TRIO, ASYNCIO) if chosen.callers else chosen.servers:
        if chosen.callers:
            steps = of_emits(kind, chosen.callers, chosen.events)
        elif chosen.connects:
            steps = of_connects(kind, chosen.connects)
        else:
            steps = of_events(kind, chosen.users, order)
        for table in steps.tables(chosen.functions):
            table.print()


if __name__ == "__main__":
    main()
