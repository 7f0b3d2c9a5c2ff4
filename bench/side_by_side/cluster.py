"""Several servers of greenroom on one journal in a database, and the CPU time of both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import attrs

from side_by_side.client import Client
from side_by_side.engine import Engine
from side_by_side.server import SHARED, Server, running


@attrs.frozen
class Cluster:
    """Servers with the same journal. User `n` is on the server `n % nodes`."""

    servers: tuple[Server, ...]
    engine: Engine | None = None
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
        """Of the database server."""
        return self.engine.seconds() if self.engine else 0.0

    def disk_bytes(self) -> int:
        """Of the database."""
        return self.engine.bytes(self.database) if self.engine else 0


def named(engine: str, nodes: int) -> str:
    """The row of a table."""
    return f"{engine}, {nodes} node{'s' if nodes > 1 else ''}"


@contextmanager
def sharing(engine: Engine, nodes: int) -> Iterator[Cluster]:
    """Start servers on a new database, one after the other."""
    name = f"bench{time.monotonic_ns()}"
    url = engine.url(name)
    with ExitStack() as stack:
        servers = [stack.enter_context(running(SHARED, journal=url)) for _ in range(nodes)]
        yield Cluster(tuple(servers), engine, name)
