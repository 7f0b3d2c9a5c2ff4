"""A user's events by the Durable Streams protocol, on every server."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.protocol.front_ends.front_end import run_input
from tests.protocol.without_websocket.events_client import Refused

BEGUN = ["user_said", "agent_started", "partial_result"]


def said(page, text="hello", run="run-1"):
    page.read("POST", "ag-ui", run_input(text, run))


@contextmanager
def part(page, query="", method="GET", **headers):
    with page.reading(method, f"stream?{query}" if query else "stream", **headers) as reading:
        yield reading.answer


def get(page, query="", **headers):
    """The kinds of the events, where to go on, and whether that was all."""
    with part(page, query, **headers) as answer:
        kinds = [each["kind"] for each in json.loads(answer.read())]
        up_to_date = answer.getheader("Stream-Up-To-Date")
        return kinds, answer.getheader("Stream-Next-Offset"), up_to_date == "true"


def read_event(answer):
    """One message of an event stream; comments are passed over."""
    lines = []
    while (line := answer.readline().decode().rstrip("\n")) or not lines:
        if line and not line.startswith(":"):
            lines.append(line.partition(": ")[::2])
    data = "".join(value for name, value in lines if name == "data")
    return dict(lines)["event"], json.loads(data)


@pytest.mark.every_server
def test_the_log_is_read_from_its_beginning_and_on_from_where_it_ended(page):
    empty, start, is_all = get(page)
    assert (empty, is_all) == ([], True)
    said(page)
    kinds, end, is_all = get(page, "offset=-1")
    assert (kinds[:3], kinds[-1], is_all) == (BEGUN, "agent_completed", True)
    assert end > start, "tokens sort as the places do"
    assert get(page, f"offset={start}") == (kinds, end, True)
    assert get(page, f"offset={end}") == ([], end, True)
    assert get(page, "offset=now") == ([], end, True)
    with part(page, method="HEAD") as answer:
        assert answer.getheader("Stream-Next-Offset") == end


def test_a_long_log_is_read_in_parts(page):
    for number in range(30):
        said(page, run=f"run-{number}")
    first, place, is_all = get(page)
    assert (len(first), is_all) == (128, False)
    rest, _, is_all = get(page, f"offset={place}")
    assert (len(first) + len(rest), is_all) == (150, True)


@pytest.mark.every_server
def test_a_live_read_follows_by_events(page):
    _, start, _ = get(page)
    with part(page, f"offset={start}&live=sse&cursor=7") as answer:
        assert answer.getheader("Content-Type") == "text/event-stream"
        kind, control = read_event(answer)
        assert (kind, control["upToDate"], control["streamCursor"]) == ("control", True, "8")
        said(page)
        kinds, places = [], []
        while "agent_completed" not in kinds:
            kind, data = read_event(answer)
            if kind == "data":
                kinds += [each["kind"] for each in data]
            else:
                places.append(data["streamNextOffset"])
        assert kinds[:3] == BEGUN
        assert places == sorted(places)


@pytest.mark.every_server
def test_a_long_poll_has_what_there_is_or_comes_next(page):
    _, start, _ = get(page)
    with page.reading("POST", "ag-ui", run_input("wait")) as reading:
        reading.until("TEXT_MESSAGE_CONTENT")
        kinds, place, _ = get(page, f"offset={start}&live=long-poll")
        assert kinds == BEGUN
        with ThreadPoolExecutor() as thread:
            waiting = thread.submit(get, page, f"offset={place}&live=long-poll")
            with page.reading("POST", "ag-ui/stop", {"runId": "run-1"}):
                pass
            assert waiting.result()[0] == ["agent_completed"]


def test_what_the_client_has_is_not_sent_again(page):
    said(page)
    with part(page) as answer:
        tag = answer.getheader("ETag")
        assert answer.getheader("Cache-Control") == "no-store"
    with pytest.raises(Refused) as refused:
        get(page, **{"If-None-Match": tag})
    assert refused.value.status == 304


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [
        ("GET", "offset=nonsense", 400),
        ("GET", "offset=0000000000000001_another", 410),
        ("GET", "offset=0999999999999999_{epoch}", 410),
        ("GET", "offset=9999999999999999_x", 400),
        ("GET", "live=sse", 400),
        ("GET", "offset=-1&live=carrier-pigeon", 400),
        ("PUT", "", 405),
        ("POST", "", 405),
        ("DELETE", "", 405),
    ],
)
def test_what_cannot_be_read_has_its_status(page, method, query, status):
    _, place, _ = get(page)
    query = query.format(epoch=place.partition("_")[2])
    with pytest.raises(Refused) as refused:
        page.read(method, f"stream?{query}" if query else "stream")
    assert refused.value.status == status
