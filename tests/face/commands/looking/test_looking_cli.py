"""`greenroom tree`, `crashes`, `crash` against real servers, and against what is none."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shlex
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.face.cli import PATIENCE, SECRET, Result, command, environment, greenroom
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

TMUX = shutil.which("tmux")


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN, measure_cpu=True) as server:
        yield server


@pytest.fixture
def crashed(server: Server) -> Iterator[Server]:
    """A server on which alice's agent has crashed, and alice is still connected."""
    with Client(server.port, token_for("alice")) as alice:
        alice.hello()
        alice.ask("say", id="1", body="crash")
        alice.events(until="agent_failed")
        server.wait_until(lambda: bool(server.runtime.crashes()))
        yield server


def look(*arguments: str, cwd: Path, token: str | None = ADMIN) -> Result:
    return greenroom(*arguments, *(["--token", token] if token else []), cwd=cwd)


@pytest.mark.requirement("R42")
def test_tree_shows_the_live_tree_with_states_in_words(crashed: Server, tmp_path: Path) -> None:
    result = look("tree", "--url", url(crashed), cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("greenroom running · one_for_one")
    assert "user:alice running · rest_for_one" in result.out
    assert "running · ready" in result.out
    assert "outbox running" in result.out


def test_tree_as_json_is_the_servers_own(crashed: Server, tmp_path: Path) -> None:
    result = look("tree", url(crashed), "--json", "--children", "2", cwd=tmp_path)
    told = json.loads(result.out)
    assert told["schema"] == "greenroom.tree/1"
    assert [node["id"] for node in told["tree"]["children"]] == ["users", "passivation"]


@pytest.mark.requirement("R42")
def test_a_crash_is_listed_and_shown_with_where_it_came_from(
    crashed: Server, tmp_path: Path
) -> None:
    listed = look("crashes", url(crashed), cwd=tmp_path)
    lines = json.loads(look("crashes", url(crashed), "--json", cwd=tmp_path).out)["crashes"]
    id_ = lines[0]["id"]
    shown = look("crash", url(crashed), id_[:4], cwd=tmp_path)
    assert look("crash", id_[:4], "--url", url(crashed), cwd=tmp_path) == shown

    assert id_ in listed.out
    assert "RuntimeError: boom" in listed.out
    assert "crashed: RuntimeError: boom" in shown.out
    assert 'raise RuntimeError("boom")' in shown.out
    assert "narrator, " in shown.out
    saved = json.loads(look("crash", url(crashed), id_, "--json", cwd=tmp_path).out)
    assert (saved["schema"], saved["crash"]["id"]) == ("greenroom.crash/1", id_)


@pytest.mark.requirement("R42")
@pytest.mark.parametrize("line", ["port = {}", "port = 1\nurl = 'http://127.0.0.1:{}/'"])
def test_where_the_server_is_need_not_be_said(
    line: str,
    crashed: Server,
    tmp_path: Path,
) -> None:
    told = f"{line.format(crashed.port)}\nadmin_token = {ADMIN!r}\n"
    (tmp_path / "greenroom.toml").write_text(told, encoding="utf-8")

    def look(*arguments: str) -> str:
        result = greenroom(*arguments, cwd=tmp_path)
        assert (result.code, result.err) == (0, "")
        return result.out

    (crash,) = json.loads(look("crashes", "--json"))["crashes"]
    assert crash["id"] in look("crashes")
    assert "crashed: RuntimeError: boom" in look("crash", crash["id"][:4])
    assert look("crash", crash["id"], "--json") == look(
        "crash", url(crashed), crash["id"], "--json"
    )
    assert look("tree").startswith("greenroom running")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["crash"], "URL and an id; got 0"),
        (["crash", "http://127.0.0.1:1", "one", "two"], "URL and an id; got 3"),
        (["crash", "--url", "http://127.0.0.1:1"], "URL and an id; got 0 beside --url"),
        (["crash", "--url", "http://127.0.0.1:1", "two", "abc"], "got 2 beside --url"),
        (["crash", "abc"], "`port` is 0"),
        (["tree"], "`port` is 0"),
    ],
)
def test_what_cannot_be_meant_is_a_misuse(
    arguments: list[str],
    words: str,
    tmp_path: Path,
) -> None:
    told = f"port = 0\nadmin_token = {ADMIN!r}\n"
    (tmp_path / "greenroom.toml").write_text(told, encoding="utf-8")
    result = greenroom(*arguments, cwd=tmp_path)
    assert words in complaint(result)
    assert result.code == 2


def test_a_crash_that_is_not_kept_is_told_from_admin_being_off(
    server: Server, tmp_path: Path
) -> None:
    result = look("crash", url(server), "nosuchid", cwd=tmp_path)
    assert "no crash that is kept has an id that begins with 'nosuchid'" in result.err
    assert (result.code, result.out) == (1, "")


def test_no_crash_is_said_in_words(server: Server, tmp_path: Path) -> None:
    assert look("crashes", url(server), cwd=tmp_path).out == "nothing has crashed\n"


def complaint(result: Result) -> str:
    assert result.out == ""
    assert "Traceback" not in result.err
    return result.err


def test_a_server_with_admin_off_says_how_to_turn_it_on(tmp_path: Path) -> None:
    with serving() as server:
        result = look("tree", url(server), cwd=tmp_path)
    assert "has no admin endpoints" in complaint(result)
    assert "GREENROOM_ADMIN_TOKEN" in result.err
    assert result.code == 1


def test_a_wrong_token_is_told_from_all_else(server: Server, tmp_path: Path) -> None:
    result = look("crashes", url(server), cwd=tmp_path, token=ADMIN[::-1])
    assert "does not accept this admin token" in complaint(result)
    assert result.code == 1


def test_no_token_is_a_misuse(server: Server, tmp_path: Path) -> None:
    result = look("tree", url(server), cwd=tmp_path, token=None)
    assert "GREENROOM_ADMIN_TOKEN" in complaint(result)
    assert result.code == 2


def test_the_token_may_come_from_the_environment(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run(
        command(["tree", url(server)]),
        cwd=tmp_path,
        env=environment(None) | {"GREENROOM_ADMIN_TOKEN": ADMIN},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "listeners running" in done.stdout


def test_nobody_there_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = look("tree", f"http://127.0.0.1:{port}", cwd=tmp_path)
    assert "no server answers at" in complaint(result)
    assert "Connection refused" in result.err
    assert result.code == 1


@pytest.mark.parametrize("wrong", ["ftp://x", "http://:x", "http://a:b:c"])
def test_what_is_no_url_is_a_misuse(wrong: str, tmp_path: Path) -> None:
    result = look("tree", wrong, cwd=tmp_path)
    assert "the URL must have http:// or https://" in complaint(result)
    assert result.code == 2


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Some other web server."""

    status, body = 200, b"<html>"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None: ...


@contextlib.contextmanager
def elsewhere(status: int, body: bytes) -> Iterator[str]:
    handler = type("Handler", (Elsewhere,), {"status": status, "body": body})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{other.server_address[1]}"
        finally:
            other.shutdown()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b'{"schema": 1}'),
        (200, b"[]"),
        (404, b"no"),
        (404, b'{"error":1}'),
        (500, b"oh"),
    ],
)
def test_another_server_is_told_from_a_greenroom(status: int, body: bytes, tmp_path: Path) -> None:
    with elsewhere(status, body) as there:
        result = look("tree", there, cwd=tmp_path)
    assert re.search("not greenroom|cannot read|greenroom never", complaint(result))
    assert result.code == 1


def test_a_port_that_speaks_no_http_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:

        def answer() -> None:
            stream, _ = there.accept()
            with stream:
                stream.recv(100)
                stream.sendall(b"SSH-2.0-nothing\r\n")

        threading.Thread(target=answer, daemon=True).start()
        result = look("tree", f"http://127.0.0.1:{there.getsockname()[1]}", cwd=tmp_path)
    assert "does not speak HTTP" in complaint(result)


def test_watching_needs_a_terminal(server: Server, tmp_path: Path) -> None:
    result = look("tree", url(server), "--watch", cwd=tmp_path)
    assert "--watch needs a terminal" in complaint(result)
    assert result.code == 2


class Terminal:
    """A tmux session of its own that runs one command."""

    def __init__(self, arguments: list[str], cwd: Path) -> None:
        self._socket = f"greenroom-{uuid.uuid4().hex[:8]}"
        line = f"env GREENROOM_ADMIN_TOKEN={ADMIN} {shlex.join(arguments)}; echo ended $?; "
        line += "stty -a | tr ' ' '\\n' | grep -x -e -icanon -e -echo -e -isig; echo checked; cat"
        size = ["-x", "110", "-y", "24", "-c", str(cwd)]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, line)

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def wait_for(self, text: str) -> str:
        """The screen as soon as it shows this."""
        deadline = time.monotonic() + PATIENCE
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, f"{text!r} does not come up on\n{screen}"
            time.sleep(0.05)
        return screen

    def end(self) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        assert TMUX is not None
        done = subprocess.run(
            [TMUX, "-L", self._socket, *arguments],
            env=environment(SECRET) | {"LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.mark.requirement("R42")
@pytest.mark.skipif(TMUX is None, reason="needs tmux (apt-get install tmux)")
def test_the_tree_is_watched_sorted_searched_and_looked_into_on_a_plain_terminal(
    crashed: Server, tmp_path: Path
) -> None:
    terminal = Terminal(command(["tree", url(crashed), "--watch", "--every", "0.2"]), tmp_path)
    try:
        terminal.wait_for("user:alice")
        terminal.press("s")
        terminal.wait_for("sorted by waiting")
        terminal.press("/", "r", "u", "n", "s")
        terminal.wait_for("1 found")
        terminal.press("Enter", "Enter")
        assert "RuntimeError: boom" in terminal.wait_for("crashes, newest first")
        terminal.press("Escape")
        terminal.wait_for("/runs")
        crashed.run_sync(crashed.runtime.root._children["listeners"].cancel)
        terminal.wait_for("no server answers")
        terminal.press("q")
        after = terminal.wait_for("checked")
        assert after.split() == ["ended", "0", "checked"], "the terminal is as it was before"
    finally:
        terminal.end()
