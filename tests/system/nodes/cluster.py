"""Nodes of one service, each with a link of its own to one Postgres or Redis."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.error import HTTPError

import attrs
import trio
from trio_websocket import HandshakeError

from greenroom.testing.slow_link import SlowLink, open_slow_link
from greenroom.transport.auth.tokens import sign_token
from tests.system.nodes.engines import Engine
from tests.system.processes import SECRET, Place, Process, free_port
from tests.system.tab import Frame, Tab

PACED: Final = "tests.system.paced_server"


@attrs.define(eq=False)
class Node:
    """One process after the other, at one port. `url`: of the journal, through the link."""

    place: Place
    link: SlowLink
    url: str
    _nursery: trio.Nursery
    _process: Process | None = None

    @property
    def port(self) -> int:
        return self.place.port

    @property
    def process(self) -> Process:
        assert self._process is not None
        return self._process

    async def start(self) -> None:
        self._process = await self._nursery.start(self._live)
        await self.process.until_listening()

    async def kill(self) -> None:
        self.process.handle.kill()
        await self.process.ended()

    async def stop(self) -> None:
        """In order."""
        os.kill(self.process.handle.pid, signal.SIGTERM)
        assert await self.process.ended() == 0, self.process.output.decode()

    async def freeze(self, seconds: float) -> None:
        self.process.handle.send_signal(signal.SIGSTOP)
        await trio.sleep(seconds)
        self.process.handle.send_signal(signal.SIGCONT)

    async def readiness(self) -> tuple[int, str]:
        return await trio.to_thread.run_sync(self._probe)

    def _probe(self) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz") as answer:
                return int(answer.status), answer.read().decode()
        except HTTPError as refused:
            return refused.code, refused.read().decode()

    async def _live(self, *, task_status: trio.TaskStatus[Process]) -> None:
        async with self.place.process(self.url) as process:
            task_status.started(process)
            await process.handle.wait()


@attrs.frozen
class Cluster:
    nodes: Sequence[Node]
    engine: Engine

    @property
    def place(self) -> Place:
        """All nodes have one ledger."""
        return self.nodes[0].place

    async def end_of_runs(self, user: str) -> int:
        """Wait until no run of the user is open. The last offset then."""
        last = None
        while last is None:
            await trio.sleep(RETRY_SECONDS)
            last = await trio.to_thread.run_sync(self.engine.end_of_runs, user)
        return last

    async def start(self) -> None:
        """All at once. The first one makes the tables."""
        async with trio.open_nursery() as nursery:
            for node in self.nodes:
                nursery.start_soon(node.start)


@asynccontextmanager
async def open_cluster(
    folder: Path,
    engine: Engine,
    *,
    nodes: int = 3,
    lease: float = 10.0,
    **environ: str,
) -> AsyncIterator[Cluster]:
    """The nodes are not started yet."""
    environ = {"LEASE": str(lease), "AGENT": PACED, **environ}
    async with AsyncExitStack() as stack:
        made = []
        nursery = await stack.enter_async_context(trio.open_nursery())
        for _ in range(nodes):
            link = await stack.enter_async_context(open_slow_link(engine.port))
            place = Place(folder, free_port(), "nodes/node_server.py", environ)
            made.append(Node(place, link, engine.url(link.port), nursery))
        try:
            yield Cluster(made, engine)
        finally:
            nursery.cancel_scope.cancel()


RETRY_SECONDS: Final = 0.2


@attrs.define
class NodeTab(Tab):
    """A node may send again what it does not know that another one has sent."""

    def _fresh(self, frame: Frame) -> list[Frame]:
        events: list[Frame] = frame["events"]
        known = self.offset or 0
        for event in events:
            if event["offset"] <= known:
                assert self.seen[event["offset"] - 1]["id"] == event["id"], "it is the same event"
        fresh = [event for event in events if event["offset"] > known]
        assert not fresh or fresh[0]["offset"] == known + 1, "none is left out"
        return fresh


def tab_of(user: str, node: Node) -> NodeTab:
    return NodeTab("127.0.0.1", node.port, sign_token(SECRET, user, 600))


@asynccontextmanager
async def soon_connected(tab: Tab, seconds: float) -> AsyncIterator[None]:
    """Connected within that time: a node that stands still takes no one, and one that lost its
    lease says when to come again. Raises `OSError`."""
    with trio.CancelScope(deadline=trio.current_time() + seconds) as scope:
        async with AsyncExitStack() as stack:
            while not await _is_in(tab, stack):
                pass
            scope.deadline = float("inf")
            yield
            return
    raise ConnectionResetError("the node does not answer")


async def _is_in(tab: Tab, stack: AsyncExitStack) -> bool:
    is_in = False
    try:
        await stack.enter_async_context(tab.connected())
        is_in = True
    except* (OSError, HandshakeError):
        await trio.sleep(RETRY_SECONDS)
    return is_in


async def wait_out(link: SlowLink, seconds: float) -> None:
    """The network is gone for so long; then every connection over it has broken."""
    link.stall()
    await trio.sleep(seconds)
    link.cut()
    link.flow()
