"""`greenroom nodes`: the servers that share a journal in Postgres."""

from __future__ import annotations

import json
from pathlib import Path

import trio

from greenroom.delivery.journal.postgres.journal import open_postgres_journal
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of
from tests.face.cli import Result, greenroom


def nodes(url: str, *words: str, cwd: Path) -> Result:
    return greenroom("nodes", "--journal", url, *words, cwd=cwd)


@NEEDS_POSTGRES
async def test_the_nodes_of_a_journal_are_listed_with_their_leases(tmp_path: Path) -> None:
    url = database_of(tmp_path)
    async with open_postgres_journal(url), open_postgres_journal(url) as worker:
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


def test_a_file_has_no_nodes(tmp_path: Path) -> None:
    refused = nodes("some.db", cwd=tmp_path)
    assert refused.code == 2
    assert "one server at a time has the journal" in refused.err
