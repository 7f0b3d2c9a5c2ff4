"""Event streams: their messages, the `hello` of a request, and tickets."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.ids import UserId
from greenroom.transport.auth.tokens import Identity
from greenroom.transport.events.hello import hello_of
from greenroom.transport.events.live_door import frames_in
from greenroom.transport.events.sse import messages_of
from greenroom.transport.events.tickets import TICKET_SECONDS, Tickets, ticket_of
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.protocol import wire

ALICE = Identity(UserId.parse("alice"))
TEXTS, KINDS = st.text(), st.sampled_from(["partial_result", "superseded"])
EVENTS = st.lists(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["partial_result", "superseded"]), "text": TEXTS}
    ),
    min_size=1,
    max_size=5,
)


def read(stream: bytes) -> list[dict[str, str]]:
    """As an `EventSource` reads it: a line ends at LF, CR or both."""
    lines = stream.decode().replace("\r\n", "\n").replace("\r", "\n")
    blocks = [block.split("\n") for block in lines.split("\n\n") if block]
    return [dict(line.split(": ", 1) for line in block if line[0] != ":") for block in blocks]


@pytest.mark.requirement("R49")
@given(events=EVENTS, epoch=st.text("abcXYZ019-_", min_size=1))
def test_each_event_is_a_message_with_its_place_whatever_its_text(events, epoch):
    numbered = [{**event, "offset": number} for number, event in enumerate(events, 1)]
    frame = orjson.dumps({"type": "events", "epoch": epoch, "events": numbered})
    messages = read(messages_of(frame))
    assert [orjson.loads(message["data"]) for message in messages] == numbered
    assert messages[-1]["id"] == f"{epoch}:{len(events)}"
    for message, event in zip(messages[:-1], numbered, strict=False):
        is_place = event["kind"] != "superseded"
        assert message.get("id") == (f"{epoch}:{event['offset']}" if is_place else None)


def test_a_ping_is_a_comment_and_with_a_position_a_message():
    assert messages_of(wire.ping()) == b":\n\n"
    assert read(messages_of(wire.ping(7)))[0]["event"] == "ping"


def head(query="", **headers):
    return RequestHead("GET", "/live/events", "1.1", query, tuple(headers.items()))


def last(value):
    return RequestHead("GET", "/live/events", "1.1", "", (("last-event-id", value),))


def test_the_query_is_the_hello():
    query = "session=sess_1&epoch=e&offset=7&event=evt_1&features=threads,asks&other=x"
    assert orjson.loads(hello_of(head(query))) == {
        "type": "hello",
        "session": "sess_1",
        "epoch": "e",
        "offset": 7,
        "event": "evt_1",
        "features": ["threads", "asks"],
    }


def test_what_a_browser_saw_last_says_more_than_the_query():
    coming_back = RequestHead(
        "GET", "/", "1.1", "epoch=e&offset=7&event=evt_1", (("last-event-id", "e:9"),)
    )
    assert orjson.loads(hello_of(coming_back)) == {"type": "hello", "epoch": "e", "offset": 9}


@pytest.mark.parametrize("value", ["e", "e:", "e:-1", "e:1.0", "e:٣", "e:99999999999999999"])
def test_a_last_event_id_that_is_none_is_refused(value):
    with pytest.raises(BadRequest):
        hello_of(last(value))


@pytest.mark.parametrize("query", ["session", "a=1&" * 40])
def test_a_query_that_is_none_is_refused(query):
    with pytest.raises(BadRequest):
        hello_of(head(query))


def test_a_post_is_a_frame_or_a_list_of_them():
    assert frames_in(b' {"type": "pong"}') == [' {"type": "pong"}']
    assert frames_in(b'[{"type": "pong"}, 1]') == ['{"type":"pong"}', "1"]
    for refused in (b"[]", b"[" + b"1," * 100 + b"1]", b"\xff"):
        with pytest.raises(BadRequest):
            frames_in(refused)


def test_a_ticket_ends_with_its_time_and_no_later_than_its_token():
    now = [0.0]
    tickets = Tickets(lambda: now[0])
    short, seconds = tickets.issue(Identity(ALICE.user, expires_at=60.0))
    long, _ = tickets.issue(ALICE)
    assert seconds == 60.0
    now[0] = 60.0
    assert (tickets.identity(short), tickets.identity(long)) == (None, ALICE)
    now[0] = TICKET_SECONDS
    assert tickets.identity(long) is None


def test_the_number_of_tickets_is_bounded():
    tickets = Tickets(lambda: 0.0, most=2)
    issued = [tickets.issue(ALICE)[0] for _ in range(3)]
    assert [tickets.identity(each) for each in issued] == [None, ALICE, ALICE]


def test_a_token_counts_before_a_cookie():
    cookie = ("cookie", 'theme=dark; greenroom_live="abc"')
    assert ticket_of(RequestHead("GET", "/", "1.1", "", (cookie,))) == "abc"
    both = (cookie, ("authorization", "Bearer x"))
    assert ticket_of(RequestHead("GET", "/", "1.1", "", both)) is None
