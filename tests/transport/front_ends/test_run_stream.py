"""What a front end is answered, frame by frame: the orders that real servers seldom show."""

from __future__ import annotations

import json

import orjson
import pytest

from greenroom.transport.front_ends.ag_ui.requests import wanted_by_post, wanted_by_stop
from greenroom.transport.front_ends.commands import (
    Begin,
    End,
    Hear,
    LookUp,
    Pass,
    WholeAnswer,
    Write,
)
from greenroom.transport.front_ends.finding import FoundRun
from greenroom.transport.front_ends.run_stream import HELD_BYTES, RunStream
from greenroom.transport.http.request_head import RequestHead
from tests.protocol.front_ends.front_end import run_input
from tests.protocol.projections import RUN, THREAD

READY = {"epoch": "e", "from": 7, "offset": 7, "connection": "conn_1"}
SAID = {"id": "run-1", "ok": True, "run": RUN, "thread": THREAD}
POST = RequestHead("POST", "/live/ag-ui", "1.1")


def asked(parse=wanted_by_post, body=None, found=None):
    """A stream that is attached after offset 7, and what it says."""
    encoded = json.dumps(body or run_input("hello")).encode()
    stream = RunStream(parse(POST, "alice", encoded), found)
    return stream, list(stream.take("ready", READY))


def begun():
    return FoundRun(run=RUN, thread=THREAD, epoch="e", began=3, after=7)


def frame(kind, offset=8, run=RUN, **data):
    ids = {"id": "evt_1", "thread": THREAD, "run": run, "request": "req_1", "at": 0}
    event = {"offset": offset, "kind": kind, "class": "critical", **ids, "data": data}
    return {"events": [event]}


def written(commands):
    data = b"".join(each.data for each in commands if isinstance(each, Write)).decode()
    return [orjson.loads(line[6:])["type"] for line in data.split("\n") if line[:6] == "data: "]


def status(commands):
    (answer,) = commands
    assert isinstance(answer, WholeAnswer)
    return answer.response.status


def test_the_answer_begins_with_the_reply_and_has_what_came_before_it():
    stream, (say,) = asked()
    assert isinstance(say, Hear)
    assert say.frame["id"] == "run-1"
    assert list(stream.take("events", frame("user_said", say="run-1"))) == []
    assert list(stream.take("events", frame("partial_result", 9, text="a"))) == []
    begin, *rest = stream.take("reply", SAID)
    assert isinstance(begin, Begin)
    assert written(rest) == ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"]


@pytest.mark.parametrize(("offset", "missed"), [(8, False), (7, True), (None, True)])
def test_a_reply_before_its_event_may_be_that_of_a_run_whose_beginning_was_missed(offset, missed):
    stream, _ = asked()
    assert list(stream.take("reply", SAID)) == [LookUp("run-1")]
    commands = list(stream.looked_up(offset))
    if missed:
        assert status(commands) == 503
    else:
        assert written(commands) == ["RUN_STARTED"]


def test_what_waits_for_a_reply_is_bounded():
    stream, _ = asked()
    list(stream.take("events", frame("user_said", say="run-1")))
    begin, *_ = stream.take("events", frame("partial_result", 9, text="x" * HELD_BYTES))
    assert isinstance(begin, Begin)
    refused = {"id": "run-1", "ok": False, "error": {"code": 4507, "message": "too many"}}
    *_, end = stream.take("reply", refused)
    assert isinstance(end, End)


def test_the_events_of_other_runs_are_passed_over():
    stream, _ = asked()
    others = frame("user_said", say="another", run="run_2")
    assert list(stream.take("events", others)) == [Pass(8)]


def test_a_stop_shows_nothing_of_the_run_it_stops():
    stop = asked(wanted_by_stop, {"runId": "run-1"}, begun())
    stream, (cancel,) = stop
    assert (cancel.frame["type"], cancel.frame["run"]) == ("cancel", RUN)
    assert list(stream.take("events", frame("agent_completed", outcome="cancelled"))) == [Pass(8)]
    assert status(stream.take("reply", {"id": "stop", "ok": True, "run": RUN})) == 200


@pytest.mark.parametrize(
    ("code", "expected"),
    [(1001, 503), (1009, 413), (4105, 503), (4500, 401), (4502, 400), (4507, 429), (4509, 403)],
)
def test_a_close_before_the_answer_is_a_status_and_in_it_an_error(code, expected):
    closing = {"code": code, "reason": None}
    assert status(asked()[0].take("closing", closing)) == expected
    reading, _ = asked(found=begun())
    list(reading.take("reply", SAID))
    *words, end = reading.take("closing", closing)
    assert (written(words), end) == (["RUN_ERROR"], End())


def test_a_thread_that_is_erased_ends_its_streams_and_no_other():
    stream, _ = asked(found=begun())
    list(stream.take("reply", SAID))
    assert list(stream.take("erased", {"thread": "thread_2"})) == []
    assert written(stream.take("erased", {"thread": THREAD})) == ["RUN_ERROR"]


def test_a_refusal_of_a_run_that_has_ended_is_no_error():
    request = {"type": "cancel", "id": "refuse:ask_1", "run": RUN}
    found = FoundRun(
        run=RUN,
        thread=THREAD,
        epoch="e",
        began=3,
        after=7,
        requests=(request,),
        answered=("ask_1",),
    )
    resume = [{"interruptId": "ask_01kbx3m9sebmv8t2v9w0c4d5e6", "status": "cancelled"}]
    stream, _ = asked(body=run_input("x", resume=resume), found=found)
    gone = {"code": 4502, "message": "no such run goes on"}
    commands = stream.take("reply", {"id": "refuse:ask_1", "ok": False, "error": gone})
    assert written(commands) == ["RUN_STARTED"]
