"""The units that the documentation prints: systemd reads them, and hands a socket over."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.printed import printed
from tests.protocol.client import Client
from tests.protocol.server import SECRET, token_for
from tests.system.processes import free_port

PROGRAMS = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
AGENT = "async def agent(run, said):\n    await run.final_report(report=said)\n"
UNITS = {
    "operations": ("greenroom.socket", "greenroom.service"),
    "deploy": ("chat.socket", "chat.service"),
}


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(program) is None, reason=f"needs {program} (apt-get install systemd)"
    )


def command(page: str) -> list[str]:
    """What the printed service starts, with this environment's programs."""
    unit = printed("ini", "ExecStart=", page)
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    program, *options = line.split()
    return [str(PROGRAMS / Path(program).name), *options]


@needs("systemd-analyze")
@pytest.mark.parametrize("page", UNITS)
def test_systemd_finds_nothing_wrong_in_the_printed_units(page: str, tmp_path: Path) -> None:
    for name in UNITS[page]:
        unit = printed("ini", f"/{name}", page)
        here = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={command(page)[0]}", unit)
        (tmp_path / name).write_text(here)
    files = [str(tmp_path / name) for name in UNITS[page]]
    environ = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:/lib/systemd/system"}
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if re.search(r"greenroom|chat", line)]
    assert (done.returncode, ours) == (0, [])


@contextmanager
def activated(port: int, started: list[str], **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """systemd's own launcher opens the port, and starts the command with the first client."""
    process = subprocess.Popen(
        ["systemd-socket-activate", "--listen", f"127.0.0.1:{port}"]
        + [f"--setenv={name}={value}" for name, value in environ.items()]
        + started,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        assert b"Listening on" in process.stderr.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


@needs("systemd-socket-activate")
@pytest.mark.parametrize("page", UNITS)
def test_a_server_takes_the_socket_that_systemd_opened_and_drains_on_its_signal(
    page: str, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(AGENT)
    started = command(page)
    if page == "operations":
        started[started.index("--journal") + 1] = str(tmp_path / "g.db")
        environ, path, said = {"GREENROOM_SECRET": SECRET}, "/live", "hello"
        environ["PYTHONPATH"] = str(tmp_path)
    else:
        started[1] = "tests.face.asgi.service:app"
        environ, path, said = {"PYTHONPATH": str(ROOT)}, "/greenroom/live", "0"
    port = free_port()
    with activated(port, started, **environ) as process:
        uri = f"ws://127.0.0.1:{port}{path}"
        with Client(port, token_for("alice"), uri=uri) as client:
            client.hello()
            assert client.story(said)[-2]["kind"] == "final_report"
            process.send_signal(signal.SIGTERM)
            assert client.closed_with() == 1001
        process.communicate(timeout=30)
        assert process.returncode in (0, -signal.SIGTERM)
