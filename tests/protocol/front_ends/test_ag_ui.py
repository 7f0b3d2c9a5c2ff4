"""AG-UI over HTTP, on every server: what a front end is answered, byte by byte."""

from __future__ import annotations

import pytest

from tests.protocol.front_ends.front_end import run_input, types_of
from tests.protocol.server import token_for
from tests.protocol.without_websocket.events_client import Refused
from tests.transport.front_ends.grammar import AG_UI, check

ANSWERED = [
    *["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"],
    *["TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"],
]


def post(page, *args, **fields):
    return page.read("POST", "ag-ui", run_input(*args, **fields))


@pytest.mark.every_server
def test_a_message_begins_a_run_and_is_answered_to_its_end(page):
    messages = post(page, "hello")
    assert types_of(messages) == ANSWERED
    assert messages[-1].data["outcome"] == {"type": "success"}
    assert {messages[0].data[name] for name in ("threadId", "runId")} == {"thread-1", "run-1"}


def test_the_last_message_for_an_event_has_its_place(page):
    messages = post(page, "tools")
    for message in messages:
        place = message.data.get("metadata", {}).get("greenroom", {})
        known = f"{place['epoch']}:{place['offset']}" if "epoch" in place else None
        assert message.id == known
    ids = [message.id for message in messages if message.id]
    assert len(ids) == len(set(ids)) > 5


def test_the_same_run_id_is_shown_the_same_run(page):
    first, second = post(page, "hello"), post(page, "hello")
    assert [each.data for each in first] == [each.data for each in second]
    with pytest.raises(Refused) as refused:
        post(page, "something else")
    assert refused.value.status == 400


def test_a_thread_by_any_name_is_one_thread_of_the_user(page, connect):
    post(page, "hello", run="a")
    post(page, "hello", run="b")
    post(page, "hello", run="c", thread="another")
    socket = connect()
    socket.hello()
    threads = socket.ask("threads", id="1", limit=10)["threads"]
    assert sorted(each["runs"] for each in threads) == [1, 2]


@pytest.mark.every_server
def test_a_run_is_read_from_each_of_its_events_on(page):
    whole = post(page, "tools")
    for index, message in enumerate(whole):
        if message.id is None:
            continue
        rest = page.reading(
            "GET", "ag-ui?threadId=thread-1&runId=run-1", **{"Last-Event-ID": message.id}
        )
        if message is whole[-1]:
            with pytest.raises(Refused) as refused, rest:
                pass
            assert refused.value.status == 204
            continue
        with rest as reading:
            shown = reading.rest()
        check(shown, AG_UI)
        assert shown[0] == whole[0].data
        left = [each.data for each in whole[index + 1 :]]
        assert shown[-len(left) :] == left
        reopened = shown[1 : -len(left)]
        assert [each["type"] for each in reopened] in ([], ["TEXT_MESSAGE_START"])


def test_the_offset_may_stand_in_the_query(page):
    whole = post(page, "hello")
    from_start = page.read("GET", "ag-ui?threadId=thread-1&runId=run-1&offset=-1")
    assert [each.data for each in from_start] == [each.data for each in whole]
    (place,) = {each.id for each in whole if each.data.get("delta") == "One "}
    rest = page.read("GET", f"ag-ui?threadId=thread-1&runId=run-1&offset={place}")
    assert types_of(rest) == [
        *["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"],
        "RUN_FINISHED",
    ]


def test_the_place_in_another_journal_is_no_place(page):
    whole = post(page, "hello")
    again = page.read(
        "GET", "ag-ui?threadId=thread-1&runId=run-1", **{"Last-Event-ID": "another:3"}
    )
    assert [each.data for each in again] == [each.data for each in whole]


def test_who_leaves_stops_nothing_and_reads_on(page):
    with page.reading("POST", "ag-ui", run_input("ask")) as reading:
        reading.until("TEXT_MESSAGE_CONTENT")
    (question,) = page.read("GET", "ag-ui?threadId=thread-1")[-1].data["outcome"]["interrupts"]
    assert question["message"] == "Sure?"


@pytest.mark.every_server
def test_a_run_is_stopped_by_a_request_of_its_own(page):
    with page.reading("POST", "ag-ui", run_input("wait")) as reading:
        reading.until("TEXT_MESSAGE_CONTENT")
        stop = page.reading("POST", "ag-ui/stop", {"runId": "run-1"})
        with stop as stopped:
            assert b'"run":"run_' in stopped.answer.read()
        assert reading.rest()[-1]["outcome"] == {"type": "cancelled"}
    with pytest.raises(Refused) as refused:
        page.read("POST", "ag-ui/stop", {"threadId": "thread-1"})
    assert refused.value.status == 404


@pytest.mark.every_server
def test_a_question_ends_the_ag_ui_run_and_its_answer_goes_on_with_the_run(page):
    asked = post(page, "ask")
    (question,) = asked[-1].data["outcome"]["interrupts"]
    resume = [{"interruptId": question["id"], "status": "resolved", "payload": "yes"}]
    resumed = post(page, "ask", run="run-2", resume=resume)
    check([each.data for each in resumed], AG_UI)
    texts = [each.data["delta"] for each in resumed if "delta" in each.data]
    assert texts == ["yes", "two"]
    assert resumed[0].data["runId"] == "run-2"
    again = post(page, "ask", run="run-3", resume=resume)
    assert [each.data.get("delta") for each in again] == [
        each.data.get("delta") for each in resumed
    ]


def test_a_bad_answer_is_refused_and_the_question_stays_open(page):
    (question,) = post(page, "name")[-1].data["outcome"]["interrupts"]
    assert question["responseSchema"] == {"type": "string"}
    resume = [{"interruptId": question["id"], "status": "resolved", "payload": 7}]
    with pytest.raises(Refused) as refused:
        post(page, "name", run="run-2", resume=resume)
    assert refused.value.status == 400
    resume[0]["payload"] = "Ada"
    resumed = post(page, "name", run="run-2", resume=resume)
    assert [each.data["delta"] for each in resumed if "delta" in each.data] == ["Ada", "two"]


def test_a_refusal_without_a_no_stops_the_run(page):
    (question,) = post(page, "name")[-1].data["outcome"]["interrupts"]
    resume = [{"interruptId": question["id"], "status": "cancelled"}]
    resumed = post(page, "name", run="run-2", resume=resume)
    assert resumed[-1].data["outcome"] == {"type": "cancelled"}


def test_a_sub_run_that_asks_is_suspended_and_goes_on(page):
    asked = [each.data for each in post(page, "sub-run")]
    check(asked, AG_UI)
    assert asked[-2]["outcome"]["type"] == "suspended"
    (question,) = asked[-1]["outcome"]["interrupts"]
    resume = [{"interruptId": question["id"], "status": "resolved", "payload": True}]
    resumed = [each.data for each in post(page, "sub-run", run="run-2", resume=resume)]
    check(resumed, AG_UI)
    assert [each["delta"] for each in resumed if "delta" in each] == ["gold", "two"]


def test_a_failure_is_an_error_without_the_cause(page, crashes):
    crashes.append("RuntimeError")
    messages = post(page, "crash")
    assert messages[-1].data["type"] == "RUN_ERROR"
    assert "secret" not in str([each.data for each in messages])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "ag-ui?runId=never", None, 404),
        ("GET", "ag-ui?runId=run_01kbx3m9sebmv8t2v9w0c4d5e6", None, 404),
        ("GET", "ag-ui?threadId=never", None, 204),
        ("GET", "ag-ui", None, 400),
        ("GET", "ag-ui?runId=a&offset=nonsense", None, 400),
        ("PUT", "ag-ui", {}, 405),
        ("POST", "ag-ui", {}, 400),
        ("POST", "ag-ui", b"[", 400),
        ("POST", "ag-ui", [], 400),
        ("POST", "ag-ui", b"[" * 100_000, 400),
        ("POST", "ag-ui", run_input("half a pair \ud800"), 400),
        ("POST", "ag-ui", run_input("x", run="half a pair \ud800"), 400),
        ("POST", "ag-ui", run_input([{"type": "image", "of": 2**70}]), 400),
        ("POST", "ag-ui", run_input("x", messages=[]), 400),
        ("POST", "ag-ui", run_input("x", resume=[{"interruptId": "x"}]), 400),
        ("POST", "ag-ui", run_input("x", run="r" * 129), 400),
        ("POST", "ag-ui", run_input("x" * 100_000), 413),
        ("POST", "ag-ui", run_input("x" * 1_100_000), 413),
        ("POST", "ag-ui/stop", {"runId": "never"}, 404),
    ],
)
def test_what_cannot_be_answered_has_its_status(page, method, path, body, status):
    with pytest.raises(Refused) as refused:
        page.read(method, path, body)
    assert refused.value.status == status


def test_a_question_that_never_was_is_not_found(page):
    resume = [{"interruptId": "ask_01kbx3m9sebmv8t2v9w0c4d5e6", "status": "resolved"}]
    with pytest.raises(Refused) as refused:
        post(page, "x", resume=resume)
    assert refused.value.status == 404


@pytest.mark.every_server
def test_a_stranger_and_a_body_that_is_no_json_are_refused(page, server):
    with pytest.raises(Refused) as refused:
        page.read("POST", "ag-ui", b"x", **{"Content-Type": "text/plain"})
    assert refused.value.status == 415
    page.headers.clear()
    with pytest.raises(Refused) as refused:
        post(page, "hello")
    assert refused.value.status == 401


@pytest.mark.requirement("R23")
def test_what_another_user_began_is_not_found(page, server, connect):
    post(page, "hello")
    page.headers["Authorization"] = f"Bearer {token_for('stranger')}"
    with pytest.raises(Refused) as refused:
        page.read("GET", "ag-ui?threadId=thread-1&runId=run-1")
    assert refused.value.status == 404
