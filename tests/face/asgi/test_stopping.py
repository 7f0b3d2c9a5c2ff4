"""A uvicorn process that is stopped or killed while clients are connected."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

from tests.protocol.client import Client
from tests.protocol.server import token_for

PATIENCE = 60.0


@contextmanager
def uvicorn(journal, port):
    command = [sys.executable, "-m", "uvicorn", "tests.face.asgi.service:app"]
    environment = {**os.environ, "SERVICE_JOURNAL": str(journal)}
    process = subprocess.Popen([*command, "--port", str(port)], env=environment)
    try:
        _wait_until_open(port, process)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_until_open(port, process):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("uvicorn does not listen")


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


def connected(port):
    uri = f"ws://127.0.0.1:{port}/greenroom/live"
    return Client(port, token_for("alice"), uri=uri)


@pytest.mark.requirement("R40")
def test_a_client_sees_the_end_of_its_run_before_uvicorn_stops_and_learns_when_to_come_back(
    tmp_path, port
):
    with uvicorn(tmp_path / "journal.db", port) as process:
        with connected(port) as client:
            client.hello()
            client.ask("say", id="1", body="1")
            client.events(until="agent_thinking")
            process.send_signal(signal.SIGTERM)
            assert [event["kind"] for event in client.events()] == [
                "final_report",
                "agent_completed",
            ]
            assert client.take("closing")["reconnect"]["after_ms"] > 0
            assert client.closed_with() == 1001
        assert process.wait(timeout=PATIENCE) in (0, -signal.SIGTERM)


def test_a_second_signal_stops_uvicorn_without_the_drain(tmp_path, port):
    with uvicorn(tmp_path / "journal.db", port) as process, connected(port) as client:
        client.hello()
        client.ask("say", id="1", body="60")
        client.events(until="agent_thinking")
        process.send_signal(signal.SIGTERM)
        client.fence()
        process.send_signal(signal.SIGTERM)
        assert client.closed_with() == 1012


@pytest.mark.requirement("R40")
def test_after_a_kill_nothing_is_lost_and_nothing_comes_twice(tmp_path, port):
    journal = tmp_path / "journal.db"
    with uvicorn(journal, port) as process, connected(port) as client:
        ready = client.hello()
        client.ask("say", id="1", body="60")
        seen = client.events(until="agent_thinking")
        process.kill()
    with uvicorn(journal, port), connected(port) as client:
        last = seen[-1]
        resumed = {"session": ready["session"], "epoch": ready["epoch"], "offset": last["offset"]}
        assert client.hello(**resumed, event=last["id"])["recovered"] is True
        rest = client.events(until="agent_failed")
    offsets = [event["offset"] for event in [*seen, *rest]]
    assert offsets == list(range(1, len(offsets) + 1))
    assert rest[-1]["data"]["reason"] == "lost"
