"""Clients behind uvicorn that stop reading: what they cost, and how long."""

from __future__ import annotations

import http.client
import socket

import pytest

from tests.protocol.asgi_servers import serving_by
from tests.protocol.client import Client
from tests.protocol.server import token_for

PIECE = "x" * 2_000
MOST = 5_000  # events until a client that reads nothing must have been noticed
WINDOW = 2 * 256 * 1024  # what the outbox lets wait for a socket

pytestmark = [pytest.mark.requirement("R12"), pytest.mark.requirement("R40")]


@pytest.fixture(scope="module")
def server():
    with serving_by("uvloop", heartbeat=1.0, send_buffer=4_096) as server:
        yield server


def narrow(server):
    """A socket that takes little."""
    taking = socket.socket()
    taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    taking.connect(("127.0.0.1", server.port))
    return taking


def connections(server, user):
    found = [each for each in server.runtime.users.active() if each.user == user]
    return [child.value for each in found for child in each.connections.which_children()]


async def flood(server, user, most_waiting):
    """Speak until the client is cut; note how much waited for it at most."""
    async with server.runtime.run(user=user, agent="speaker") as run:
        for _ in range(MOST):
            await run.partial_result(text=PIECE)
            refs = connections(server, user)
            if not refs:
                return
            waiting = [ref._actor.writer.waiting for ref in refs if ref._actor is not None]
            most_waiting.append(max(waiting, default=0))


def test_a_socket_that_is_not_read_is_cut_and_what_waits_for_it_is_bounded(server):
    token = token_for("sam")
    with Client(server.port, token, max_queue=1, sock=narrow(server)) as client:
        client.hello()
        most_waiting: list[int] = []
        server.run(flood, server, "sam", most_waiting)
        server.wait_until(lambda: not connections(server, "sam"))
    assert 0 < max(most_waiting) <= WINDOW + 256 * 1024


@pytest.mark.requirement("R49")
def test_an_event_stream_that_is_not_read_is_cut_and_what_waits_for_it_is_bounded(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.sock = narrow(server)
    connection.request(
        "GET", "/live/events", headers={"Authorization": f"Bearer {token_for('kim')}"}
    )
    most_waiting: list[int] = []
    server.wait_until(lambda: bool(connections(server, "kim")))
    server.run(flood, server, "kim", most_waiting)
    server.wait_until(lambda: not connections(server, "kim"))
    connection.close()
    assert 0 < max(most_waiting) <= WINDOW + 256 * 1024
