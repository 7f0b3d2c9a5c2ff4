"""What a stream for a front end shares with every connection: limits, drains, bans, and its end."""

from __future__ import annotations

import json
import socket

import pytest
import trio

import greenroom
from greenroom.delivery.events.ids import UserId
from tests.protocol.front_ends.agent import agent
from tests.protocol.front_ends.front_end import FrontEnd, run_input
from tests.protocol.server import serving, token_for
from tests.protocol.without_websocket.events_client import Refused, ask

ALICE = UserId.parse("alice")
BEARER = {"Authorization": f"Bearer {token_for(ALICE)}"}


def alices(server):
    return FrontEnd(server.port, dict(BEARER))


async def sent_through(journal, offset):
    """The cursors of the sessions that were sent this event, once there are any."""
    with trio.fail_after(10):
        while not (cursors := await journal.sent_to(ALICE, offset)):  # noqa: ASYNC110
            await trio.sleep(0.01)  # cursors are written now and then
    return cursors


def test_what_was_written_counts_as_sent_and_never_as_received_and_is_not_sent_again():
    impatient = {"redelivery_delay": 0.01, "redelivery_longest": 0.01, "heartbeat": 0.1}
    with serving(agent=agent, **impatient) as server:
        page = alices(server)
        with page.reading("POST", "ag-ui", run_input("wait")) as reading:
            reading.until("TEXT_MESSAGE_CONTENT")
            for _ in range(3):
                assert reading.answer.readline() == b":\n", "a heartbeat each 0.1 s"
                assert reading.answer.readline() == b"\n"
            with page.reading("POST", "ag-ui/stop", {"runId": "run-1"}):
                pass
            types = [each["type"] for each in reading.rest()]
        assert types == ["TEXT_MESSAGE_END", "RUN_FINISHED"]
        (cursor,) = server.run(sent_through, server.runtime.journal, 4)
        assert (cursor.start, cursor.offset) == (0, 0)
        assert server.run(_attempts, server.runtime.journal) == []


async def _attempts(journal):
    return await journal.attempts(ALICE, 1, 9)


def test_from_the_first_event_that_is_another_runs_on_none_counts_as_sent():
    with serving(agent=agent) as server:
        page = alices(server)
        with page.reading("POST", "ag-ui", run_input("wait")) as reading:
            reading.until("TEXT_MESSAGE_CONTENT")
            page.read("POST", "ag-ui", run_input("hello", "run-2", "thread-2"))
            with page.reading("POST", "ag-ui/stop", {"runId": "run-1"}):
                pass
            reading.rest()
        seven = server.run(sent_through, server.runtime.journal, 7)
        assert [each.start for each in seven] == [3], "only the other run's stream was sent it"


def test_a_drain_ends_a_stream_by_an_error_that_says_so():
    goes_on = greenroom.agent(when_lost="again")(agent)
    with serving(agent=goes_on, drain_seconds=0.1) as server:
        page = alices(server)
        with page.reading("POST", "ag-ui", run_input("wait")) as reading:
            reading.until("TEXT_MESSAGE_CONTENT")
            server.run(server.runtime.drain)
            last = reading.rest()[-1]
            assert (last["type"], last["code"]) == ("RUN_ERROR", "1001")


def test_a_run_is_found_behind_hundreds_of_events_of_others():
    with serving(agent=agent) as server:
        page = alices(server)
        with page.reading("POST", "ag-ui", run_input("wait")) as reading:
            reading.until("TEXT_MESSAGE_CONTENT")
        for number in range(90):
            page.read("POST", "ag-ui", run_input("hello", f"other-{number}"))
        (run,) = [each.run for each in server.run(server.runtime.journal.open_runs, ALICE)]
        with page.reading("GET", f"ag-ui?runId={run}") as reading:
            assert reading.until("TEXT_MESSAGE_CONTENT")[-1].data["delta"] == "One "
            with page.reading("POST", "ag-ui/stop", {"runId": run}):
                pass
            assert reading.rest()[-1]["outcome"] == {"type": "cancelled"}


def test_a_run_is_found_however_many_events_it_has(monkeypatch):
    """A run that streams for minutes has more events than are looked through."""
    monkeypatch.setattr("greenroom.transport.front_ends.finding.MOST_PAGES", 1)
    monkeypatch.setattr("greenroom.transport.front_ends.finding.PAGE", 10)
    with serving(agent=agent) as server:
        page = alices(server)
        page.read("POST", "ag-ui", run_input("flood"))
        again = page.read("GET", "ag-ui?runId=run-1")
    assert sum(len(each.data.get("delta", "")) for each in again) == 5_000_007


def test_a_run_of_another_user_is_not_there():
    with serving(agent=agent) as server:
        alices(server).read("POST", "ag-ui", run_input("hello"))
        (record, *_) = server.run(_records, server.runtime.journal)
        bob = FrontEnd(server.port, {"Authorization": f"Bearer {token_for('bob')}"})
        with pytest.raises(Refused) as refused:
            bob.read("GET", f"ag-ui?runId={record.run}")
    assert refused.value.status == 404


async def _records(journal):
    return await journal.read(ALICE, after=0, limit=9, max_bytes=2**20)


def test_a_user_has_as_many_streams_as_connections():
    with serving(agent=agent, connections_per_user=1) as server:
        page = alices(server)
        with page.reading("POST", "ag-ui", run_input("wait")) as reading:
            reading.until("TEXT_MESSAGE_CONTENT")
            with pytest.raises(Refused) as refused:
                page.read("GET", "ag-ui?runId=run-1")
            assert refused.value.status == 429


def test_more_runs_than_a_user_may_have_are_refused_before_the_stream_begins():
    with serving(agent=agent, runs_per_user=1, queued_runs=0) as server:
        page = alices(server)
        with page.reading("POST", "ag-ui", run_input("wait")) as reading:
            reading.until("TEXT_MESSAGE_CONTENT")
            with pytest.raises(Refused) as refused:
                page.read("POST", "ag-ui", run_input("hello", "run-2"))
            assert refused.value.status == 429


def test_a_client_that_does_not_read_is_cut_off_and_the_run_goes_on():
    with serving(agent=agent, heartbeat=0.2) as server, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", server.port))
        body = json.dumps(run_input("flood")).encode()
        length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        fields = {"Host": "x", **BEARER, **length}.items()
        lines = ["POST /live/ag-ui HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        deaf.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        server.wait_until(lambda: _has_connection(server))
        server.wait_until(lambda: not _has_connection(server))
        messages = alices(server).read("GET", "ag-ui?runId=run-1")
        assert messages[-1].data["type"] == "RUN_FINISHED"
        assert sum(len(each.data.get("delta", "")) for each in messages) == 5_000_007


def _has_connection(server):
    nodes = server.runtime.tree().walk()
    return any(f"user:{ALICE}/connections/" in node.path for node in nodes)


def test_an_erased_thread_ends_its_stream(connect):
    with serving(agent=agent) as server:
        page = alices(server)
        tab = connect(server, bearing=token_for(ALICE))
        tab.hello()
        with page.reading("POST", "ag-ui", run_input("wait")) as reading:
            reading.until("TEXT_MESSAGE_CONTENT")
            thread = tab.events(until="partial_result")[0]["thread"]
            tab.ask("erase", id="1", thread=thread)
            assert [each["type"] for each in reading.rest()][-1] in ("RUN_FINISHED", "RUN_ERROR")


def test_a_page_of_another_origin_that_is_listed_may_ask_and_read():
    with serving(agent=agent, allow_origins=["https://app.example"]) as server:
        other = {"Origin": "https://app.example"}
        for path in ("ag-ui", "ag-ui/stop", "ai-sdk", "ai-sdk/chat-1/stream"):
            answer, _ = ask(server.port, "OPTIONS", f"/live/{path}", **other)
            assert answer.getheader("Access-Control-Allow-Origin") == "https://app.example"
        with alices(server).reading("POST", "ag-ui", run_input("hello"), **other) as reading:
            allowed = reading.answer.getheader("Access-Control-Allow-Origin")
        assert allowed == "https://app.example"
        with pytest.raises(Refused) as refused:
            alices(server).read("POST", "ag-ui", run_input("x"), Origin="https://evil.example")
        assert refused.value.status == 403


def test_the_cookie_of_a_session_does_in_place_of_a_token():
    with serving(agent=agent) as server:
        answer, _ = ask(server.port, "POST", "/live/session", **BEARER)
        cookie = str(answer.getheader("Set-Cookie")).partition(";")[0]
        page = FrontEnd(server.port, {"Cookie": cookie})
        with pytest.raises(Refused) as refused:
            page.read("POST", "ag-ui", run_input("hello"))
        assert refused.value.status == 403
        origin = f"http://127.0.0.1:{server.port}"
        assert page.read("POST", "ag-ui", run_input("hello"), Origin=origin)
