"""`greenroom serve` on a terminal, and where nobody reads it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from greenroom.commands.serve import signed_in
from greenroom.settings import Settings
from tests.face.cli import command, environment

SECRET = "a secret of the tests, 32 bytes or more"
AGENT = "async def agent(run, said): ...\n"
URL = "http://127.0.0.1:8700/"


@contextmanager
def served(tmp_path: Path, stdout: int) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "app.py").write_text(AGENT)
    words = command(["serve", "app.py:agent", "--port", "0", "--journal", ":memory:"])
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment(SECRET), stdout=stdout, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def test_on_a_terminal_it_prints_a_link_that_is_signed_in(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    with served(tmp_path, slave), os.fdopen(master, "rb") as shown:
        os.close(slave)
        shown.readline()
        found = re.search(r"(http://127.0.0.1:\d+/)#token=(\S+)", shown.readline().decode())
        assert found is not None
        head = {"Authorization": f"Bearer {found[2]}"}
        with urlopen(Request(f"{found[1]}whoami", headers=head)) as answer:
            assert json.load(answer)["user"] == "developer"


def test_where_nobody_reads_it_no_token_is_printed(tmp_path: Path) -> None:
    with served(tmp_path, subprocess.PIPE) as process:
        assert process.stdout is not None
        announced = process.stdout.readline()
        process.terminate()
        assert b"token" not in announced + process.stdout.read()


def test_a_server_for_other_machines_or_without_a_secret_has_no_such_link() -> None:
    assert signed_in(Settings(secret=SECRET), URL) is not None
    assert signed_in(Settings(secret=SECRET, host="0.0.0.0"), URL) is None
    assert signed_in(Settings(secret=SECRET, host="::1"), URL) is not None
    assert signed_in(Settings(), URL) is None
