"""Runs over their sockets: they outlive them, are cancelled over any, and wait for their turn."""

from __future__ import annotations

import pytest

from tests.protocol.server import crash_user_actor, is_back, serving, token_for

pytestmark = pytest.mark.every_server


def kinds(events):
    return [event["kind"] for event in events]


def of(run, events):
    return [event for event in events if event["run"] == run]


def history(client):
    return client.ask("history", id="all", limit=200)["events"]


@pytest.fixture
def narrow(connect):
    """A server where a user has one run at a time, and one that waits; a client of it."""
    with serving(runs_per_user=1, queued_runs=1) as server:
        client = connect(server)
        client.hello()
        client.server = server
        yield client


# The socket is gone, the run goes on


@pytest.mark.requirement("R16")
@pytest.mark.requirement("R34")
def test_a_run_outlives_its_sockets_and_is_cancelled_after_a_reload(client, connect):
    run = client.ask("say", id="1", body="wait")["run"]
    seen = client.events(until="agent_thinking")
    client.cut()
    page = connect()
    resumed = page.hello(
        session=client.ready["session"], epoch=client.ready["epoch"], offset=seen[-1]["offset"]
    )
    assert (resumed["session"], resumed["recovered"]) == (client.ready["session"], True)
    assert page.ask("cancel", id="2", run=run)["ok"] is True
    assert [event["data"] for event in page.events()] == [{"outcome": "cancelled"}]


@pytest.mark.requirement("R16")
def test_a_run_is_cancelled_over_another_tab_and_both_hear_of_it(client, connect):
    tab = connect()
    tab.hello()
    run = client.ask("say", id="1", body="wait")["run"]
    tab.events(until="agent_thinking")
    assert tab.ask("cancel", id="2", run=run)["ok"] is True
    assert client.events()[-1] == tab.events()[-1]


@pytest.mark.requirement("R34")
@pytest.mark.requirement("R16")
def test_a_session_resumes_before_the_first_event_of_its_run(client, connect):
    """Cut behind the `say`: neither its answer nor any event was read."""
    client.send("say", id="mine", body="wait")
    client.cut()
    page = connect()
    place = {"session": client.ready["session"], "epoch": client.ready["epoch"], "offset": 0}
    assert page.hello(**place)["recovered"] is True
    run = page.ask("say", id="mine", body="wait")["run"]
    assert kinds(page.events(until="agent_thinking")) == [
        *("user_said", "agent_started", "agent_thinking")
    ]
    page.ask("cancel", id="2", run=run)
    assert kinds(of(run, page.events())) == ["agent_completed"]


# One at a time


def test_a_run_beyond_the_limit_waits_for_its_turn(narrow):
    first = narrow.ask("say", id="1", body="wait")["run"]
    narrow.events(until="agent_thinking")
    second = narrow.ask("say", id="2", body="hello")["run"]
    assert kinds(narrow.events(until="user_said")) == ["user_said"]
    narrow.ask("cancel", id="3", run=first)
    assert kinds(of(first, narrow.events())) == ["agent_completed"]
    assert kinds(of(second, narrow.events())) == ["agent_started", "agent_completed"]


def test_runs_that_wait_begin_in_the_order_they_were_said(connect):
    with serving(runs_per_user=1, queued_runs=10) as server:
        client = connect(server)
        client.hello()
        first = client.ask("say", id="first", body="wait")["run"]
        runs = [client.ask("say", id=str(each), body="hello")["run"] for each in range(10)]
        client.ask("cancel", id="go", run=first)
        started = [
            e["run"] for _ in range(11) for e in client.events() if e["kind"] == "agent_started"
        ]
        assert started == [first, *runs]


def test_what_is_said_beyond_the_queue_is_refused_for_now_and_nothing_is_kept(narrow):
    first = narrow.ask("say", id="1", body="wait")["run"]
    narrow.ask("say", id="2", body="hello")
    refused = narrow.ask("say", id="3", body="hello")
    error = refused["error"]
    assert (refused["ok"], error["temporary"], error["code"]) == (False, True, 4507)
    assert "at most 1 running and 1 waiting runs" in error["message"]
    assert [e["data"]["say"] for e in history(narrow) if e["kind"] == "user_said"] == ["1", "2"]
    narrow.ask("cancel", id="4", run=first)
    narrow.events()
    narrow.events()
    assert narrow.ask("say", id="3", body="hello")["ok"] is True


def test_a_say_that_is_repeated_takes_no_second_place(narrow):
    first = narrow.ask("say", id="1", body="wait")
    waiting = narrow.ask("say", id="2", body="hello")
    assert narrow.ask("say", id="1", body="wait") == first
    assert narrow.ask("say", id="2", body="hello") == waiting


def test_a_user_who_waits_keeps_no_other_user_waiting(narrow, connect):
    narrow.ask("say", id="1", body="wait")
    narrow.ask("say", id="2", body="hello")
    other = connect(narrow.server, token_for("eve"))
    other.hello()
    assert kinds(other.story()) == ["user_said", "agent_started", "agent_completed"]


def test_a_run_that_waits_is_cancelled_without_ever_having_started(narrow):
    first = narrow.ask("say", id="1", body="wait")["run"]
    narrow.events(until="agent_thinking")
    second = narrow.ask("say", id="2", body="hello")["run"]
    assert narrow.ask("cancel", id="3", run=second)["ok"] is True
    ended = of(second, narrow.events())
    assert (kinds(ended), ended[-1]["data"]) == (
        ["user_said", "agent_completed"],
        {"outcome": "cancelled"},
    )
    assert narrow.ask("cancel", id="4", run=second)["ok"] is False, "it is over"
    assert narrow.ask("say", id="5", body="hello")["ok"] is True, "its place is free"
    assert narrow.ask("cancel", id="6", run=first)["ok"] is True


@pytest.mark.requirement("R28")
def test_a_run_that_waits_is_ended_as_lost_by_a_restart(connect, tmp_path):
    chosen = {"journal": tmp_path / "journal.db", "runs_per_user": 1, "drain_seconds": 0.2}
    with serving(**chosen) as server, connect(server) as client:
        client.hello()
        client.ask("say", id="1", body="wait")
        waiting = client.ask("say", id="2", body="hello")["run"]
    with serving(**chosen) as server, connect(server) as client:
        client.hello()
        events = of(waiting, history(client))
        assert kinds(events) == ["user_said", "agent_failed"]
        assert events[-1]["data"]["reason"] == "lost"
        assert client.ask("say", id="2", body="hello")["run"] == waiting, "and it is not run again"


def test_a_user_is_not_passivated_while_a_run_waits(connect):
    with serving(runs_per_user=1, idle_seconds=0.05) as server:
        client = connect(server)
        client.hello()
        first = client.ask("say", id="1", body="wait")["run"]
        second = client.ask("say", id="2", body="hello")["run"]
        client.cut()
        server.wait_until(lambda: server.runtime.users.active())
        again = connect(server)
        again.hello(epoch=client.ready["epoch"], offset=0)
        assert again.ask("cancel", id="3", run=first)["ok"] is True
        again.events()
        assert kinds(of(second, again.events()))[-1] == "agent_completed"


@pytest.mark.requirement("R22")
def test_a_crash_of_the_users_actor_loses_the_runs_that_wait_and_frees_their_places(
    connect, user, crashes
):
    crashes.append("/outbox crashed: KeyError")
    crashes += ["crashed: ActorStopped", "crashed: UserUnavailable"]  # of runs that are emitting
    with serving(runs_per_user=1, queued_runs=1) as server:
        client = connect(server)
        client.hello()
        runs = [client.ask("say", id=each, body="wait")["run"] for each in "12"]
        server.run_sync(crash_user_actor, server, user)
        assert client.closed_with() == 4105
        server.wait_until(lambda: is_back(server, user))
        again = connect(server)
        again.hello()
        ended = [e for e in history(again) if e["kind"] == "agent_failed"]
        assert {e["run"] for e in ended} == set(runs)
        assert all(again.ask("say", id=each, body="wait")["ok"] for each in "34")
