"""`greenroom worker`, beside `greenroom serve --role web`."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of
from tests.face.cli import command, environment, greenroom
from tests.protocol.client import Client
from tests.protocol.server import SECRET, token_for

AGENT = """
import os
async def agent(run, said):
    await run.final_report(report=os.getpid())
"""


@contextmanager
def started(directory: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has said that it is at work."""
    with subprocess.Popen(
        command(words), cwd=directory, env=environment(SECRET), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@NEEDS_POSTGRES
def test_a_worker_answers_the_users_of_a_web_server_and_drains(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(AGENT)
    journal = ["--journal", database_of(tmp_path)]
    web = ["serve", "app.py:agent", "--role", "web", "--port", "0", *journal]
    with (
        started(tmp_path, *web) as server,
        started(tmp_path, "worker", "app.py:agent", *journal, "--concurrency", "3") as worker,
    ):
        assert server.stdout is not None
        assert worker.stdout is not None
        port = re.search(r":(\d+)/", server.stdout.readline())
        assert port is not None
        assert worker.stdout.readline() == (
            "greenroom works for app.py:agent, 3 runs at once (Ctrl-C drains and stops)\n"
        )
        with Client(int(port[1]), token_for("alice")) as client:
            client.hello()
            client.ask("say", id="1", body="who?")
            events = client.events(until="agent_completed")
        reports = [each["data"]["report"] for each in events if each["kind"] == "final_report"]
        assert reports == [worker.pid]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 0


@pytest.mark.parametrize("words", [["worker"], ["serve", "--role", "web", "--secret", SECRET]])
@pytest.mark.parametrize("journal", ["greenroom.db", "redis://localhost:1/0"])
def test_without_a_journal_in_postgres_there_are_no_workers(
    words: list[str], journal: str, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(AGENT)
    refused = greenroom(*words, "app.py:agent", "--journal", journal, cwd=tmp_path)
    assert refused.code == 2
    assert f"needs a journal in Postgres, which servers share, not {journal}" in refused.err
    assert not (tmp_path / "greenroom.db").exists()
