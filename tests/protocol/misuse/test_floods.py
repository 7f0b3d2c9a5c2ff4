"""What one client sends or opens too much of costs it its socket, and nobody else anything."""

import contextlib
import socket
import time
from functools import partial

import pytest
from websockets.frames import Frame, Opcode

from tests.protocol.client import Client, refusal
from tests.protocol.hours import hours
from tests.protocol.raw_sockets import upgraded, vanish
from tests.protocol.server import serving, token_for

BURST, FLOOD, LIMIT = 20, 5_000, 3


# Frames


def ping(payload: bytes = b"") -> Frame:
    return Frame(Opcode.PING, payload)


def fragments(payload: bytes) -> list[Frame]:
    first = Frame(Opcode.TEXT, payload, fin=False)
    return [first, *[Frame(Opcode.CONT, payload, fin=False)] * (FLOOD - 1)]


FLOODS = {
    "pings": [ping()] * FLOOD,
    "large pings": [ping(b"x" * 125)] * FLOOD,
    "pongs nobody asked for": [Frame(Opcode.PONG, b"x")] * FLOOD,
    "empty fragments": fragments(b""),
    "fragments of a byte": fragments(b" "),
    "whole texts": [Frame(Opcode.TEXT, b'{"type":"pong"}')] * FLOOD,
    "acks of nothing new": [Frame(Opcode.TEXT, b'{"type":"ack","offset":0}')] * FLOOD,
    "acks of what was not sent": [Frame(Opcode.TEXT, b'{"type":"ack","offset":9}')] * FLOOD,
    "pings between fragments": [
        Frame(Opcode.TEXT, b"", fin=False),
        *[ping(), Frame(Opcode.CONT, b"", fin=False)] * (FLOOD // 2),
    ],
}


@pytest.fixture(scope="module")
def narrow():
    """A server that takes few frames at once, and hardly any more later."""
    with serving(frames_per_second=0.001, frames_burst=BURST, frames_per_user=1) as server:
        yield server


@pytest.mark.fault("S13")
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_frames_of_every_kind_count_and_too_many_close_4507(narrow, connect, flood):
    client, other = connect(narrow), connect(narrow, token_for("a-bystander"))
    client.hello()
    with contextlib.suppress(OSError):  # the server may hang up before it has read all
        client.raw(*flood)
    assert client.closed_with() == 4507
    assert client.take("closing")["code"] == 4507
    assert other.hello()["type"] == "ready"
    other.connection.close()


@pytest.mark.fault("S13")
@pytest.mark.parametrize(
    "frames",
    [
        [ping()] * (BURST - 2),
        [Frame(Opcode.TEXT, b'{"type":"po', fin=False)]
        + [Frame(Opcode.CONT, b"", fin=False)] * (BURST - 4)
        + [Frame(Opcode.CONT, b'ng"}')],
    ],
    ids=["pings", "fragments"],
)
def test_as_many_frames_as_may_be_are_taken(narrow, connect, frames):
    client = connect(narrow)
    client.hello()
    client.raw(*frames)
    assert client.fence() == []  # the last frame of the burst
    client.raw(ping())
    assert client.closed_with() == 4507


def test_an_ack_of_what_was_sent_counts_for_no_limit(narrow, connect):
    """One per 32 events, which is what clients are asked for, is 50 a second at 1,600 events."""
    client = connect(narrow)
    client.hello()
    client.ask("say", id="1", body={"think": 200})
    for event in client.events():
        client.send("ack", offset=event["offset"])
    assert client.fence() == []
    client.raw(*[Frame(Opcode.TEXT, b'{"type":"ack","offset":200}')] * FLOOD)
    assert client.closed_with() == 4507


@pytest.mark.fault("S13")
def test_what_was_said_before_a_flood_is_done(narrow, connect, user):
    client = connect(narrow)
    client.hello()
    said = Frame(Opcode.TEXT, b'{"type":"say","id":"1","body":"hello"}')
    client.raw(said, *[ping()] * FLOOD)
    assert client.closed_with() == 4507
    receipts = narrow.run(partial(narrow.runtime.receipts, user=user))
    assert receipts[0].kind == "user_said"


def sockets_of(server) -> int:
    return sum(len(user.connections.children()) for user in server.runtime.users.active())


# Sockets


def upgrade_again(server, token: str) -> socket.socket:
    """A socket, once one can be had: the server learns of an end when it next looks."""
    deadline = time.monotonic() + 30
    while (peer := upgraded(server.port, token)[0]) is None:
        assert time.monotonic() < deadline, "the place was never released"
    return peer


@pytest.mark.fault("S12")
def test_upgrades_without_hello_past_the_limit_of_a_user_get_429(token):
    with serving(connections_per_user=LIMIT) as server, contextlib.ExitStack() as peers:
        statuses = []
        for _ in range(50):
            peer, status = upgraded(server.port, token)
            statuses.append(status)
            if peer is not None:
                peers.enter_context(peer)
        assert statuses == [101] * LIMIT + [429] * (50 - LIMIT)
        assert refusal(server.port, token) == (429, "Too many connections of this user open.\n")
        with Client(server.port, token_for("another")) as other:
            assert other.hello()["type"] == "ready"


def reset(peers):
    for peer in peers:
        vanish(peer)


def close(peers):
    for peer in peers:
        peer.sendall(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
        peer.close()


def send_rubbish(peers):
    for peer in peers:
        peer.sendall(b"\xff\xff\xff\xff")
        peer.close()


def flood(peers):
    for peer in peers:
        with contextlib.suppress(OSError):
            peer.sendall(b"\x89\x80\x00\x00\x00\x00" * 2_000)
        peer.close()


def become_ready(peers):
    for peer in peers:
        peer.sendall(b"\x81\x90\x00\x00\x00\x00" + b'{"type":"hello"}')
        assert b'"ready"' in peer.recv(4096)


ENDS = [reset, close, send_rubbish, flood, become_ready]


@pytest.mark.fault("S12")
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_a_place_is_released_however_a_socket_ends(token, end):
    with serving(connections_per_user=LIMIT) as server:
        for _ in range(3):
            peers = [upgraded(server.port, token)[0] for _ in range(LIMIT)]
            assert upgraded(server.port, token) == (None, 429)
            end(peers)
            again = [upgrade_again(server, token) for _ in range(LIMIT)]
            for peer in [*again, *peers]:
                peer.close()
            server.wait_until(lambda: not sockets_of(server))


@pytest.mark.fault("S12")
def test_sockets_that_are_late_with_hello_give_their_places_back(token):
    with hours(connections_per_user=LIMIT) as later:
        server = later.server
        peers = [upgraded(server.port, token)[0] for _ in range(LIMIT)]
        assert upgraded(server.port, token) == (None, 429)
        later.jump(10)
        vanish(upgrade_again(server, token))
        reset(peers)


@pytest.mark.fault("S12")
def test_a_session_can_be_resumed_while_as_many_sockets_are_ready_as_may_be(connect):
    with serving(connections_per_user=LIMIT) as server:
        clients = [connect(server) for _ in range(LIMIT)]
        sessions = [client.hello()["session"] for client in clients]
        assert connect(server).hello(session=sessions[0])["session"] == sessions[0]
        assert clients[0].closed_with() == 4504


@pytest.mark.fault("P5")
@pytest.mark.parametrize("exp", [2**63, 10**30, 1e300, float("nan"), float("inf"), -1, True])
def test_a_token_whose_end_is_no_time_gets_401_and_no_refresh(client, server, user, exp):
    token = token_for(user, exp=exp)
    assert refusal(server.port, token)[0] == 401
    reply = client.ask("refresh", id="1", token=token)
    assert (reply["ok"], reply["error"]["code"]) == (False, 4500)
    assert client.fence() == []


@pytest.mark.fault("P5")
def test_a_token_that_is_good_for_as_long_as_can_be_told_is_good(server, user):
    with Client(server.port, token_for(user, exp=9_007_199_254_740)) as client:
        assert client.hello()["expires"] == 9_007_199_254_740_000
        assert client.fence() == []
