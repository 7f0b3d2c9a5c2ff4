"""Nodes are killed, frozen and cut off, and their engine is restarted, under users who wander."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from tests.system.nodes.cluster import (
    Cluster,
    Node,
    open_cluster,
    tab_of,
    wait_out,
)
from tests.system.nodes.engines import ENGINES, Engine, engine_alone
from tests.system.nodes.wanderers import Wanderer, Weather, check

SEED: Final = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
ROUNDS: Final = int(os.environ.get("CHAOS_ROUNDS", "1"))
USERS: Final = int(os.environ.get("CHAOS_USERS", "25"))
LEASE = 1.0
PACE = {"PIECES": "8", "PACE": "0.25"}


@attrs.frozen
class Trouble:
    """What goes wrong, and is over when the call returns."""

    cluster: Cluster
    engine: Engine
    chance: random.Random
    is_brief: bool

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

    async def restart_the_engine(self) -> None:
        await trio.to_thread.run_sync(self.engine.stop)
        await trio.sleep(self.chance.uniform(0, 1))
        await trio.to_thread.run_sync(self.engine.start)

    def drawn(self) -> list[Callable[[], Awaitable[None]]]:
        """Each of them, in some order; on Redis half of them, for want of time."""
        each = [
            *(self.kill_a_node, self.freeze_a_node, self.freeze_a_node_beyond_its_lease),
            *(self.break_connections, self.cut_a_node_off, self.cut_a_node_off_beyond_its_lease),
            *(self.slow_a_node_down, self.restart_the_engine),
        ]
        return self.chance.sample(each, len(each) // (2 if self.is_brief else 1))


async def go_wrong(trouble: Trouble) -> None:
    """Between two troubles something is accepted: the service went on."""
    for _ in range(ROUNDS):
        for happens in trouble.drawn():
            print("trouble:", happens.__name__)
            await happens()
            await trouble.cluster.place.accept(trouble.chance.randrange(1, 50))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.requirement("R34", "R35", "R23")
async def test_whatever_happens_to_three_nodes_nothing_is_lost_or_shown_twice_and_runs_end_once(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print(f"CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    is_brief = kind == "redis" and ROUNDS == 1
    with engine_alone(kind) as engine:
        async with open_cluster(tmp_path, engine, lease=LEASE, **PACE) as cluster:
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
                    await go_wrong(Trouble(cluster, engine, chance, is_brief))
                    weather.is_over = True
                async with trio.open_nursery() as people:
                    for storm in storms:
                        people.start_soon(storm.catch_up, cluster)
            await check(cluster, storms)
    with capsys.disabled():
        seen = sum(len(storm.tab.seen) for storm in storms)
        connects = sum(len(storm.tab.readies) for storm in storms)
        accepted = len(cluster.place.ledger)
        print(
            f"\nchaos of nodes: {accepted:,} events accepted, {seen:,} shown, {connects:,} connects"
        )
