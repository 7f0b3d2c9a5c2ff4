"""PROTOCOL.md, "Opening": who gets a socket, what `hello` asks and `ready` answers."""

import base64
import re
import time

import pytest

from tests.protocol.client import opening, refusal
from tests.protocol.server import serving, token_for

pytestmark = pytest.mark.requirement("R37")


def packed(token: str) -> str:
    return "greenroom.bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


# Identity is proven before the upgrade is answered.


def test_a_token_comes_as_a_bearer(connect):
    assert connect().connection.subprotocol == "greenroom.v1"


def test_or_as_a_second_subprotocol_and_the_server_answers_only_with_greenroom_v1(server, user):
    offered = ["greenroom.v1", packed(token_for(user))]
    with opening(server.port, None, subprotocols=offered) as socket:
        assert socket.subprotocol == "greenroom.v1"
        assert socket.response.headers.get_all("Sec-WebSocket-Protocol") == ["greenroom.v1"]


def test_a_stranger_gets_401_and_never_a_socket(server):
    assert refusal(server.port, None) == (401, "A token is needed.\n")


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("not.a.token", "malformed"),
        (token_for("alice", seconds=-60), "expired"),
        (token_for("alice", secret="another secret of thirty-two bytes"), "signature"),
        (token_for("has a space"), "must be a user id"),
    ],
    ids=["bad", "expired", "foreign", "no user"],
)
def test_nor_does_a_bad_token_get_one(server, token, why):
    status, text = refusal(server.port, token)
    assert (status, why in text, token in text) == (401, True, False)


def test_two_tokens_are_none(server, token):
    offered = ["greenroom.v1", packed(token)]
    assert refusal(server.port, token, subprotocols=offered)[0] == 401


def test_a_client_that_does_not_offer_greenroom_v1_is_refused(server, token):
    assert refusal(server.port, token, subprotocols=["chat"])[0] == 400


# `Origin` is checked against an allow-list (default: same host).


def test_a_foreign_page_gets_403(server, token):
    evil = "https://evil.example"
    assert refusal(server.port, token, origin=evil)[0] == 403


def test_a_page_of_the_same_host_gets_a_socket(connect, server):
    assert connect(origin=f"http://127.0.0.1:{server.port}").hello()["recovered"] is False


# authenticated: the client owes `hello`.


def test_hello_too_late_closes_4102(connect):
    with serving(hello_deadline=0.1) as server:
        client = connect(server)
        assert client.closed_with() == 4102
        closing = client.take("closing")
        assert (closing["code"], set(closing["reconnect"])) == (4102, {"after_ms", "jitter_ms"})


def test_ready_says_who_where_and_until_when(client, user):
    ready = client.ready
    assert set(ready) == {
        *("type", "session", "connection", "user", "epoch", "offset"),
        *("from", "recovered", "heartbeat", "expires", "features"),
        *("max_frame_bytes", "frames_per_second", "frames_burst"),
        "files",  # since the agent of these tests takes some
    }
    assert re.fullmatch(r"sess_[0-7][0-9a-hjkmnp-tv-z]{25}", ready["session"])
    assert re.fullmatch(r"conn_[0-7][0-9a-hjkmnp-tv-z]{25}", ready["connection"])
    assert (ready["user"], ready["offset"], ready["recovered"]) == (user, 0, False)
    assert ready["from"] == 0
    assert (ready["max_frame_bytes"], ready["frames_per_second"]) == (65_536, 50.0)
    assert ready["frames_burst"] == 100
    assert (ready["heartbeat"], ready["features"]) == (25_000, [])
    assert isinstance(ready["epoch"], str)
    assert isinstance(ready["expires"], int)
    assert 3590 < ready["expires"] / 1000 - time.time() <= 3600


def test_every_server_speaks_of_its_own_epoch(client, connect):
    with serving() as another:
        assert connect(another).hello()["epoch"] != client.ready["epoch"]


def test_unknown_fields_of_hello_are_ignored(connect):
    ready = connect().hello(client={"name": "walk", "version": "1"}, features=["x"], colour="red")
    assert ready["features"] == []


def test_a_fresh_session_is_served_from_the_end_of_the_journal(client, connect):
    client.story()
    second = connect()
    assert second.hello()["offset"] == 3
    assert second.fence() == []


# Resuming


@pytest.mark.requirement("R34")
def test_a_client_that_was_cut_off_gets_exactly_what_it_missed(client, connect):
    seen = client.story("everything", id="1")[4]
    client.events(until="final_report")
    client.events()
    epoch, session = client.ready["epoch"], client.ready["session"]
    client.cut()
    again = connect()
    ready = again.hello(session=session, epoch=epoch, offset=seen["offset"])
    assert (ready["session"], ready["recovered"]) == (session, True)
    first = again.take("events")
    assert (first["epoch"], first["replay"]) == (epoch, True)
    again.kept.insert(0, first)
    replayed = again.events(until=ready["offset"])
    assert [e["offset"] for e in replayed] == list(range(seen["offset"] + 1, ready["offset"] + 1))
    again.send("ack", offset=ready["offset"])
    assert again.fence() == []


def test_what_comes_after_the_replay_is_not_flagged(client, connect):
    client.story()
    epoch = client.ready["epoch"]
    again = connect()
    again.hello(epoch=epoch, offset=0)
    assert again.take("events")["replay"] is True
    client.story(id="2")
    assert "replay" not in again.take("events")


def test_what_happens_while_nobody_listens_is_there_afterwards(client, connect):
    client.send("say", id="1", body={"think": 200})
    client.take("reply")
    client.cut()
    again = connect()
    again.hello(session=client.ready["session"], epoch=client.ready["epoch"], offset=0)
    offsets = [event["offset"] for event in again.events()]
    assert offsets == list(range(1, 204))


def test_a_session_alone_resumes_where_it_acked(client, connect):
    client.story()
    client.send("ack", offset=2)
    client.fence()
    client.cut()
    again = connect()
    ready = again.hello(session=client.ready["session"])
    assert (ready["session"], ready["recovered"]) == (client.ready["session"], True)
    assert [event["offset"] for event in again.events()] == [3]


@pytest.mark.requirement("R34")
def test_a_session_survives_a_restart_of_the_server(connect, tmp_path):
    with serving(journal=tmp_path / "journal.db") as server, connect(server) as client:
        before = client.hello()
        client.story()
        client.send("ack", offset=1)
        client.fence()
    with serving(journal=tmp_path / "journal.db") as server, connect(server) as client:
        ready = client.hello(session=before["session"])
        assert (ready["session"], ready["epoch"]) == (before["session"], before["epoch"])
        assert ready["recovered"] is True
        assert [event["offset"] for event in client.events()] == [2, 3]


@pytest.mark.requirement("R23")
def test_a_session_of_somebody_else_is_no_session(client, connect):
    stranger = connect(bearing=token_for("eve"))
    ready = stranger.hello(session=client.ready["session"])
    assert ready["session"] != client.ready["session"]
    assert ready["recovered"] is False
    client.story()
    assert stranger.fence() == []


@pytest.mark.parametrize(
    "seen",
    [{"epoch": "another", "offset": 1}, {"offset": 99}],
    ids=["another epoch", "an offset of the future"],
)
def test_a_position_that_never_was_is_not_recovered(client, connect, seen):
    client.story()
    again = connect()
    ready = again.hello(**{"epoch": client.ready["epoch"], **seen})
    assert (ready["recovered"], ready["offset"]) == (False, 3)
    assert again.fence() == []


@pytest.mark.parametrize(
    "seen",
    [{"epoch": "another", "offset": 1}, {"offset": 99}],
    ids=["another epoch", "an offset of the future"],
)
def test_a_resume_that_is_not_recovered_begins_a_new_session(client, connect, seen):
    old = client.ready["session"]
    ready = connect().hello(**{"session": old, "epoch": client.ready["epoch"], **seen})
    assert ready["recovered"] is False
    assert ready["session"] != old


def test_a_position_before_what_is_kept_is_not_recovered(connect, tmp_path, user):
    with serving(journal=tmp_path / "journal.db") as server, connect(server) as client:
        epoch = client.hello()["epoch"]
        client.story({"think": 5})
    with serving(journal=tmp_path / "journal.db") as server:

        async def trim():
            await server.runtime.journal.trim(user, through=4)

        server.run(trim)
        with connect(server) as client:
            assert client.hello(epoch=epoch, offset=2)["recovered"] is False
            assert [event["offset"] for event in client.events()] == [5, 6, 7, 8]
        with connect(server) as client:
            assert client.hello(epoch=epoch, offset=4)["recovered"] is True


def test_a_session_taken_up_elsewhere_closes_4504_where_it_was(client, connect):
    connect().hello(session=client.ready["session"])
    assert client.closed_with() == 4504
    assert client.take("closing")["reconnect"] is None


def test_too_many_connections_of_a_user_close_4506_and_leave_the_others(connect, token):
    with serving(connections_per_user=2) as server:
        first, second = connect(server), connect(server)
        session = first.hello()["session"]
        second.hello()
        third = connect(server)
        third.send("hello")
        assert third.closed_with() == 4506
        assert third.take("closing")["reconnect"] is None
        assert connect(server).hello(session=session)["session"] == session
        assert connect(server, token_for("another")).hello()["recovered"] is False
        assert second.fence() == []
