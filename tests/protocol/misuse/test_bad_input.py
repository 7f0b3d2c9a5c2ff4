"""Whatever one peer sends or does not send, other users notice nothing, and nothing is left."""

import contextlib
import json
import resource
import socket
import time

import pytest
from websockets.exceptions import ConnectionClosed

from tests.protocol.client import Client, deep
from tests.protocol.hours import hours
from tests.protocol.raw_sockets import UPGRADE, tcp, vanish
from tests.protocol.server import PATIENT, count_tasks, token_for

FLOOD = 2_000

pytestmark = pytest.mark.requirement("R37")


@pytest.fixture(scope="module")
def later():
    """A server whose limits are near, and whose deadlines are as near as a test makes them."""
    with hours(
        max_half_open=64,
        idle_seconds=0.1,
        backlog_bytes=65_536,
        backlog_events=1_000,
        connections_per_user=200,
        **PATIENT,
    ) as later:
        yield later


@pytest.fixture
def edge(later):
    return later.server


class Bystander:
    """A user who is told something every few milliseconds, acknowledges it, and answers pings."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.heard: list[int] = []

    def still_hears(self) -> None:
        """Events that came into being after this call began arrive, and none before was lost."""
        since = time.time() * 1000
        while self._next_event()["at"] <= since:
            pass
        assert self.heard == list(range(1, self.last + 1))
        self.client.send("ack", offset=self.last)
        for ping in [frame for frame in self.client.kept if frame["type"] == "ping"]:
            self.client.kept.remove(ping)
            self.client.send("pong")

    def _next_event(self) -> dict[str, object]:
        events = self.client.take("events")["events"]
        self.heard += [event["offset"] for event in events if event["offset"] > self.last]
        return events[-1]

    @property
    def last(self) -> int:
        return self.heard[-1] if self.heard else 0


@pytest.fixture
def bystander(edge, user):
    """Listens throughout the test; afterwards the server holds what it held before."""
    with Client(edge.port, token_for(f"{user}-listening")) as client:
        client.hello()
        run = client.ask("say", id="1", body="tick")["run"]
        bystander = Bystander(client)
        bystander.still_hears()
        before = edge.footprint()
        yield bystander
        bystander.still_hears()
        wait_for_footprint(edge, before, bystander)
        assert client.ask("cancel", id="2", run=run)["ok"] is True
    edge.wait_until(lambda: not edge.runtime.users.active())


def wait_for_footprint(server, before, bystander):
    deadline = time.monotonic() + 30
    while server.footprint() != before and time.monotonic() < deadline:
        bystander.still_hears()
    assert server.footprint() == before


@pytest.fixture
def mallory(edge, bystander, token):
    """Ready to misbehave."""
    with Client(edge.port, token) as client:
        client.hello()
        yield client


def answer_to(port: int, data: bytes) -> bytes:
    """Everything the server says to these bytes until it closes."""
    answer = b""
    with tcp(port) as peer:
        peer.sendall(data)
        while more := peer.recv(65_536):
            answer += more
    return answer


# Frames


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"type":"say","id":"1","body":"' + b"x" * 200_000 + b'"}', 1009),
        (b'{"type":"pong","x":"\xc3\x28"}', 1007),
        (deep(30_000).encode(), 4502),
        (b"\x00" * 1000, 4502),
    ],
    ids=["oversized", "not UTF-8", "deep", "zeros"],
)
def test_a_bad_frame_ends_its_own_connection_only(mallory, bystander, data, code):
    mallory.raw_text(data)
    assert mallory.closed_with() == code
    bystander.still_hears()


def test_so_does_a_binary_one(mallory, bystander):
    mallory.text(b"\x00\x01")
    assert mallory.closed_with() == 4502
    bystander.still_hears()


def test_a_frame_that_never_ends_is_cut_by_the_heartbeat(mallory, bystander, later):
    mallory.connection.socket.sendall(b"\x81\xfe\xff\xff\x00\x00\x00\x00{")
    wait_for(later, bystander, lambda: mallory.connection.close_code is not None)
    assert mallory.closed_with() == 4101


def test_a_client_that_never_reads_is_cut(later, edge, bystander, token):
    """Its socket fills, a write stalls, and the write guard or the backlog limit ends it."""
    with tcp(edge.port) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.sendall(f"{UPGRADE}Authorization: Bearer {token}\r\n\r\n".encode())
        assert peer.recv(12) == b"HTTP/1.1 101"
        send_text(peer, {"type": "hello"})
        for number in range(60):
            send_text(peer, {"type": "say", "id": str(number), "body": {"shout": 200_000}})
        wait_for(later, bystander, lambda: is_cut(peer))


def send_text(peer: socket.socket, frame: dict[str, object]) -> None:
    data = json.dumps(frame).encode()
    assert len(data) < 126
    peer.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)


def is_cut(peer: socket.socket) -> bool:
    try:
        peer.send(b"\x8a\x80\x00\x00\x00\x00")  # a WebSocket pong: says nothing
    except OSError:
        return True
    return False


def wait_for(later, bystander, condition) -> None:
    """While time passes, and the bystander keeps up with it."""
    deadline = time.monotonic() + 30
    while not condition():
        later.jump(5)
        bystander.still_hears()
        assert time.monotonic() < deadline


# Heads


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, b"HTTP/1.1 400 "),
        (b"\r\n\r\n\r\n\r\nhello\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET /live HTTP/1.0\r\n\r\n", b"HTTP/1.1 426 "),
        (UPGRADE.replace("1.1\r\n", "1.0\r\n", 1).encode() + b"\r\n", b"HTTP/1.1 400 "),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 505 "),
        (b"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n", b"HTTP/1.1 431 "),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", b"HTTP/1.1 431 "),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n", b"HTTP/1.1 431 "),
        (b"POST /live HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", b"HTTP/1.1 413 "),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 413 "),
        (b"GET /live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"HTTP/1.1 400 "),
        (UPGRADE.encode() + b"Authorization: Bearer \xff\xfe\r\n\r\n", b"HTTP/1.1 401 "),
        (UPGRADE.replace("13", "8").encode() + b"\r\n", b"HTTP/1.1 426 "),
    ],
    ids=[
        *("TLS", "garbage", "HTTP/1.0", "an upgrade in HTTP/1.0", "HTTP/2", "CONNECT"),
        *("no URL", "101 headers", "a header of 40 kB", "a path of 40 kB", "a body", "chunks"),
        *("two hosts", "a token of bytes", "an old WebSocket"),
    ],
)
def test_what_is_no_good_request_gets_an_answer_and_a_close(edge, bystander, data, answer):
    assert answer_to(edge.port, data)[:13] == answer
    bystander.still_hears()


def test_a_head_that_trickles_in_is_dropped_at_the_deadline(later, edge, bystander):
    with tcp(edge.port) as slowloris:
        slowloris.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")

        def is_dropped() -> bool:
            try:
                slowloris.sendall(b"X: y\r\n")
            except OSError:
                return True
            return False

        wait_for(later, bystander, is_dropped)


# Sockets


def test_sockets_that_vanish_in_the_midst_of_a_handshake_leave_nothing(edge, bystander, token):
    whole = f"{UPGRADE}Authorization: Bearer {token}\r\n\r\n".encode()
    for size in range(0, len(whole), 40):
        peer = tcp(edge.port)
        peer.sendall(whole[:size])
        vanish(peer)
    bystander.still_hears()


def test_sockets_that_vanish_right_after_the_handshake_leave_nothing(edge, bystander, token):
    hello = b"\x81\x90\x00\x00\x00\x00" + b'{"type":"hello"}'
    for extra in [b"", hello[:5], hello, hello * 3]:
        for _ in range(10):
            peer = tcp(edge.port)
            peer.sendall(f"{UPGRADE}Authorization: Bearer {token}\r\n\r\n".encode() + extra)
            vanish(peer)
    bystander.still_hears()


@pytest.fixture
def many_files():
    """Room for both ends of the flood's sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * FLOOD + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"needs {wanted} open files, the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_flood_of_half_open_sockets_pushes_itself_out(edge, bystander, token):
    tasks = edge.run_sync(count_tasks)
    with contextlib.ExitStack() as flood:
        for number in range(FLOOD):
            flood.enter_context(tcp(edge.port))
            if number % 50 == 49:
                bystander.still_hears()
                assert edge.run_sync(count_tasks) <= tasks + 64 + 10
            if number % 500 == 499:
                with Client(edge.port, token) as legitimate:
                    assert legitimate.hello()["type"] == "ready"
                    assert legitimate.story(id=str(number))[-1]["kind"] == "agent_completed"
        bystander.still_hears()


def test_a_hundred_sockets_of_one_user_that_end_at_once_leave_nothing(edge, bystander, token):
    with contextlib.ExitStack() as sockets:
        clients = [sockets.enter_context(Client(edge.port, token)) for _ in range(100)]
        for client in clients:
            client.send("hello")
        for client in clients:
            client.take("ready")
        for client in clients:
            with contextlib.suppress(OSError, ConnectionClosed):
                client.connection.socket.shutdown(socket.SHUT_RDWR)
        bystander.still_hears()
