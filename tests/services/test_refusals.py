"""What a program may not do: one clear error each, as a JSON problem, and nobody else is harmed."""

import pytest

from tests.protocol.client import refusal
from tests.protocol.server import SECRET, serving, token_for
from tests.services.program import kept, kinds, program, service_token

pytestmark = pytest.mark.requirement("R46")


def problem(answer):
    status, said = answer
    assert said["status"] == status
    assert said["type"].startswith("urn:greenroom:problem:")
    assert {"title", "detail", "advice", "fault", "retry"} <= set(said)
    return status, said["error"]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (token_for("alice"), "no service token"),
        (token_for("alice", aud="greenroom.service"), "`users`"),
        (service_token(now=1_000_000.0), "expired"),
        (service_token()[:-4] + "AAAA", "signature"),
        ("nonsense", "malformed"),
    ],
)
def test_only_a_service_token_that_is_valid_may_ask(server, token, words):
    with program(server, token) as other:
        status, said = other.get("/api/runs/run_00000000000000000000000000")
    assert (status, words in said["detail"]) == (401, True), said


def test_a_service_token_is_no_users_token(server):
    status, words = refusal(server.port, service_token("alice"))
    assert (status, "a service's" in words) == (401, True)


def test_without_a_token_nothing_is_answered(server, worker):
    del worker.http.headers["Authorization"]
    assert problem(worker.post("/api/runs", {"user": "alice"})) == (401, "BadToken")
    assert worker.http.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("users", "user", "may"),
    [
        (("alice",), "alice", True),
        (("alice",), "alice2", False),
        (("team-*",), "team-7", True),
        (("team-*",), "other", False),
        (("*",), "anyone", True),
    ],
)
def test_a_service_speaks_to_the_users_of_its_token_only(server, users, user, may):
    with program(server, users=users) as scoped:
        status, said = scoped.post("/api/runs", {"user": user})
    assert status == (201 if may else 403), said


def test_a_service_speaks_as_the_agents_of_its_token_only(server):
    with program(server, agents=("helper",)) as scoped:
        scoped.begin("agentless", agent="helper")
        refused = scoped.post("/api/runs", {"user": "agentless", "agent": "boss"})
    assert problem(refused) == (403, "OutOfScope")


def test_the_runs_of_another_service_are_unknown(server, worker):
    run = worker.begin("jan")["run"]
    with program(server, service="intruder") as other:
        assert problem(other.get(f"/api/runs/{run}")) == (404, "UnknownRun")
        assert problem(other.say(run, "agent_thinking", text="x")) == (404, "UnknownRun")
        assert problem(other.post(f"/api/runs/{run}/end")) == (404, "UnknownRun")
        assert problem(other.get(f"/api/runs/{run}/history")) == (404, "UnknownRun")
    assert kinds(kept(server, "jan")) == ["agent_started"]


def test_the_events_of_users_out_of_scope_are_unknown(server, worker):
    event = worker.begin("kim")["started"]["event"]
    with program(server, users=("somebody",)) as other:
        assert problem(other.get(f"/api/events/{event}")) == (404, "UnknownEvent")


@pytest.mark.parametrize(
    ("entry", "error", "status"),
    [
        ({"kind": "dance"}, "BadEntry", 400),
        ({"kind": "agent_thinking", "data": {}}, "BadEntry", 400),
        ({"kind": "agent_thinking", "data": {"text": "a", "txet": "b"}}, "BadEntry", 400),
        ({"kind": "tool_completed", "data": {"tool_name": "none"}}, "OutOfOrder", 409),
        ({"kind": "tool_executing", "data": {"tool_name": ""}}, "BadEvent", 400),
        ({"kind": "title", "data": {"title": ""}}, "BadEntry", 400),
        ({"kind": "final_report", "data": {"report": "x" * 1_100_000}}, "BadEvent", 400),
        ({"kind": "limit", "data": {"seconds": 1}}, "BadEntry", 400),
        ([], "BadEntry", 400),
    ],
)
def test_a_batch_stops_at_the_first_entry_that_is_refused(server, worker, entry, error, status):
    run = worker.begin("lea")["run"]
    good = {"kind": "agent_thinking", "data": {"text": "good"}}
    answer = worker.post(f"/api/runs/{run}/events", {"events": [good, entry, good]})
    assert problem(answer) == (status, error), answer
    assert (answer[1]["index"], len(answer[1]["results"])) == (1, 1)
    assert worker.say(run, "agent_thinking", text="it goes on")[0] == 200


def test_nothing_follows_the_end(server, worker):
    run = worker.begin("mia")["run"]
    worker.post(f"/api/runs/{run}/end")
    answer = worker.say(run, "agent_thinking", text="late")
    assert problem(answer) == (409, "RunOver")
    assert answer[1]["run"]["state"] == "completed"
    assert kinds(kept(server, "mia")) == ["agent_started", "agent_completed"]


@pytest.mark.parametrize("path", ["events", "end", "history"])
def test_an_unknown_run_is_a_problem(worker, path):
    url = f"/api/runs/run_01h455vb4pex5vsknk084sn02q/{path}"
    ask = worker.get if path == "history" else worker.post
    body = () if path == "history" else ({"kind": "typing"} if path == "events" else {},)
    assert problem(ask(url, *body)) == (404, "UnknownRun")
    assert problem(worker.get("/api/runs/nonsense"))[0] == 400


def test_a_body_of_ten_megabytes_is_refused_and_the_server_goes_on(server, worker):
    run = worker.begin("ned")["run"]
    text = "x" * 10_000_000
    answer = worker.say(run, "agent_thinking", text=text)
    assert problem(answer) == (413, "BadBody")
    answer = worker.stream(run, iter([b'{"kind":"agent_thinking","data":{"text":"', text.encode()]))
    assert problem(answer) == (413, "BadBody")
    assert worker.say(run, "agent_thinking", text="small")[0] == 200


def test_too_many_entries_are_refused_as_a_batch(server, worker):
    run = worker.begin("oda")["run"]
    answer = worker.post(f"/api/runs/{run}/events", {"events": [{"kind": "typing"}] * 1_001})
    assert problem(answer) == (400, "BadEntry")


@pytest.mark.parametrize("body", [b"{", b"[" * 2_000, b"\xff", b'"text"'])
def test_what_is_no_json_object_is_refused(worker, body):
    answer = worker.http.post("/api/runs", content=body)
    assert problem((answer.status_code, answer.json()))[0] == 400


def test_a_service_has_a_bounded_number_of_open_runs():
    with serving(api_runs=2) as server, program(server) as worker:
        first, _ = worker.begin("q1")["run"], worker.begin("q2")
        assert problem(worker.post("/api/runs", {"user": "q3"})) == (429, "TooManyRemoteRuns")
        with program(server, service="other") as other:
            other.begin("q4")
        worker.post(f"/api/runs/{first}/end")
        worker.begin("q3")


def test_a_service_that_asks_too_fast_is_told_when_to_come_back():
    with serving(api_rate=1.0) as server, program(server) as worker:
        answers = [worker.get("/api/runs/run_01h455vb4pex5vsknk084sn02q") for _ in range(5)]
    assert problem(answers[-1]) == (429, "TooManyRequests")


@pytest.mark.parametrize("api", ["off", "local"])
def test_programs_that_a_proxy_passes_on_are_not_of_this_machine(api):
    with serving(api=api) as server, program(server) as worker:
        worker.http.headers["X-Forwarded-For"] = "192.0.2.1"
        answer = worker.http.post("/api/runs", json={"user": "ron"})
    assert answer.status_code == (403 if api == "local" else 413 if answer.text else 404)


def test_a_token_of_another_deployment_is_refused():
    with serving(audience="here") as server:
        with program(server, audience="here") as ours:
            ours.begin("sue")
        with program(server) as theirs:
            assert problem(theirs.post("/api/runs", {"user": "sue"})) == (401, "BadToken")


def test_the_secret_is_never_in_an_answer(server, worker):
    del worker.http.headers["Authorization"]
    answer = worker.http.post("/api/runs", json={"user": "x"}, headers={"Authorization": SECRET})
    assert SECRET not in answer.text
