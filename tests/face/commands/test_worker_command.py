"""`greenroom worker`, beside `greenroom serve --role web`."""

from __future__ import annotations

import asyncio
import http.client
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

import greenroom
from greenroom import BadSettings, Settings, aio, open_runtime
from greenroom.delivery.errors import JournalUnreachable
from greenroom.delivery.journal.postgres.journal import PostgresJournal
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of
from tests.face.cli import command, environment
from tests.face.cli import greenroom as run_greenroom
from tests.protocol.client import Client
from tests.protocol.server import SECRET, token_for

ON_ASYNCIO = """
import asyncio
from greenroom import aio
async def agent(run: aio.Run, said):
    await asyncio.sleep(0)
"""

ADMIN = "an admin token of more than thirty-two characters"
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
    many = ["--concurrency", "3"]
    web = ["serve", "app.py:agent", "--role", "web", "--port", "0", *journal]
    with (
        started(tmp_path, *web) as server,
        started(tmp_path, "worker", "app.py:agent", *journal, *many, "--port", "0") as worker,
    ):
        assert server.stdout is not None
        assert worker.stdout is not None
        port = re.search(r":(\d+)/", server.stdout.readline())
        assert port is not None
        at_work = re.fullmatch(
            r"greenroom works for app.py:agent, 3 runs at once, and answers probes at "
            r"http://127.0.0.1:(\d+)/ \(Ctrl-C drains and stops\)\n",
            worker.stdout.readline(),
        )
        assert at_work is not None
        assert asked(int(at_work[1]), "/livez") == (200, "alive\n")
        with Client(int(port[1]), token_for("alice")) as client:
            client.hello()
            client.ask("say", id="1", body="who?")
            events = client.events(until="agent_completed")
        reports = [each["data"]["report"] for each in events if each["kind"] == "final_report"]
        assert reports == [worker.pid]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 0


def asked(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers={"Authorization": f"Bearer {ADMIN}"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    await run.final_report(report=said)


def settings(directory: Path, **more: object) -> Settings:
    """Of a worker."""
    worker = {"role": "worker", "secret": SECRET, "admin_token": ADMIN, **more}
    return Settings.load(journal=database_of(directory), environ={}, **worker)


@NEEDS_POSTGRES
async def test_a_worker_with_a_port_answers_its_probes_and_no_users(tmp_path: Path) -> None:
    async with open_runtime(settings(tmp_path, worker_port=0), agent) as runtime:
        port = await runtime.listen()
        ask = partial(trio.to_thread.run_sync, asked, port)
        assert await ask("/livez") == (200, "alive\n")
        assert await ask("/readyz") == (200, "ready\n")
        assert "greenroom_journal_bytes" in (await ask("/metrics"))[1]
        assert "greenroom.tree/" in (await ask("/admin/tree"))[1]
        assert await ask("/livez", "HEAD") == (200, "")
        assert [(await ask(path))[0] for path in ("/live", "/", "/whoami")] == [404, 404, 404]
        assert (await ask("/livez", "POST"))[0] == 405
        assert isinstance(runtime.journal, PostgresJournal)
        runtime.journal._health.note(JournalUnreachable("Postgres is away"))
        assert await ask("/readyz") == (503, "not ready: the journal cannot be reached\n")


@NEEDS_POSTGRES
def test_a_program_on_asyncio_can_be_a_worker_and_a_web_server(tmp_path: Path) -> None:
    """`greenroom worker` refuses such an agent, and names what takes it."""

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        await asyncio.sleep(0)  # which needs asyncio's loop
        await run.final_report(report=f"heard {said}")

    def talk(port: int) -> list[str]:
        with Client(port, token_for("alice")) as client:
            client.hello()
            client.ask("say", id="1", body="this")
            events = client.events(until="agent_completed")
            return [each["data"]["report"] for each in events if each["kind"] == "final_report"]

    async def main() -> list[str]:
        web = settings(tmp_path, role="web", port=0)
        async with (
            aio.open_runtime(web, agent) as server,
            aio.open_runtime(settings(tmp_path, worker_port=0), agent) as worker,
        ):
            probes = await worker.listen()
            assert await asyncio.to_thread(asked, probes, "/readyz") == (200, "ready\n")
            return await asyncio.to_thread(talk, await server.listen())

    assert asyncio.run(main()) == ["heard this"]


def test_the_command_refuses_an_agent_of_asyncio_and_names_what_takes_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(ON_ASYNCIO)
    refused = run_greenroom("worker", "app.py:agent", "--journal", "postgresql://x/y", cwd=tmp_path)
    assert (refused.code, "Traceback" in refused.err) == (1, False)
    assert "app.py:agent is declared as one of asyncio" in refused.err
    assert "greenroom.aio.open_runtime" in refused.err
    assert 'role="worker"' in refused.err


@NEEDS_POSTGRES
async def test_a_worker_without_a_port_listens_to_nobody(tmp_path: Path) -> None:
    async with open_runtime(settings(tmp_path), agent) as runtime:
        with pytest.raises(BadSettings, match="`worker_port` is set"):
            await runtime.listen()


@pytest.mark.parametrize("words", [["worker"], ["serve", "--role", "web", "--secret", SECRET]])
def test_without_a_journal_that_servers_share_there_are_no_workers(
    words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(AGENT)
    refused = run_greenroom(*words, "app.py:agent", "--journal", "greenroom.db", cwd=tmp_path)
    assert refused.code == 2
    assert "needs a journal that servers share, not greenroom.db" in refused.err
    assert not (tmp_path / "greenroom.db").exists()
