"""Nodes are killed, frozen and cut off, and Postgres is restarted, under users who wander."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio
from side_by_side.postgres import PostgresServer
from trio_websocket import ConnectionClosed, HandshakeError

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import RUN_ENDS
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES
from tests.system.nodes.cluster import (
    Cluster,
    Node,
    NodeTab,
    open_cluster,
    soon_connected,
    tab_of,
    wait_out,
)

pytestmark = NEEDS_POSTGRES

SEED: Final = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
ROUNDS: Final = int(os.environ.get("CHAOS_ROUNDS", "1"))
USERS: Final = int(os.environ.get("CHAOS_USERS", "25"))
RETRY_SECONDS = 0.2
PATIENCE = 3.0
LEASE = 1.0
PACE = {"PIECES": "8", "PACE": "0.25"}


@attrs.define
class Weather:
    is_over: bool = False


class Gone(Exception):
    """The socket ended."""


@attrs.define
class Wanderer:
    """A user who speaks, reads a while, is cut, comes back at any node, and keeps count."""

    user: str
    tab: NodeTab
    nodes: Sequence[Node]
    weather: Weather
    chance: random.Random
    said: list[str] = attrs.field(factory=list)
    answered: int = 0

    async def live(self) -> None:
        while not self.weather.is_over:
            self.tab.port = self.chance.choice(self.nodes).port
            try:
                async with soon_connected(self.tab, PATIENCE):
                    await self._talk()
            except* (OSError, HandshakeError, ConnectionClosed, trio.BrokenResourceError, Gone):
                await trio.sleep(RETRY_SECONDS)

    async def _talk(self) -> None:
        """A `say` that has no answer, or is refused for now, is said again at another node."""
        if len(self.said) == self.answered:
            self.said.append(f"{self.user} {len(self.said)}")
        say, replies = self.said[-1], self.tab.replies
        replies.pop(say, None)
        await self.tab.send(type="say", id=say, body=self.user)
        with trio.move_on_after(self.chance.uniform(0.1, 3)):
            await self._until(lambda: say in replies)
            assert replies[say]["ok"] or replies[say]["error"]["temporary"], replies[say]
            self.answered += replies[say]["ok"]
            await self._until(lambda: False)

    async def _until(self, condition: Callable[[], bool]) -> None:
        await self.tab.until(lambda: condition() or self.tab.is_over)
        if self.tab.is_over:
            raise Gone

    async def catch_up(self) -> None:
        self.tab.port = self.chance.choice(self.nodes).port
        async with soon_connected(self.tab, 60):
            await self.tab.until_offset(self.tab.readies[-1]["offset"])
            await self.tab.until(lambda: self.has_ended)

    @property
    def has_ended(self) -> bool:
        """Every run was ended for its user."""
        runs = {event["run"] for event in self.tab.seen}
        return runs == {event["run"] for event in self.tab.seen if event["kind"] in RUN_ENDS}


@attrs.frozen
class Trouble:
    """What goes wrong, and is over when the call returns."""

    cluster: Cluster
    server: PostgresServer
    chance: random.Random

    @property
    def node(self) -> Node:
        return self.chance.choice(self.cluster.nodes)

    async def kill_a_node(self) -> None:
        node = self.node
        await node.kill()
        await trio.sleep(self.chance.uniform(0, LEASE))
        await node.start()

    async def freeze_a_node(self) -> None:
        await self.node.freeze(self.chance.uniform(0.5, 2) * LEASE)

    async def freeze_a_node_beyond_its_lease(self) -> None:
        await self.node.freeze(LEASE + 2)

    async def break_connections(self) -> None:
        self.node.link.cut()

    async def cut_a_node_off(self) -> None:
        await wait_out(self.node.link, self.chance.uniform(0.1, 0.5) * LEASE)

    async def cut_a_node_off_beyond_its_lease(self) -> None:
        await wait_out(self.node.link, LEASE + 2)

    async def slow_a_node_down(self) -> None:
        link = self.node.link
        link.latency = 0.1
        await trio.sleep(1)
        link.latency = 0.0

    async def restart_postgres(self) -> None:
        await trio.to_thread.run_sync(self.server.stop)
        await trio.sleep(self.chance.uniform(0, 1))
        await trio.to_thread.run_sync(self.server.start)

    def drawn(self) -> list[Callable[[], Awaitable[None]]]:
        """Each of them, in some order."""
        each = [
            *(self.kill_a_node, self.freeze_a_node, self.freeze_a_node_beyond_its_lease),
            *(self.break_connections, self.cut_a_node_off, self.cut_a_node_off_beyond_its_lease),
            *(self.slow_a_node_down, self.restart_postgres),
        ]
        return self.chance.sample(each, len(each))


async def go_wrong(trouble: Trouble) -> None:
    """Between two troubles something is accepted: the service went on."""
    for _ in range(ROUNDS):
        for happens in trouble.drawn():
            print("trouble:", happens.__name__)
            await happens()
            await trouble.cluster.place.accept(trouble.chance.randrange(1, 50))


@pytest.mark.requirement("R34", "R35", "R23")
async def test_whatever_happens_to_three_nodes_nothing_is_lost_or_shown_twice_and_runs_end_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print(f"CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    with PostgresServer.alone("fsync = off", "max_connections = 200") as server:
        async with open_cluster(tmp_path, server, "chaos", lease=LEASE, **PACE) as cluster:
            await cluster.start()
            weather, nodes = Weather(), cluster.nodes
            users = [f"user-{number}" for number in range(USERS)]
            storms = [
                Wanderer(
                    user, tab_of(user, nodes[0]), nodes, weather, random.Random(f"{SEED} {user}")
                )
                for user in users
            ]
            with trio.fail_after(300 * ROUNDS):  # each wait within ends by itself
                async with trio.open_nursery() as people:
                    for storm in storms:
                        people.start_soon(storm.live)
                    await go_wrong(Trouble(cluster, server, chance))
                    weather.is_over = True
                async with trio.open_nursery() as people:
                    for storm in storms:
                        people.start_soon(storm.catch_up)
            await check(cluster, storms)
    with capsys.disabled():
        seen = sum(len(storm.tab.seen) for storm in storms)
        connects = sum(len(storm.tab.readies) for storm in storms)
        accepted = len(cluster.place.ledger)
        print(
            f"\nchaos of nodes: {accepted:,} events accepted, {seen:,} shown, {connects:,} connects"
        )


async def check(cluster: Cluster, storms: Sequence[Wanderer]) -> None:
    from greenroom.delivery.journal.postgres.journal import open_postgres_journal

    kept: set[str] = set()
    async with open_postgres_journal(cluster.url) as journal:
        for storm in storms:
            user, tab = UserId.parse(storm.user), storm.tab
            records = await journal.read(user, after=0, limit=1_000_000, max_bytes=1 << 30)
            kept |= {f"{user} {record.offset} {record.id}" for record in records}
            shown = [(event["offset"], event["id"]) for event in tab.seen]
            assert shown == [(record.offset, record.id) for record in records], "each once"
            assert await journal.open_runs(user) == []
            ends = Counter(record.run for record in records if record.kind in RUN_ENDS)
            assert ends == Counter({record.run for record in records}), "each run ended once"
            said = [event["data"]["say"] for event in tab.seen if event["kind"] == "user_said"]
            assert len(said) == len(set(said)), "no say ran twice"
            assert set(storm.said[: storm.answered]) <= set(said)
            lost = [ready for ready in tab.readies[1:] if not ready["recovered"]]
            assert lost == [], "no place was lost"
            texts = {e["data"]["text"] for e in tab.seen if e["kind"] == "partial_result"}
            assert texts <= {storm.user}, "nobody saw what was another's"
    assert set(cluster.place.ledger) <= kept, "what was accepted is kept"
