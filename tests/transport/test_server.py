"""The server: its port, its limits, and what stays when its listeners go."""

import errno
import socket
import sqlite3
from contextlib import ExitStack, closing

import pytest
import trio
from websockets.exceptions import InvalidMessage

from greenroom.delivery.events.ids import ConnectionId, IdSource
from greenroom.transport.door.listeners import CannotListen, PortBusy, open_listeners
from tests.protocol.client import Client, refusal
from tests.protocol.server import serving, token_for
from tests.scenarios.stage import begin

pytestmark = pytest.mark.requirement("R37")


async def test_a_busy_port_is_an_error_that_says_so():
    (listener,) = await open_listeners("127.0.0.1", 0)
    port = listener.socket.getsockname()[1]
    async with listener:
        with pytest.raises(PortBusy, match=f"port {port} of 127.0.0.1 is in use") as caught:
            await open_listeners("127.0.0.1", port)
    assert "--port" in caught.value.advice


def test_a_second_server_on_the_port_does_not_start_and_leaves_the_first_alone():
    with serving() as server:
        with pytest.raises((PortBusy, BaseExceptionGroup)) as caught, serving(port=server.port):
            pass
        assert isinstance(caught.value, PortBusy) or caught.group_contains(PortBusy)
        with Client(server.port, token_for("alice")) as client:
            assert client.hello()["user"] == "alice"


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
async def test_an_address_that_is_not_ours_is_an_error_that_names_it(host):
    with pytest.raises(CannotListen, match=host):
        await open_listeners(host, 0)


def test_listeners_that_crash_come_back_on_the_same_port_and_no_socket_is_lost(monkeypatch):
    with serving() as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        accepted = trio.SocketListener.accept

        async def fail_once(self):
            monkeypatch.setattr(trio.SocketListener, "accept", accepted)
            raise OSError(errno.EIO, "the network card caught fire")

        monkeypatch.setattr(trio.SocketListener, "accept", fail_once)
        with socket.create_connection(("127.0.0.1", server.port)) as waking:
            assert waking.recv(1) == b"", "what was not yet a connection is dropped"
        server.wait_until(lambda: server.runtime.tree().find("greenroom/listeners").restarts == 1)
        assert client.story()[-1]["kind"] == "agent_completed"
        with Client(server.port, token_for("bob")) as another:
            assert another.hello()["user"] == "bob"


def restarts(server) -> int:
    return server.run_sync(server.runtime.tree).find("greenroom/listeners").restarts


def test_while_there_are_no_file_handles_it_waits_and_goes_on(monkeypatch, caplog):
    with serving() as server:
        accepted = trio.SocketListener.accept

        async def exhausted(self):
            monkeypatch.setattr(trio.SocketListener, "accept", accepted)
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(trio.SocketListener, "accept", exhausted)
        refusal(server.port, None)
        with Client(server.port, token_for("alice")) as client:
            assert client.hello()["user"] == "alice"
        assert restarts(server) == 0
    assert "cannot accept a socket now" in caplog.text


def test_a_welcome_that_fails_is_logged_and_closes_its_own_socket_only(monkeypatch, caplog):
    new = IdSource.new

    def fail_once(self, kind):
        if kind is not ConnectionId:
            return new(self, kind)
        monkeypatch.undo()
        raise RuntimeError("no ids today")

    with serving() as server:
        monkeypatch.setattr(IdSource, "new", fail_once)
        with pytest.raises(InvalidMessage), Client(server.port, token_for("alice")):
            pass
        with Client(server.port, token_for("alice")) as client:
            assert client.hello()["user"] == "alice"
    assert "no ids today" in caplog.text


@pytest.mark.fault("P8")
@pytest.mark.requirement("R02", "R10")
def test_a_damaged_journal_is_told_once_in_the_log_and_to_who_asks_whether_it_is_ready(
    tmp_path, caplog
):
    path = tmp_path / "journal.db"
    with serving(journal=path) as server, Client(server.port, token_for("alice")) as client:
        assert server.probe("readyz") == (200, "ready\n")
        client.hello()
        client.story({"shout": 10_000})
    with closing(sqlite3.connect(path)) as database:
        log = "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'log'"
        roots = database.execute(log).fetchall()
    with path.open("r+b") as file:
        for (page,) in roots:
            file.seek((page - 1) * 4096)
            file.write(b"\xa5" * 4096)

    with serving(journal=path) as server:
        refused = [refusal(server.port, token_for(user)) for user in ("alice", "alice", "bob")]
        assert server.probe("readyz") == (503, "not ready: the journal is damaged\n")
        assert server.probe("livez")[0] == 200
        server.run(server.runtime.drain)
    assert [status for status, _ in refused] == [503] * 3
    assert str(path) not in str(refused)
    (alarm,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"{path} is not a journal or is damaged" in alarm
    assert "`greenroom journal check`" in alarm
    (unserved,) = [text for text in caplog.messages if text.startswith("could not be served")]
    assert "is damaged" in unserved


def test_while_draining_the_port_is_closed_and_runs_go_on_to_their_end_before_their_users_eyes():
    with ExitStack() as open_sockets:
        server = open_sockets.enter_context(serving(drain_seconds=30.0))
        a, b = (open_sockets.enter_context(Client(server.port, token_for(who))) for who in "ab")
        for client in (a, b):
            client.hello()
        run = a.ask("say", id="1", body="wait")["run"]
        a.events(until="agent_thinking")
        drained = begin(server, server.runtime.drain)
        assert b.closed_with() == 1001, "no run of b's goes on"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
        a.send("say", id="2", body="hello")  # for the next server
        assert a.ask("cancel", id="3", run=run)["ok"] is True
        assert a.closed_with() == 1001
        drained.result(timeout=30)
        assert a.events()[-1]["data"] == {"outcome": "cancelled"}
        assert a.take("closing")["reconnect"]["after_ms"] == 500
        assert a.kept == [], "the second message is not answered"
        assert not server.run_sync(
            lambda: [u.live_runs for u in server.runtime.users.active() if u.live_runs]
        )


@pytest.mark.parametrize("limit", [2_000, 70_000])
def test_the_largest_frame_is_a_setting(limit):
    with serving(max_frame_bytes=limit) as server, Client(server.port, token_for("a")) as client:
        client.hello()
        assert client.ask("say", id="1", body="x" * (limit - 100))["ok"] is True
        client.send("say", id="2", body="x" * limit)
        assert client.closed_with() == 1009
