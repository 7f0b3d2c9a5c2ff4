"""A Durable Streams read whose time is over, or whose connection is closed."""

from __future__ import annotations

import pytest

from greenroom.delivery.events.ids import UserId
from greenroom.transport.front_ends.commands import Begin, End, WholeAnswer
from greenroom.transport.front_ends.durable_streams import LogStream, log_wanted
from greenroom.transport.http.request_head import RequestHead

READY = {"epoch": "e", "from": 7, "offset": 7, "recovered": True}


def stream(query):
    head = RequestHead("GET", "/live/stream", "1.1", query)
    return LogStream(log_wanted(head, UserId.parse("alice"), b""), "e")


def test_a_long_poll_that_nothing_came_to_says_where_to_go_on():
    poll = stream("offset=now&live=long-poll&cursor=3")
    assert list(poll.take("ready", READY)) == []
    assert 0 < poll.patience < 60
    (answer,) = poll.timed_out()
    assert isinstance(answer, WholeAnswer)
    assert answer.response.status == 204
    headers = answer.response.headers
    assert headers["Stream-Next-Offset"] == "0000000000000007_e"
    assert (headers["Stream-Up-To-Date"], headers["Stream-Cursor"]) == ("true", "4")


@pytest.mark.parametrize("end", ["timed_out", "closing"])
def test_a_followed_stream_ends_and_its_client_comes_back(end):
    followed = stream("offset=now&live=sse")
    begin, *_ = followed.take("ready", READY)
    assert isinstance(begin, Begin)
    closing = {"code": 1001, "reason": "the server is draining"}
    ended = followed.timed_out() if end == "timed_out" else followed.take("closing", closing)
    assert list(ended) == [End()]


def test_a_close_before_the_answer_is_a_refusal():
    closing = {"code": 4507, "reason": None}
    (answer,) = stream("offset=now&live=long-poll").take("closing", closing)
    assert isinstance(answer, WholeAnswer)
    assert answer.response.status == 429
