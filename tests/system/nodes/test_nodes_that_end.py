"""Nodes that are restarted one after the other, and runs that go on after their node was killed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import trio

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import TERMINAL, Event, Kind
from tests.delivery.history.whole_runs import flaws
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES
from tests.delivery.journal.redis_server import NEEDS_REDIS
from tests.system.nodes.cluster import Cluster, open_cluster, soon_connected, tab_of
from tests.system.nodes.engines import engine
from tests.system.nodes.wanderers import Wanderer, Weather, check
from tests.system.processes import Place, eventually
from tests.system.tab import Tab


@pytest.mark.parametrize(
    ("kind", "many", "events"),
    [
        pytest.param("postgres", 3, 6, marks=NEEDS_POSTGRES),
        pytest.param("redis", 2, 4, marks=NEEDS_REDIS),
    ],
)
@pytest.mark.requirement("R27", "R34")
async def test_nodes_are_restarted_one_after_the_other_and_nothing_is_lost_or_shown_twice(
    tmp_path: Path, kind: str, many: int, events: int
) -> None:
    paced = {"PIECES": "5", "PACE": "0.1"}
    async with open_cluster(tmp_path, engine(kind, "rolling"), nodes=many, **paced) as cluster:
        await cluster.start()
        weather, nodes = Weather(), cluster.nodes
        storms = [
            Wanderer(user, tab_of(user, nodes[0]), nodes, weather, random.Random(user))
            for user in ("ann", "bob", "cyd", "dan", "eve", "fay")[: 2 * many]
        ]
        with trio.fail_after(300):
            async with trio.open_nursery() as people:
                for storm in storms:
                    people.start_soon(storm.live)
                for node in nodes:
                    await cluster.place.accept(events)
                    await node.stop()
                    await cluster.place.accept(events)
                    await node.start()
                weather.is_over = True
            async with trio.open_nursery() as people:
                for storm in storms:
                    people.start_soon(storm.catch_up, cluster)
        await check(cluster, storms)
        for storm in storms:
            kinds = [event["kind"] for event in storm.tab.seen]
            assert "agent_failed" not in kinds, "runs had the time to end"
            assert storm.answered > 0


@pytest.mark.requirement("R56")
@pytest.mark.parametrize(
    ("kind", "where", "charged", "payment"),
    [
        pytest.param("postgres", "acted", [1, 2], "pay_2", marks=NEEDS_POSTGRES),
        pytest.param("postgres", "kept", [1], "pay_1", marks=NEEDS_POSTGRES),
        pytest.param("redis", "acted", [1, 2], "pay_2", marks=NEEDS_REDIS),
    ],
)
async def test_a_run_whose_node_is_killed_goes_on_at_another_one(
    tmp_path: Path, kind: str, where: str, charged: list[int], payment: str
) -> None:
    agent = "tests.system.going_on.going_on_server"
    shared = engine(kind, f"going_on_{where}")
    async with open_cluster(tmp_path, shared, nodes=2, lease=1.0, AGENT=agent) as cluster:
        await cluster.start()
        here, there = cluster.nodes
        tab = tab_of("ann", here)
        async with tab.connected():
            await tab.ask(type="say", id="say-1", body={"die": {"1": where}})
            await here.process.ended()
        tab.port = there.port
        done = ("done", 2)
        await eventually(lambda: done in ledger(cluster.place))  # its user is away
        async with soon_connected(tab, 60):
            await tab.until(lambda: ended(tab) == 1)
        assert [attempt for what, attempt in ledger(cluster.place) if what == "charged"] == charged
        assert [attempt for what, attempt in ledger(cluster.place) if what == "began"] == [1, 2]
        [report] = [each for each in tab.seen if each["kind"] == Kind.FINAL_REPORT]
        assert report["data"]["report"] == {"payment": payment}
        assert [each["data"].get("attempt", 1) for each in top(tab, Kind.AGENT_STARTED)] == [1, 2]
        assert list(flaws(await events_of(cluster))) == []


async def events_of(cluster: Cluster) -> list[Any]:
    async with cluster.engine.open() as journal:
        records = await journal.read(UserId("ann"), after=0, limit=100_000, max_bytes=1 << 30)
    return [Event.decode(record.body) for record in records]


def ledger(place: Place) -> list[tuple[str, int]]:
    """What was done, and in which attempt."""
    path = place.folder / "ledger"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(what, int(attempt)) for what, _, attempt in (line.split() for line in lines)]


def top(tab: Tab, *kinds: Kind) -> list[Any]:
    return [each for each in tab.seen if each["kind"] in kinds and "parent" not in each]


def ended(tab: Tab) -> int:
    return len(top(tab, *TERMINAL))
