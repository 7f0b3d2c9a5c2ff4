"""A node that is cut off from its journal says so, keeps its sockets, and goes on afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.delivery.journal.postgres_server import NEEDS_POSTGRES
from tests.delivery.journal.redis_server import NEEDS_REDIS
from tests.system.nodes.cluster import Node, open_cluster, tab_of
from tests.system.nodes.engines import engine

READY = (200, "ready\n")
CUT_OFF = (503, "not ready: the journal cannot be reached\n")
_LINE = b"New connections are accepted again when the journal can be written"


async def until_ready_says(node: Node, expected: tuple[int, str]) -> None:
    with trio.fail_after(60):
        while await node.readiness() != expected:  # noqa: ASYNC110  # another process
            await trio.sleep(0.05)


@pytest.mark.requirement("R34")
@pytest.mark.parametrize(
    ("kind", "is_silent"),
    [
        pytest.param("postgres", False, marks=NEEDS_POSTGRES, id="postgres-refused"),
        pytest.param("postgres", True, marks=NEEDS_POSTGRES, id="postgres-silent"),
        pytest.param("redis", True, marks=NEEDS_REDIS, id="redis-silent"),
    ],
)
async def test_a_node_that_is_cut_off_is_not_ready_and_its_sockets_go_on_when_it_is_back(
    tmp_path: Path, kind: str, is_silent: bool
) -> None:
    """Connections break; or nothing comes, and no connection breaks."""
    shared = engine(kind, f"cut_off_{is_silent}".lower())
    paced = {"PIECES": "2", "PACE": "0"}
    async with open_cluster(tmp_path, shared, nodes=1, lease=1.0, **paced) as cluster:
        await cluster.start()
        [node] = cluster.nodes
        tab = tab_of("ann", node)
        async with tab.connected():
            assert (await tab.ask(type="say", id="one", body="ann"))["ok"]
            await tab.until(lambda: "agent_completed" in [event["kind"] for event in tab.seen])
            await until_ready_says(node, READY)
            node.link.stall()
            if not is_silent:
                node.link.cut()
            await until_ready_says(node, CUT_OFF)
            node.link.flow()
            await until_ready_says(node, READY)
            assert not tab.is_over, "its socket was kept"
            reply = await tab.ask(type="say", id="two", body="ann")
            while not reply["ok"]:
                assert reply["error"]["temporary"], reply
                reply = await tab.ask(type="say", id="two", body="ann")
            await tab.until(lambda: len(tab.seen) == 10)
        assert node.process.output.count(_LINE) == 1, node.process.output.decode()
