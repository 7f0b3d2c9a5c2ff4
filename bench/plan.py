"""What a number of connected users needs, computed from what the other benchmarks measured.

The constants are those of docs/performance.json: KiB of an idle connection and CPU of a connect
(`bench/storm.py`), and what an event costs a node and Postgres and takes on its disk
(`bench/cluster.py`, event after event on four nodes). The rest is arithmetic: each figure is that
of the cores that were measured, and no network, load balancer or backup is in it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
from reporting.page import Data, tables_of
from side_by_side.cluster import named
from side_by_side.server import BENCH, SQLITE

DATA = BENCH.parent / "docs" / "performance.json"
DAY = 24 * 60 * 60
CONNECTIONS = 5
"""Of a node to Postgres: one that writes, two that answer questions, two for wake-ups."""


class NotMeasured(Exception):
    """A constant is missing; the message names the command."""


@attrs.frozen
class Constants:
    """What was measured, on one core. `event`, `connect`: CPU µs of a node; `engine`:
    of Postgres."""

    idle_kib: float
    connect: float
    event: float
    engine: float
    disk: float

    @classmethod
    def of(cls, data: Data) -> Constants:
        """Raises `NotMeasured`."""
        return cls(
            _figure(data, "idle", 0, SQLITE, "KiB each"),
            _figure(data, "connects", 0, SQLITE, "CPU µs/connect"),
            _figure(data, "cluster", 1, named("Postgres", 4), "CPU µs/event"),
            _figure(data, "cluster", 1, named("Postgres", 4), "the engine's"),
            _figure(data, "cluster", 1, named("Postgres", 4), "bytes/event"),
        )


@attrs.frozen
class Habits:
    """What a connected user is taken to do. `busy`: the share of a core that is planned for."""

    events_a_minute: float = 2.0
    connects_an_hour: float = 6.0
    busy: float = 0.5
    node_users: int = 20_000
    engine_cores: int = 32
    kept_days: int = 30


HABITS = Habits()
SIZES = (10_000, 100_000, 1_000_000)


@attrs.frozen
class Plan:
    """For a number of connected users."""

    users: int
    habits: Habits
    constants: Constants

    @property
    def events(self) -> float:
        """A second."""
        return self.users * self.habits.events_a_minute / 60

    @property
    def connects(self) -> float:
        """A second."""
        return self.users * self.habits.connects_an_hour / 3600

    @property
    def node_cores(self) -> float:
        work = self.events * self.constants.event + self.connects * self.constants.connect
        return work / 1e6 / self.habits.busy

    @property
    def nodes(self) -> int:
        """A process has one core. One more than needed, so that one may be away."""
        return max(math.ceil(self.node_cores), math.ceil(self.users / self.habits.node_users)) + 1

    @property
    def engine_cores(self) -> float:
        return self.events * self.constants.engine / 1e6 / self.habits.busy

    @property
    def shards(self) -> int:
        return math.ceil(self.engine_cores / self.habits.engine_cores)

    def rows(self) -> Iterator[tuple[str, str]]:
        a_node = self.users / self.nodes
        memory = a_node * self.constants.idle_kib / 2**20
        disk = self.events * self.constants.disk * DAY
        days = self.habits.kept_days
        yield "events a second", f"{self.events:,.0f}"
        yield "nodes, with one to spare", f"{self.nodes:,}"
        yield "connections a node", f"{a_node:,.0f}"
        yield "memory of a node's connections, GiB", f"{memory:.2f}"
        yield "cores of Postgres", f"{self.engine_cores:,.1f}"
        yield f"shards of {self.habits.engine_cores} cores", f"{self.shards:,}"
        yield "connections to Postgres, a shard", f"{self.nodes / self.shards * CONNECTIONS:,.0f}"
        yield "disk of Postgres a day, GB", f"{disk / 1e9:,.0f}"
        yield f"and of {days} days, TB", f"{disk * days / 1e12:,.1f}"
        yield "seconds until a lost node's users are back", f"{self.seconds_back():,.0f}"

    def seconds_back(self) -> float:
        """The others accept them beside their own work, up to a whole core."""
        spare = (self.nodes - 1) * (1 - self.habits.busy)
        return self.users / self.nodes * self.constants.connect / 1e6 / spare


def table(data: Data, habits: Habits = HABITS, sizes: Sequence[int] = SIZES) -> str:
    """Markdown. Raises `NotMeasured`."""
    plans = [Plan(users, habits, Constants.of(data)) for users in sizes]
    heads = [f"{users:,}" for users in sizes]
    lines = [["connected users", *heads], ["---"] * (len(heads) + 1)]
    for rows in zip(*(plan.rows() for plan in plans), strict=True):
        lines.append([rows[0][0], *(value for _, value in rows)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _figure(data: Data, run: str, table: int, row: str, column: str) -> float:
    tables = tables_of(data, run)
    found = tables[table].median(row, column) if len(tables) > table else None
    if found is None:
        raise NotMeasured(f"`python bench/report.py --only {run}` has not been run")
    return found


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=SIZES)
    parser.add_argument("--data", type=Path, default=DATA, help="figures of the report")
    for field in attrs.fields(Habits):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=type(field.default), default=field.default)
    return parser


def main() -> None:
    options: dict[str, Any] = vars(arguments().parse_args())
    sizes, path = options.pop("users"), options.pop("data")
    try:
        print(table(json.loads(path.read_text()), Habits(**options), sizes))
    except NotMeasured as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
