"""A request that is repeated with its key is carried out once, and answered alike."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.services import batches, held_run
from tests.services.program import kept, kinds

pytestmark = pytest.mark.requirement("R46")

THINKING = {"kind": "agent_thinking", "data": {"text": "once"}}
TOKEN = {"kind": "text", "data": {"text": "x"}}


def test_a_run_begins_once_for_a_key(server, worker):
    first = worker.begin("kay", key="k", input={"a": 1})
    again = worker.begin("kay", key="k", input={"a": 1})
    assert (again["run"], again["started"]) == (first["run"], first["started"])
    assert kinds(kept(server, "kay")) == ["agent_started"]


def test_requests_at_once_with_one_key_begin_one_run(server, worker):
    with ThreadPoolExecutor(8) as many:
        begun = list(many.map(lambda _: worker.begin("liv", key="k")["run"], range(8)))
    assert len(set(begun)) == 1
    assert kinds(kept(server, "liv")) == ["agent_started"]


def test_a_key_that_began_another_run_is_a_conflict(worker):
    worker.begin("lou", key="k", input=1)
    status, said = worker.post("/api/runs", {"user": "lou", "input": 2}, "k")
    assert (status, said["error"]) == (409, "KeyConflict")


def test_a_key_of_an_ended_run_finds_it_ended(server, worker):
    run = worker.begin("max", key="k")["run"]
    worker.post(f"/api/runs/{run}/end")
    again = worker.begin("max", key="k")
    assert (again["run"], again["state"]) == (run, "completed")


def test_a_batch_is_carried_out_once_for_its_key(server, worker):
    run = worker.begin("moe")["run"]
    body = {"events": [THINKING, TOKEN, {"kind": "final_report", "data": {"report": 1}}]}
    status, first = worker.post(f"/api/runs/{run}/events", body, "k")
    assert status == 200
    status, again = worker.post(f"/api/runs/{run}/events", body, "k")
    assert status == 200
    receipts = [each for each in first["results"] if "event" in each]
    assert [each for each in again["results"] if "event" in each] == receipts
    assert again["results"][1] == {"kind": "text", "repeated": True}
    worker.post(f"/api/runs/{run}/end")
    _, after_the_end = worker.post(f"/api/runs/{run}/events", {"events": [THINKING]}, "k")
    assert after_the_end["results"] == receipts[:1]
    assert kinds(kept(server, "moe")) == [
        *("agent_started", "agent_thinking", "partial_result", "final_report", "agent_completed"),
    ]


def test_a_batch_that_was_refused_goes_on_where_it_stopped(server, worker):
    run = worker.begin("nan")["run"]
    completed = {"kind": "tool_completed", "data": {"tool_name": "t"}}
    status, refused = worker.post(f"/api/runs/{run}/events", {"events": [THINKING, completed]}, "k")
    assert (status, refused["index"]) == (409, 1)
    worker.say(run, "tool_executing", tool_name="t")
    status, _ = worker.post(f"/api/runs/{run}/events", {"events": [THINKING, completed]}, "k")
    assert status == 200
    assert kinds(kept(server, "nan"))[1:] == ["agent_thinking", "tool_executing", "tool_completed"]


def test_a_key_that_memory_forgot_is_in_the_journal(server, worker, monkeypatch):
    monkeypatch.setattr(batches, "MOST_KEYS", 1)
    run = worker.begin("ola")["run"]
    first = worker.say(run, "agent_thinking", "old", text="once")[1]["results"]
    worker.say(run, "agent_thinking", "new", text="another")
    assert worker.say(run, "agent_thinking", "old", text="once")[1]["results"] == first
    assert kinds(kept(server, "ola")) == ["agent_started", "agent_thinking", "agent_thinking"]
    assert held_run.MOST_KEYS > 1


@settings(max_examples=15, deadline=None)
@given(order=st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_batches_in_any_order_and_number_are_each_carried_out_once(order, request):
    server, worker = request.getfixturevalue("server"), request.getfixturevalue("worker")
    begun = worker.begin("pia")
    for number in order:
        events = {"events": [{"kind": "agent_thinking", "data": {"text": str(number)}}] * 2}
        assert worker.post(f"/api/runs/{begun['run']}/events", events, f"k{number}")[0] == 200
    said = [e["data"]["text"] for e in worker.history(begun["run"]) if e["kind"] != "agent_started"]
    firsts = list(dict.fromkeys(order))
    assert said == [str(each) for each in firsts for _ in range(2)]
    assert server.port
    worker.post(f"/api/runs/{begun['run']}/end")
