"""greenroom and its peers do what the benchmarks order, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio
from cluster import TwoTabs
from side_by_side.cluster import sharing
from side_by_side.crowd import Crowd
from side_by_side.order import Order
from side_by_side.redis import RedisServer
from side_by_side.server import KINDS, SQLITE, missing, running
from stored import fill

from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, postgres_server
from tests.delivery.journal.redis_server import NEEDS_REDIS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if needs := missing(request.param):
        pytest.skip(f"needs {needs}: make bench-peers")
    return str(request.param)


async def test_every_user_gets_what_was_ordered_and_the_clock_sees_no_more(kind: str) -> None:
    with running(kind) as server:
        crowd = Crowd(server, 3, Order(8, burst=2, stays=True))
        await crowd.run()
    assert not crowd.failures
    assert crowd.received == crowd.events == 24


async def test_a_journal_that_served_a_crowd_serves_another(tmp_path: Path) -> None:
    for _ in range(2):
        with running(SQLITE, journal=tmp_path / "bench.db") as server:
            crowd = Crowd(server, 1, Order(2, stays=True))
            with trio.fail_after(30):
                await crowd.run()
        assert crowd.received == 2


async def test_a_paced_run_ends_when_its_client_has_acknowledged_all(kind: str) -> None:
    with running(kind) as server:
        crowd = Crowd(server, 3, Order(4, every=0.02, acked=True))
        await crowd.run()
    assert not crowd.failures
    assert crowd.acked == 3
    assert len(crowd.latencies) == 12


@NEEDS_POSTGRES
async def test_a_user_of_two_nodes_gets_what_was_ordered_on_both() -> None:
    with sharing(postgres_server(), nodes=2) as servers:
        crowd = TwoTabs(servers, 3, Order(8, every=0.02, acked=True))
        await crowd.run()
        assert servers.engine_seconds() > 0
    assert not crowd.failures
    assert len(crowd.latencies) == len(crowd.elsewhere) == 24


@NEEDS_REDIS
async def test_a_node_on_a_redis_of_the_benchmark_is_measured() -> None:
    with RedisServer.alone() as redis, sharing(redis, nodes=1) as servers:
        crowd = Crowd(servers, 3, Order(8))
        await crowd.run()
        assert servers.disk_bytes() > 0
    assert not crowd.failures


def test_events_stored_by_sql_are_a_journal_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    path.touch(mode=0o600)
    fill(path, 200, owners=10)
    command = [sys.executable, "-m", "greenroom", "journal", "check", "--journal", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
