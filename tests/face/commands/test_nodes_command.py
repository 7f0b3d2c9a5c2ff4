"""`greenroom nodes`: the servers that share a journal in Postgres or Redis."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from greenroom import Settings, open_runtime
from greenroom.admin.client import AdminClient, NotThatNode
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of
from tests.delivery.journal.redis_server import NEEDS_REDIS
from tests.delivery.shared.shared_place import InPostgres, InRedis, SharedPlace
from tests.face.cli import Result, greenroom
from tests.protocol.server import ADMIN, SECRET


def tree(url: str, *words: str, cwd: Path) -> Result:
    return greenroom("tree", "--journal", url, "--token", ADMIN, *words, cwd=cwd)


async def listening(url: str, cwd: Path) -> list[dict[str, Any]]:
    listed = await trio.to_thread.run_sync(lambda: nodes(url, "--json", cwd=cwd).out)
    return [each for each in json.loads(listed)["nodes"] if each["address"]]


def nodes(url: str, *words: str, cwd: Path) -> Result:
    return greenroom("nodes", "--journal", url, *words, cwd=cwd)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(InPostgres, marks=NEEDS_POSTGRES, id="postgres"),
        pytest.param(InRedis, marks=NEEDS_REDIS, id="redis"),
    ],
)
async def test_the_nodes_of_a_journal_are_listed_with_their_leases(
    tmp_path: Path, where: type[SharedPlace]
) -> None:
    place = where(tmp_path)
    url = place.url
    async with place.open(10), place.open(10) as worker:
        await worker.nodes.claims.claim(["analyst"], 1, 1)
        shown = await trio.to_thread.run_sync(lambda: nodes(url, cwd=tmp_path).out)
        listed = await trio.to_thread.run_sync(lambda: nodes(url, "--json", cwd=tmp_path).out)
    assert shown.count(" left") == 2
    assert shown.rstrip().endswith("analyst")
    found = json.loads(listed)
    assert [each["agents"] for each in found["nodes"]] == [[], ["analyst"]]
    assert found["schema"] == "greenroom.nodes/1"
    assert [0 < each["left"] <= 10 for each in found["nodes"]] == [True, True]
    assert (await trio.to_thread.run_sync(lambda: nodes(url, cwd=tmp_path).out)) == (
        "no server has this journal\n"
    )


@NEEDS_POSTGRES
async def test_the_tree_of_another_node_is_asked_by_its_number_and_no_other_node_answers(
    tmp_path: Path,
) -> None:
    url = database_of(tmp_path)
    settings = Settings(journal=url, secret=SECRET, port=0, admin_token=ADMIN, host="0.0.0.0")
    async with (
        open_runtime(settings) as one,
        open_runtime(settings) as other,
        open_runtime(settings),
    ):
        ports = [await each.listen() for each in (one, other)]
        with trio.fail_after(60):
            while len(found := await listening(url, tmp_path)) < 2:  # noqa: ASYNC110
                await trio.sleep(0.05)
        assert [each["address"].rpartition(":")[2] for each in found] == [str(p) for p in ports]
        ask = partial(tree, url, cwd=tmp_path)
        for each in found:
            shown = await trio.to_thread.run_sync(ask, "--node", str(each["number"]), "--json")
            assert (shown.code, json.loads(shown.out)["schema"]) == (0, "greenroom.tree/1")
        asked = AdminClient(found[0]["address"], ADMIN, node=found[1]["number"])
        with pytest.raises(NotThatNode, match=f"node {found[0]['number']} answers here"):
            await trio.to_thread.run_sync(asked.tree)
        silent = found[1]["number"] + 1
        refused = await trio.to_thread.run_sync(ask, "--node", str(silent))
        assert (refused.code, f"node {silent}, " in refused.err) == (2, True)
        assert "does not listen by itself" in refused.err
        unknown = await trio.to_thread.run_sync(ask, "--node", "nobody:1")
        assert "there is no node 'nobody:1' at postgresql://" in unknown.err
        both = await trio.to_thread.run_sync(ask, "--node", "1", "http://localhost:1")
        assert "a URL and --node both name a server" in both.err


def test_a_file_has_no_nodes(tmp_path: Path) -> None:
    refused = nodes("some.db", cwd=tmp_path)
    assert refused.code == 2
    assert "one server at a time has the journal" in refused.err
