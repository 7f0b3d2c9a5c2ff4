"""A uvicorn process that is stopped or killed while clients are connected."""

from __future__ import annotations

import signal

import pytest

from tests.face.asgi.uvicorn_process import PATIENCE, free_port, uvicorn
from tests.protocol.client import Client
from tests.protocol.server import token_for

SERVICE = "tests.face.asgi.service:app"


def serving(journal, port):
    return uvicorn(SERVICE, port=port, SERVICE_JOURNAL=str(journal))


@pytest.fixture
def port():
    return free_port()


def connected(port):
    uri = f"ws://127.0.0.1:{port}/greenroom/live"
    return Client(port, token_for("alice"), uri=uri)


@pytest.mark.requirement("R40")
def test_a_client_sees_the_end_of_its_run_before_uvicorn_stops_and_learns_when_to_come_back(
    tmp_path, port
):
    with serving(tmp_path / "journal.db", port) as (process, _):
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
    with serving(tmp_path / "journal.db", port) as (process, _), connected(port) as client:
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
    with serving(journal, port) as (process, _), connected(port) as client:
        ready = client.hello()
        client.ask("say", id="1", body="60")
        seen = client.events(until="agent_thinking")
        process.kill()
    with serving(journal, port), connected(port) as client:
        last = seen[-1]
        resumed = {"session": ready["session"], "epoch": ready["epoch"], "offset": last["offset"]}
        assert client.hello(**resumed, event=last["id"])["recovered"] is True
        rest = client.events(until="agent_failed")
    offsets = [event["offset"] for event in [*seen, *rest]]
    assert offsets == list(range(1, len(offsets) + 1))
    assert rest[-1]["data"]["reason"] == "lost"
