"""Either side of a remote run is killed: its user reads an honest end, and nothing twice."""

import os
import signal

import httpx
import orjson
import pytest

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.transport.auth.service_tokens import sign_service_token
from tests.system.processes import SECRET, Place, eventually, free_port

pytestmark = [pytest.mark.requirement("R46"), pytest.mark.slow]

TOKEN = sign_service_token(SECRET, "worker", 3600, users=["*"])


def events(place, user):
    kept = JournalReader(place.journal).read(user=UserId.parse(user))
    return [orjson.loads(each.record.body) for each in kept]


def kinds(place, user):
    return [each["kind"] for each in events(place, user)]


def asking(place):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{place.port}", headers=headers)


async def test_a_program_that_is_killed_leaves_a_run_that_ends_as_lost(tmp_path):
    place = Place(tmp_path, free_port(), "remote/quiet_server.py", {"GREENROOM_API_LEASE": "1"})
    async with place.process() as server:
        await server.until_listening()
        worker = Place(tmp_path, place.port, "remote/remote_worker.py", {"TOKEN": TOKEN})
        async with worker.process("alice") as program:
            await program.until_said("http://20")
            program.handle.send_signal(signal.SIGKILL)
            await program.ended()
        await eventually(lambda: "agent_failed" in kinds(place, "alice"))
    said = events(place, "alice")
    assert said[-1]["data"]["reason"] == "lost"
    assert said[-2]["kind"] == "tool_completed"
    texts = [each["data"]["text"] for each in said if each["kind"] == "agent_thinking"]
    assert texts == [str(number) for number in range(len(texts))]


async def test_a_request_that_is_repeated_after_a_kill_of_the_server_keeps_one_event_once(tmp_path):
    place = Place(tmp_path, free_port(), "remote/quiet_server.py", {"GREENROOM_API_LEASE": "1"})
    begin = {"user": "bob", "agent": "a", "input": 1}
    entry = {"kind": "agent_thinking", "data": {"text": "once"}}
    key, other = {"Idempotency-Key": "k"}, {"Idempotency-Key": "new"}
    async with place.process() as server, asking(place) as http:
        await server.until_listening()
        begun = (await http.post("/api/runs", json=begin, headers=key)).json()
        path = f"/api/runs/{begun['run']}/events?user=bob"
        first = (await http.post(path, json=entry, headers=key)).json()
        os.kill(server.handle.pid, signal.SIGKILL)
        await server.ended()
    async with place.process() as server, asking(place) as http:
        await server.until_listening()
        again = (await http.post("/api/runs", json=begin, headers=key)).json()
        assert (again["run"], again["started"]) == (begun["run"], begun["started"])
        assert again["state"] == "over"
        repeated = await http.post(path, json=entry, headers=key)
        assert (repeated.status_code, repeated.json()["results"]) == (200, first["results"])
        lost = await http.post(path, json=entry, headers=other)
        assert (lost.status_code, lost.json()["error"]) == (404, "UnknownRun")
        fresh = await http.post("/api/runs", json=begin, headers=other)
        assert fresh.json()["state"] == "running"
    assert kinds(place, "bob") == [
        *("agent_started", "agent_thinking", "agent_failed", "agent_started"),
    ]
