"""Sockets that systemd hands over: which are taken, and what is said of those that are none."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from greenroom.transport.door.handed_over import take_handed_over
from greenroom.transport.door.listeners import CannotListen
from tests.protocol.client import Client
from tests.protocol.server import Server, serving, token_for

pytestmark = pytest.mark.requirement("R27")


def handed(sockets: int, pid: int | None = None) -> dict[str, str]:
    pid = os.getpid() if pid is None else pid
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": str(sockets), "PATH": "/bin"}


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_listening_socket_is_taken_once_and_no_child_believes_in_it(
    listening: socket.socket,
) -> None:
    first = os.dup(listening.fileno())
    os.set_inheritable(first, True)
    environ = handed(1)
    (taken,) = take_handed_over(environ, first=first)
    with taken:
        assert taken.getsockname() == listening.getsockname()
        assert not taken.get_inheritable()
    assert environ == {"PATH": "/bin"}
    assert take_handed_over(environ) == ()


@pytest.mark.parametrize("environ", [{}, {"LISTEN_FDS": "1"}, handed(1, pid=1), handed(0)])
def test_what_is_handed_to_another_process_or_nothing_is_not_taken(
    environ: dict[str, str],
) -> None:
    assert take_handed_over(environ, first=10_000) == ()
    assert set(environ) <= {"PATH"}


@pytest.mark.parametrize("number", ["", "-1", "one", "65", "9999999999", "¹"])
def test_a_number_of_sockets_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(CannotListen, match="LISTEN_FDS must be"):
        take_handed_over({**handed(1), "LISTEN_FDS": number})


@pytest.mark.parametrize(
    ("family", "kind", "why"),
    [
        (socket.AF_INET, socket.SOCK_DGRAM, "no TCP socket, but AF_INET, SOCK_DGRAM"),
        (socket.AF_UNIX, socket.SOCK_STREAM, "no TCP socket, but AF_UNIX"),
        (socket.AF_INET6, socket.SOCK_STREAM, "does not listen"),
    ],
)
def test_a_socket_that_cannot_accept_is_refused_with_its_number(
    family: int, kind: int, why: str
) -> None:
    with socket.socket(family, kind) as given:
        first = os.dup(given.fileno())
        with pytest.raises(CannotListen, match=f"descriptor {first}, .* {why}") as refused:
            take_handed_over(handed(1), first=first)
    assert "Accept=no" in refused.value.advice


def test_a_descriptor_that_is_no_socket_is_refused() -> None:
    reading, writing = os.pipe()
    with pytest.raises(CannotListen, match=f"descriptor {reading}, .* is no open socket"):
        take_handed_over(handed(1), first=reading)
    os.close(writing)
    with pytest.raises(CannotListen, match="no open socket"):
        take_handed_over(handed(1), first=60_000)


def test_a_server_accepts_from_all_of_them_and_leaves_them_open(
    listening: socket.socket,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as another:
        with serving(sockets=[listening, another]) as server:
            for each in (listening, another):
                with Client(each.getsockname()[1], token_for("alice")) as client:
                    assert client.hello()["user"] == "alice"
            restart_listeners(server)
            with Client(another.getsockname()[1], token_for("alice")) as client:
                assert client.hello()["user"] == "alice"
            server.run(server.runtime.drain)
            waiting = [
                socket.create_connection(each.getsockname()) for each in (listening, another)
            ]
        for each in waiting:
            each.close()
        with (
            serving(sockets=[another]),
            Client(another.getsockname()[1], token_for("alice")) as client,
        ):
            assert client.hello()["user"] == "alice"


def restart_listeners(server: Server) -> None:
    """Their sockets must be there the second time."""

    async def restart() -> None:
        await server.runtime.root.terminate_child("listeners")
        assert await server.runtime.root.restart_child("listeners")

    server.run(restart)
