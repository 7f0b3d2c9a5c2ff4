"""Several servers of greenroom on one journal in Postgres, and the CPU time of both."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from side_by_side.client import Client
from side_by_side.postgres import PostgresServer
from side_by_side.server import POSTGRES, SQLITE, Server, running


@attrs.frozen
class Cluster:
    """Servers with the same journal. User `n` is on the server `n % nodes`."""

    servers: tuple[Server, ...]
    postgres: PostgresServer | None = None
    database: str = ""

    @property
    def nodes(self) -> int:
        return len(self.servers)

    async def connect(self, number: int) -> Client:
        """As of a `Server`."""
        return await self.servers[number % self.nodes].connect(number)

    async def connect_elsewhere(self, number: int) -> Client:
        """The same user on the next server; on the same one if there is no other."""
        return await self.servers[(number + 1) % self.nodes].connect(number)

    def cpu_seconds(self) -> float:
        """Of all servers."""
        return sum(each.cpu_seconds() for each in self.servers)

    def engine_seconds(self) -> float:
        """Of Postgres."""
        return _engine_seconds(self.postgres) if self.postgres else 0.0

    def disk_bytes(self) -> int:
        """Of the database."""
        return self.postgres.bytes(self.database) if self.postgres else 0


def named(nodes: int) -> str:
    """The row of a table; of no nodes, of a server on SQLite."""
    return f"Postgres, {nodes} node{'s' if nodes > 1 else ''}" if nodes else SQLITE


@contextmanager
def on_postgres(postgres: PostgresServer, nodes: int) -> Iterator[Cluster]:
    """Start servers on a new database, one after the other."""
    name = f"bench{time.monotonic_ns()}"
    url = postgres.url(name)
    with ExitStack() as stack:
        servers = [stack.enter_context(running(POSTGRES, journal=url)) for _ in range(nodes)]
        yield Cluster(tuple(servers), postgres, name)


def _engine_seconds(postgres: PostgresServer) -> float:
    """User and system time of Postgres, of the processes that have ended as well (proc(5)): in
    steps of 10 ms."""
    own = _times(postgres.pid)
    children = Path(f"/proc/{postgres.pid}/task/{postgres.pid}/children").read_text().split()
    ticks = sum(own) + sum(sum(_times(int(each))[:2]) for each in children)
    return ticks / os.sysconf("SC_CLK_TCK")


def _times(pid: int) -> list[int]:
    """In ticks: utime, stime, and those of children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it has just ended
        return [0, 0, 0, 0]
    return [int(each) for each in fields[11:15]]
