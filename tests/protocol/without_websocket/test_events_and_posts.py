"""Events as a stream of HTTP, and frames by POST: the same connection as a WebSocket's."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from greenroom.delivery.events.ids import UserId
from greenroom.transport.auth.tokens import Identity
from tests.protocol.hours import hours
from tests.protocol.server import serving, token_for
from tests.protocol.without_websocket.events_client import EventsClient, Refused, ask

pytestmark = [pytest.mark.every_server, pytest.mark.requirement("R49")]


@pytest.fixture
def listen(server, token):
    """Open an event stream; by default this test's user on the server of all tests."""
    with ExitStack() as streams:

        def opened(to=server, **options):
            options = {"token": token, **options}
            return streams.enter_context(EventsClient(to.port, **options))

        yield opened


def say(client, body, **fields):
    return client.post({"type": "say", "id": f"say {body}", "body": body, **fields})


def test_the_stream_begins_with_ready_and_each_event_has_its_epoch_and_offset(listen, user):
    client = listen()
    assert client.content_type == "text/event-stream"
    assert client.ready["user"] == user
    (reply,) = say(client, "everything")
    assert (reply["type"], reply["ok"]) == ("reply", True)
    events = client.events(until="final_report")
    offsets = [event.data["offset"] for event in events]
    assert offsets == list(range(1, len(events) + 1))
    assert [event.id for event in events] == [f"{client.ready['epoch']}:{n}" for n in offsets]


def test_last_event_id_resumes_where_the_stream_broke_off(listen):
    client = listen()
    say(client, "everything")
    seen = client.events(until="tool_executing")
    client.close()
    again = listen(session=client.ready["session"], last_id=seen[-1].id)
    assert again.ready["session"] == client.ready["session"]
    rest = again.events(until="agent_completed")
    offsets = [event.data["offset"] for event in [*seen, *rest]]
    assert offsets == list(range(1, len(offsets) + 1))


def test_a_stream_without_events_resumes_by_the_id_of_its_ready(listen):
    first = listen()
    ready = f"{first.ready['epoch']}:{first.ready['from']}"
    first.close()
    other = listen()
    say(other, "everything")
    other.events(until="agent_completed")
    assert listen(last_id=ready).take("message").data["offset"] == 1


def test_what_was_received_is_acknowledged_by_a_post(listen, connect):
    client = listen()
    say(client, "everything")
    last = client.events(until="agent_completed")[-1].data["offset"]
    assert (
        client.post([{"type": "ack", "offset": last}, {"type": "displayed", "offsets": [1]}]) == []
    )
    client.close()
    resumed = connect()
    ready = resumed.hello(session=client.ready["session"])
    assert (ready["recovered"], ready["from"]) == (True, last)


def test_a_list_is_answered_in_order(listen):
    replies = listen().post(
        [
            {"type": "history", "id": "a", "limit": 1},
            {"type": "threads", "id": "b", "limit": 1},
            {"type": "cancel", "id": "c", "run": "run_00000000000000000000000000"},
        ]
    )
    assert [(reply["id"], reply["ok"]) for reply in replies] == [
        ("a", True),
        ("b", True),
        ("c", False),
    ]


def test_a_stream_and_a_socket_of_one_user_show_the_same(listen, connect):
    stream, socket = listen(), connect()
    socket.hello()
    say(stream, "everything")
    shown = [event.data for event in stream.events(until="agent_completed")]
    assert shown == socket.events()


def test_a_question_is_answered_and_a_run_stopped_by_posts(listen):
    client = listen()
    (reply,) = say(client, "wait")
    client.events(until="agent_thinking")
    (stopped,) = client.post({"type": "cancel", "id": "stop", "run": reply["run"]})
    assert stopped["ok"] is True
    assert client.events(until="agent_completed")[-1].data["data"]["outcome"] == "cancelled"


def test_a_bad_frame_is_answered_as_on_a_socket(listen):
    client = listen()
    (reply,) = client.post({"type": "say", "id": "1"})
    assert (reply["ok"], reply["error"]["code"]) == (False, 4502)
    assert client.post({"type": "no such type"}) == []
    assert client.take("error").data["code"] == 4502
    client.post(b"[no JSON")
    closing = [message for message in client.rest() if message.event == "closing"]
    assert [message.data["code"] for message in closing] == [4502]


def test_text_and_numbers_that_no_reader_gets_are_refused_alone_in_a_list(listen):
    client = listen()
    say = b'{"type":"say","id":"%d","body":%s}'
    bodies = (b'"\\ud800"', b"18446744073709551617", b"1" * 400, '"é😀"'.encode())
    frames = [say % (number, body) for number, body in enumerate(bodies)]
    replies = client.post(b"[" + b",".join(frames) + b"]")
    assert [(each["id"], each["ok"]) for each in replies] == [
        ("0", False),
        ("1", False),
        ("2", False),
        ("3", True),
    ]
    assert [each["error"]["code"] for each in replies[:3]] == [4502] * 3
    assert client.events(until="user_said")[-1].data["data"]["body"] == "é😀"


def test_frames_faster_than_the_limit_end_the_stream_with_4507(listen):
    client = listen()
    frames = [{"type": "pong"}] * 100
    client.post(frames)
    client.post(frames)
    assert client.take("closing").data["code"] == 4507
    assert client.rest() == []


def test_a_post_is_for_an_open_stream_of_this_user(listen, server):
    client, stranger = listen(), token_for("eve")
    path = f"/live/frames?connection={client.ready['connection']}"
    bearer = {"Authorization": f"Bearer {stranger}"}
    assert ask(server.port, "POST", path, {"type": "pong"}, **bearer)[0].status == 404
    client.post({"type": "hello"})
    client.rest()
    with pytest.raises(Refused) as refused:
        client.post({"type": "pong"})
    assert refused.value.status == 404


def test_a_post_that_names_no_stream_is_for_the_only_one(listen, server):
    client = listen()
    frame = {"type": "history", "id": "1", "limit": 1}
    answer, _ = ask(server.port, "POST", "/live/frames", frame, **client.headers)
    assert answer.status == 200
    listen()
    answer, _ = ask(server.port, "POST", "/live/frames", frame, **client.headers)
    assert answer.status == 409


def test_a_stream_whose_client_has_left_hears_no_post(listen, server, user):
    client = listen()
    client.close()
    server.wait_until(lambda: not _has_connections(server, user))
    with pytest.raises(Refused) as refused:
        client.post({"type": "pong"})
    assert refused.value.status == 404


def _has_connections(server, user):
    return any(f"user:{user}/connections/" in node.path for node in server.runtime.tree().walk())


def test_a_page_of_another_origin_asks_first_and_may_read_if_it_is_listed():
    with serving(allow_origins=["https://app.example"]) as server:
        other = {"Origin": "https://app.example"}
        for path in ("events", "frames", "session"):
            answer, _ = ask(server.port, "OPTIONS", f"/live/{path}", **other)
            assert answer.status == 200
            assert answer.getheader("Access-Control-Allow-Origin") == "https://app.example"
        bearer = {"Authorization": f"Bearer {token_for('alice')}"}
        evil = {**bearer, "Origin": "https://evil.example"}
        assert ask(server.port, "POST", "/live/session", **evil)[0].status == 403
        answer, _ = ask(server.port, "POST", "/live/session", **bearer, **other)
        assert answer.getheader("Access-Control-Allow-Origin") == "https://app.example"
        assert "Secure" in str(answer.getheader("Set-Cookie"))


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"token": None}, 401),
        ({"token": "no token"}, 401),
        ({"headers": {"Origin": "https://evil.example"}}, 403),
        ({"last_id": "epoch:many"}, 400),
    ],
)
def test_a_stream_is_refused_as_a_socket_is(listen, options, status):
    with pytest.raises(Refused) as refused:
        listen(**options)
    assert refused.value.status == status


def test_a_body_that_is_too_large_or_no_json_is_not_heard(listen):
    client = listen()
    for body, headers, status in [
        (b"x" * 300_000, {}, 413),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"[]", {}, 400),
    ]:
        with pytest.raises(Refused) as refused:
            client.post(body, **headers)
        assert refused.value.status == status
    assert client.post({"type": "history", "id": "1", "limit": 1})[0]["ok"] is True


# A cookie in place of a token


@pytest.fixture
def session(server, token):
    """What `POST /live/session` answers: the header of the cookie, and the cookie."""
    origin = f"http://127.0.0.1:{server.port}"
    bearer = {"Authorization": f"Bearer {token}", "Origin": origin}
    answer, _ = ask(server.port, "POST", "/live/session", **bearer)
    assert answer.status == 200
    header = answer.getheader("Set-Cookie")
    assert header is not None
    return header, {"Cookie": header.partition(";")[0], "Origin": origin}


def test_a_cookie_takes_the_place_of_the_token_and_no_script_reads_it(listen, session, user):
    header, cookie = session
    assert {"HttpOnly", "SameSite=Strict"} <= set(header.split("; "))
    client = listen(token=None, headers=cookie)
    assert client.ready["user"] == user
    assert say(client, "nothing")[0]["ok"] is True


@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_a_page_of_another_site_cannot_post_with_the_cookie(listen, session, origin):
    _, cookie = session
    client = listen(token=None, headers=cookie)
    client.headers = {"Cookie": cookie["Cookie"], **({} if origin is None else {"Origin": origin})}
    with pytest.raises(Refused) as refused:
        say(client, "buy")
    assert refused.value.status == 403


def test_a_cookie_that_is_not_known_opens_nothing(listen, session):
    with pytest.raises(Refused) as refused:
        listen(token=None, headers={**session[1], "Cookie": "greenroom_live=guessed"})
    assert refused.value.status == 401


class Asked:
    """An authenticator that says of each token what a function does, and counts."""

    def __init__(self, answer):
        self.answer = answer
        self.times = 0

    async def authenticate(self, token):
        return Identity(UserId.parse(token))

    def still_valid(self, identity):
        self.times += 1
        return self.answer()


async def yes():
    return True


async def no():
    return False


async def words():
    return "no"


async def none():
    return None


def broken():
    raise OSError("the directory is down")


def cookie_of(server):
    origin = {"Origin": f"http://127.0.0.1:{server.port}"}
    bearer = {"Authorization": "Bearer alice", **origin}
    answer, _ = ask(server.port, "POST", "/live/session", **bearer)
    return {"Cookie": str(answer.getheader("Set-Cookie")).partition(";")[0], **origin}


@pytest.mark.requirement("R47")
@pytest.mark.parametrize(
    ("answer", "status"), [(no, 401), (words, 503), (none, 503), (broken, 503)]
)
def test_a_cookie_opens_nothing_unless_its_token_is_still_good(answer, status, crashes):
    crashes.append("it could not be checked whether a token is still valid")
    with serving(authenticator=Asked(answer)) as server:
        with pytest.raises(Refused) as refused:
            EventsClient(server.port, headers=cookie_of(server))
        assert refused.value.status == status


@pytest.mark.requirement("R47")
def test_for_posts_with_a_cookie_an_answer_of_a_moment_ago_will_do_and_for_streams_none():
    asked = Asked(yes)
    with serving(authenticator=asked) as server:
        cookie = cookie_of(server)
        with EventsClient(server.port, headers=cookie) as client:
            for number in range(3):
                client.post({"type": "threads", "id": str(number), "limit": 1})
            assert asked.times == 1
            asked.answer = no
            with pytest.raises(Refused) as refused:
                EventsClient(server.port, headers=cookie)
            assert refused.value.status == 401


# Time


def test_a_heartbeat_is_a_comment_and_a_client_that_reads_need_not_answer():
    with hours() as clock, EventsClient(clock.server.port, token=token_for("alice")) as client:
        for _ in range(5):
            clock.jump(25.0)
            message = client.next()
            assert message is not None
            assert message.is_comment
            clock.jump(13.0)
        assert say(client, "nothing")[0]["ok"] is True


def test_a_cookie_ends_ten_minutes_after_it_was_given():
    with hours() as clock:
        bearer = {"Authorization": f"Bearer {token_for('alice')}"}
        answer, _ = ask(clock.server.port, "POST", "/live/session", **bearer)
        age = dict(part.partition("=")[::2] for part in answer.getheader("Set-Cookie").split("; "))
        assert age["Max-Age"] == "600"
