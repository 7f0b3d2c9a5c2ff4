"""A program speaks to a user over HTTP, and the user reads it as from an agent of the server's."""

import pytest

from tests.protocol.client import Client
from tests.protocol.server import token_for
from tests.services.program import kept, kinds

pytestmark = pytest.mark.requirement("R46")


def test_what_a_program_says_reaches_its_user_in_order(server, worker):
    run = worker.begin("ann", agent="analyst", input={"q": 1})["run"]
    said = [
        {"kind": "agent_thinking", "data": {"text": "hm"}},
        {"kind": "tool_executing", "data": {"tool_name": "add", "arguments": [1, 2]}},
        {"kind": "tool_completed", "data": {"tool_name": "add", "result": 3}},
        {"kind": "partial_result", "data": {"text": "three"}},
        {"kind": "final_report", "data": {"report": {"sum": 3}}},
    ]
    status, answer = worker.post(f"/api/runs/{run}/events", {"events": said})
    assert (status, answer["count"]) == (200, 5)
    status, state = worker.post(f"/api/runs/{run}/end")
    assert (status, state["state"]) == (200, "completed")
    events = kept(server, "ann")
    assert kinds(events) == ["agent_started", *(each["kind"] for each in said), "agent_completed"]
    assert events[0]["data"] == {"agent": "analyst", "input": {"q": 1}}
    assert [each["offset"] for each in answer["results"]] == [2, 3, 4, 5, 6]


def test_tokens_of_text_leave_together_in_few_events(server, worker):
    run = worker.begin("bea")["run"]
    tokens = [{"kind": "text", "data": {"text": f"{number} "}} for number in range(500)]
    status, answer = worker.post(f"/api/runs/{run}/events", {"events": tokens})
    assert (status, answer["count"]) == (200, 500)
    worker.say(run, "final_report", report="done")
    events = kept(server, "bea")
    pieces = [each["data"]["text"] for each in events if each["kind"] == "partial_result"]
    assert "".join(pieces) == "".join(f"{number} " for number in range(500))
    assert len(pieces) < 50
    assert kinds(events)[-1] == "final_report"


def test_thoughts_and_text_are_streams_of_their_own(server, worker):
    run = worker.begin("cat")["run"]
    worker.say(run, "thoughts", text="so ", stream="a")
    worker.say(run, "text", text="Hello")
    _, answer = worker.say(run, "thoughts", text="it is", stream="a", end=True)
    assert answer["results"][0]["kind"] == "agent_thinking"
    worker.post(f"/api/runs/{run}/end")
    said = [(each["kind"], each["data"].get("text")) for each in kept(server, "cat")[1:-1]]
    assert said == [
        ("agent_thinking", "so "),
        ("partial_result", "Hello"),
        ("agent_thinking", "it is"),
    ]


def test_ten_thousand_lines_are_as_many_events(server, worker):
    run = worker.begin("dan")["run"]
    lines = (b'{"kind":"agent_thinking","data":{"text":"%d"}}\n' % each for each in range(10_000))
    status, answer = worker.stream(run, lines)
    assert (status, answer["count"]) == (200, 10_000)
    texts = [each["data"]["text"] for each in kept(server, "dan")[1:]]
    assert texts == [str(each) for each in range(10_000)]


def test_a_sub_run_is_a_part_of_its_run(server, worker):
    run = worker.begin("eve")["run"]
    part = worker.begin("eve", parent=run, agent="helper")
    assert part["parent"] == run
    worker.say(part["run"], "agent_thinking", text="helping")
    worker.post(f"/api/runs/{part['run']}/end")
    worker.post(f"/api/runs/{run}/end")
    events = kept(server, "eve")
    assert [each.get("parent") for each in events] == [None, run, run, run, None]


def test_a_program_reads_the_history_of_its_thread(server, worker):
    first = worker.begin("fay")
    worker.say(first["run"], "final_report", report=1)
    worker.post(f"/api/runs/{first['run']}/end")
    second = worker.begin("fay", thread=first["thread"])["run"]
    assert kinds(worker.history(second)) == [
        *("agent_started", "final_report", "agent_completed", "agent_started"),
    ]


@pytest.mark.parametrize(
    ("end", "state", "kind"),
    [
        ({}, "completed", "agent_completed"),
        ({"outcome": "cancelled"}, "cancelled", "agent_completed"),
        ({"outcome": "failed", "failure": {"error": "Boom"}}, "failed", "agent_failed"),
    ],
)
def test_a_run_ends_as_its_program_says(server, worker, end, state, kind):
    user = f"gus-{state}"
    run = worker.begin(user)["run"]
    worker.say(run, "tool_executing", tool_name="left open")
    status, ended = worker.post(f"/api/runs/{run}/end", end)
    assert (status, ended["state"]) == (200, state)
    assert worker.post(f"/api/runs/{run}/end", end) == (200, ended)
    assert kinds(kept(server, user))[1:] == ["tool_executing", "tool_completed", kind]


@pytest.mark.parametrize("usage", [[1], {"tokens": -1}, {"tokens": 1.5}, {"": 1}, {"tokens": None}])
def test_usage_that_is_none_is_refused_and_the_run_goes_on(server, worker, usage):
    run = worker.begin("hedy")["run"]
    assert worker.post(f"/api/runs/{run}/end", {"usage": usage})[0] == 400
    assert worker.post(f"/api/runs/{run}/end", {"usage": {"tokens": 1}})[0] == 200
    assert kept(server, "hedy")[-1]["data"] == {"outcome": "ok", "usage": {"tokens": 1}}


def test_what_a_program_failed_with_is_for_operators_and_not_for_the_user(server, worker):
    run = worker.begin("hal")["run"]
    failure = {"error": "KeyError", "message": "the password is x", "traceback": "in line 3"}
    _, ended = worker.post(f"/api/runs/{run}/end", {"outcome": "failed", "failure": failure})
    assert "password" not in str(kept(server, "hal")[-1])
    cause = server.run(server.runtime.journal.cause, ended["failure"]["reference"])
    assert cause.type.endswith("KeyError")
    assert (cause.text, "in line 3" in cause.traceback) == ("the password is x", True)


def test_a_program_hears_how_far_an_event_got(server, worker):
    with Client(server.port, token_for("ida")) as client:
        client.hello()
        run = worker.begin("ida")["run"]
        _, answer = worker.say(run, "final_report", report=1)
        event = answer["results"][0]["event"]
        status, unseen = worker.get(f"/api/events/{event}", stage="displayed", wait=0)
        assert (status, unseen["reached"]) == (200, False)
        offset = client.events(until="final_report")[-1]["offset"]
        client.send("displayed", offsets=[offset])
        status, seen = worker.get(f"/api/events/{event}", stage="displayed", wait=30)
        assert (status, seen["reached"], seen["stage"]) == (200, True, "displayed")
