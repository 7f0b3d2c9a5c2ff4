"""How a run of another process lives: stopped by its user, lost, asked, drained."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.protocol.client import Client
from tests.protocol.server import serving, token_for
from tests.services.program import kept, kinds, program

pytestmark = pytest.mark.requirement("R46")


def test_a_stop_of_the_user_ends_the_run_and_wakes_who_waits_for_news(server, worker):
    begun = worker.begin("ria")
    run = begun["run"]
    worker.say(run, "tool_executing", tool_name="long")
    with Client(server.port, token_for("ria")) as client, ThreadPoolExecutor(1) as beside:
        client.hello()
        news = beside.submit(worker.get, f"/api/runs/{run}", after=begun["version"], wait=60)
        client.ask("cancel", id="c", run=run)
        status, state = news.result(timeout=30)
    assert (status, state["state"]) == (200, "cancelled")
    status, late = worker.say(run, "agent_thinking", text="late")
    assert (status, late["error"], late["run"]["state"]) == (409, "RunOver", "cancelled")
    events = kept(server, "ria")
    assert kinds(events)[-2:] == ["tool_completed", "agent_completed"]
    assert events[-1]["data"] == {"outcome": "cancelled"}


def test_a_question_is_answered_over_a_long_poll(server, worker):
    begun = worker.begin("sam")
    run = begun["run"]
    _, asked = worker.say(run, "input_requested", prompt="Go?", options=["yes", "no"])
    ask = asked["results"][0]["ask"]
    with Client(server.port, token_for("sam")) as client, ThreadPoolExecutor(1) as beside:
        client.hello()
        news = beside.submit(worker.get, f"/api/runs/{run}", after=begun["version"], wait=60)
        client.ask("answer", id="a", ask=ask, value="yes")
        _, state = news.result(timeout=30)
    assert state["asks"] == [{"ask": ask, "state": "answered", "value": "yes"}]
    worker.say(run, "final_report", report="went")
    worker.post(f"/api/runs/{run}/end")
    assert "input_answered" in kinds(kept(server, "sam"))


def test_a_question_can_be_withdrawn_or_expire(server, worker):
    begun = worker.begin("tom")
    run, version = begun["run"], begun["version"]
    _, asked = worker.say(run, "input_requested", prompt="One?")
    worker.say(run, "input_withdrawn", ask=asked["results"][0]["ask"])
    _, state = worker.get(f"/api/runs/{run}", after=version, wait=60)
    assert [each["state"] for each in state["asks"]] == ["withdrawn"]
    worker.say(run, "input_requested", prompt="Two?", expires_in=0.05)
    _, state = worker.get(f"/api/runs/{run}", after=state["version"], wait=60)
    assert [each["state"] for each in state["asks"]] == ["withdrawn", "expired"]


def test_a_question_that_is_open_at_the_end_of_its_run_is_withdrawn(server, worker):
    run = worker.begin("una")["run"]
    worker.say(run, "input_requested", prompt="Anybody?")
    worker.post(f"/api/runs/{run}/end", {"outcome": "cancelled"})
    _, state = worker.get(f"/api/runs/{run}")
    assert [each["state"] for each in state["asks"]] == ["withdrawn"]
    assert "input_closed" in kinds(kept(server, "una"))


def test_a_run_whose_program_says_nothing_is_lost_and_its_user_reads_that():
    with serving(api_lease=0.3) as server, program(server) as worker:
        begun = worker.begin("uma")
        run = begun["run"]
        worker.say(run, "tool_executing", tool_name="long")
        part = worker.begin("uma", parent=run, agent="part")["run"]
        server.wait_until(lambda: not server.runtime.users.active()[0].live_runs)
        events = kept(server, "uma")
        assert kinds(events)[-2:] == ["tool_completed", "agent_failed"]
        assert (events[-1]["data"]["reason"], events[-1]["run"]) == ("lost", run)
        assert "program" in events[-1]["data"]["message"]
        for each in (run, part):
            status, said = worker.say(each, "agent_thinking", text="late")
            assert (status, said["error"], said["run"]["state"]) == (409, "RunOver", "lost")


def test_each_request_renews_the_lease():
    with serving(api_lease=1.0) as server, program(server) as worker:
        begun = worker.begin("vic")
        for _ in range(4):
            _, state = worker.get(f"/api/runs/{begun['run']}", after=begun["version"], wait=0.4)
        assert state["state"] == "running"


def test_a_server_that_drains_lets_programs_end_their_runs():
    with serving(drain_seconds=20.0) as server, program(server) as worker:
        run = worker.begin("wes")["run"]
        with ThreadPoolExecutor(1) as beside:
            drained = beside.submit(server.run, server.runtime.drain)
            server.wait_until(lambda: server.runtime.draining)
            status, said = worker.post("/api/runs", {"user": "wes"})
            assert (status, said["error"], said["retry"]) == (503, "ServerStops", True)
            assert worker.say(run, "final_report", report=1)[0] == 200
            assert worker.post(f"/api/runs/{run}/end")[1]["state"] == "completed"
            drained.result(timeout=30)
        assert kinds(kept(server, "wes"))[-1] == "agent_completed"


def test_nothing_of_a_run_is_left_when_it_has_ended():
    with serving() as server, program(server) as worker:
        before = worker.begin("xia")
        worker.post(f"/api/runs/{before['run']}/end")
        known = server.footprint()
        for _ in range(3):
            run = worker.begin("xia")["run"]
            worker.say(run, "text", text="left open")
            worker.say(run, "input_requested", prompt="?")
            worker.post(f"/api/runs/{run}/end")
        server.wait_for_footprint(known)
