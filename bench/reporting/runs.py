"""The commands whose figures the page shows, and what is asked of them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Final

import attrs
from side_by_side.cluster import named
from side_by_side.server import BENCH, MEMORY, PEER, SQLITE
from side_by_side.table import Table

CPU, RATE = "CPU µs/event", "events/s"
CHANNEL = "Each beside a task that reads a trio memory channel."
OPCODES = "A busy machine does not change these counts."
BOUNDS = "It ends with 1 where a bound is passed."
SEVERAL = "--nodes 1 2 4 --rounds 3 --seconds 10"


@attrs.frozen
class Run:
    """A command of the report. `plain`: it writes no tables, so its output is shown as it is."""

    title: str
    command: str
    note: str = ""
    plain: bool = False

    @property
    def arguments(self) -> list[str]:
        return shlex.split(self.command)

    @property
    def script(self) -> Path:
        return BENCH.parent / self.arguments[0]


RUNS: Final = {
    "lone": Run("Event after event", "bench/delivery.py"),
    "stages": Run("Where an event's time goes", "bench/stages.py", plain=True),
    "steps": Run(
        "What an event takes in Python", "bench/steps.py --functions 12", OPCODES, plain=True
    ),
    "burst_steps": Run(
        "What each of sixteen at a time takes",
        "bench/steps.py --burst 16 --events 128 --functions 0",
        plain=True,
    ),
    "burst": Run("Sixteen events at a time", "bench/delivery.py --burst 16 --events 640"),
    "paced": Run("At a pace", "bench/delivery.py --every 0.05 --events 100"),
    "one": Run("One user, one run", "bench/delivery.py --users 1 --events 4000"),
    "streams": Run("Streams of tokens", "bench/streams.py --rounds 3"),
    "connects": Run("Connects", "bench/storm.py --idle 0 --rounds 3"),
    "connect_steps": Run(
        "What a connect takes in Python",
        "bench/steps.py --connects 200 --functions 12",
        OPCODES,
        plain=True,
    ),
    "idle": Run(
        "Idle connections",
        "bench/storm.py --connects 0 --idle 10000 --hold 10 --rounds 1",
        "One round: ten thousand connects take each server half a minute, and what they hold is "
        "the same each time.",
    ),
    "load": Run("Latency", "bench/load.py --rounds 3"),
    "journal": Run("The journal", "bench/journal.py"),
    "connections": Run(
        "From one connection to ten thousand", "bench/connections.py --large --rounds 3"
    ),
    "stored": Run("Ten million events stored", "bench/stored.py --large --rounds 3"),
    "actors": Run("Actors", "bench/actors.py", CHANNEL, True),
    "supervision": Run("Supervision", "bench/supervision.py", "Each beside bare tasks.", True),
    "neighbours": Run("Neighbours of a hostile user", "bench/neighbours.py", BOUNDS, True),
    "observers": Run(
        "Observers",
        "bench/observers.py --rounds 10",
        "1,000 users, without and with three observers by turns.",
    ),
    "cluster": Run("Several nodes on Postgres", f"bench/cluster.py --engines Postgres {SEVERAL}"),
    "redis": Run("Several nodes on Redis", f"bench/cluster.py --engines Redis {SEVERAL}"),
    "upkeep": Run("Upkeep of a journal", "bench/upkeep.py", plain=True),
}


@attrs.frozen
class Cell:
    """Where a figure stands in a table."""

    subject: str
    column: str


@attrs.frozen
class Promise:
    """A figure as a multiple of another one of the same run, or `absolute`; and its limits.

    `at_least`: more is better. `table`: which of the run's tables both stand in.
    """

    figure: str
    run: str
    of: Cell
    against: Cell
    floor: float
    aim: float
    at_least: bool = False
    absolute: bool = False
    table: int = 0

    @property
    def limits(self) -> tuple[float, float]:
        return self.floor, self.aim

    def measured(self, tables: list[Table]) -> tuple[float, float] | None:
        """The figure and the other one; None if one is missing."""
        if len(tables) <= self.table:
            return None
        table = tables[self.table]
        own = table.median(self.of.subject, self.of.column)
        other = table.median(self.against.subject, self.against.column)
        return (own, other) if own is not None and other else None

    def meets(self, own: float, other: float, limit: float) -> bool:
        value = own if self.absolute else own / other
        return value >= limit if self.at_least else value <= limit


def beside_peer(
    figure: str, run: str, of: str, column: str, floor: float, aim: float, **more: Any
) -> Promise:
    return Promise(figure, run, Cell(of, column), Cell(PEER, column), floor, aim, **more)


PROMISES: Final = [
    beside_peer("a lone durable event, CPU µs", "lone", SQLITE, CPU, 2.0, 1.4),
    beside_peer("the same, memory", "lone", MEMORY, CPU, 1.4, 1.0),
    beside_peer("100 users, 20 events/s each, durable, CPU µs", "paced", SQLITE, CPU, 1.4, 1.1),
    beside_peer("16 at a time, durable, CPU µs", "burst", SQLITE, CPU, 0.9, 0.65),
    beside_peer(
        "200 users × 50 tokens/s, durable, CPU µs a token", "streams", SQLITE, CPU, 0.6, 0.25
    ),
    beside_peer(
        "one run, event after event awaited, durable, events/s",
        *("one", SQLITE, RATE, 0.05, 0.08),
        at_least=True,
    ),
    beside_peer("the same, memory", "one", MEMORY, RATE, 0.35, 0.5, at_least=True),
    beside_peer("a connect, CPU µs", "connects", SQLITE, "CPU µs/connect", 2.5, 1.8),
    beside_peer(
        "an idle user, KiB (10,000 held)", "idle", SQLITE, "KiB each", 40, 32, absolute=True
    ),
    beside_peer("1,000 events/s over 1,000 users, CPU µs", "load", SQLITE, CPU, 1.7, 1.3, table=1),
    beside_peer("the same, p99 ms", "load", SQLITE, "p99 ms", 12, 5, table=1),
    Promise(
        "a lone journal append, CPU µs",
        *("journal", Cell("greenroom", CPU), Cell("sqlite3", CPU), 2.0, 1.3),
    ),
    Promise(
        "10,000 users beside 100, CPU µs",
        *("connections", Cell(SQLITE, "10,000"), Cell(SQLITE, "100"), 1.4, 1.1),
    ),
    Promise(
        "10,000,000 events stored beside none, CPU µs",
        *("stored", Cell("10,000,000 stored", CPU), Cell("nothing stored", CPU), 1.4, 1.1),
    ),
    Promise(
        "three observers open beside none, p99 ms",
        *("observers", Cell("three observers", "p99 ms"), Cell("no observer", "p99 ms"), 1.1, 1.0),
    ),
    Promise(
        "one node on Postgres beside SQLite, 16 at a time, CPU µs",
        *("cluster", Cell(named("Postgres", 1), CPU), Cell(SQLITE, CPU), 1.6, 1.3),
    ),
    Promise(
        "four nodes beside one, 16 at a time, CPU µs",
        *("cluster", Cell(named("Postgres", 4), CPU), Cell(named("Postgres", 1), CPU), 1.3, 1.1),
    ),
    Promise(
        "an event to another node beside one to the same, two nodes, p99 ms",
        *(
            "cluster",
            Cell(named("Postgres", 2), "p99 elsewhere"),
            Cell(named("Postgres", 2), "p99 ms"),
            3.0,
            2.0,
        ),
        table=2,
    ),
    Promise(
        "four nodes on Redis beside one, 16 at a time, CPU µs",
        *("redis", Cell(named("Redis", 4), CPU), Cell(named("Redis", 1), CPU), 1.3, 1.1),
    ),
    Promise(
        "an event to another node beside one to the same, two nodes on Redis, p99 ms",
        *("redis", Cell(named("Redis", 2), "p99 elsewhere"), Cell(named("Redis", 2), "p99 ms")),
        *(3.0, 2.0),
        table=2,
    ),
]
