"""What docs/remote.md tells to type, and the example of a worker, do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from greenroom.services.entries import KINDS
from tests.protocol.server import SECRET
from tests.services.program import kept, kinds, service_token

pytestmark = pytest.mark.requirement("R46")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "remote.md").read_text(encoding="utf-8")


def run(server, *command):
    binaries = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"URL": f"http://127.0.0.1:{server.port}", "GREENROOM_SECRET": SECRET}
    environ = {**os.environ, **own, "PATH": binaries}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_lines_for_curl_speak_to_a_user(server):
    (script,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    run(server, "bash", "-euc", script)
    events = kept(server, "alice")
    assert (
        kinds(events)
        == [
            *("agent_started", "agent_thinking", "partial_result", "agent_completed"),
        ]
        or kinds(events).count("partial_result") == 2
    )
    said = "".join(e["data"]["text"] for e in events if e["kind"] == "partial_result")
    assert said == "The total is 120."


def test_the_worker_of_the_examples_speaks_to_a_user(server):
    script = str(ROOT / "examples" / "asyncio_worker.py")
    here = f"http://127.0.0.1:{server.port}"
    said = run(server, sys.executable, script, here, service_token(), "walt")
    assert "final_report" in said
    assert kinds(kept(server, "walt"))[-2:] == ["final_report", "agent_completed"]


def test_every_kind_of_entry_is_on_the_page():
    assert [kind for kind in KINDS if f"`{kind}`" not in PAGE] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--user", "a", "--user", "b"], "--service"),
        (["--user", "a", "--agent", "b"], "--service"),
        (["--service", "s", "--user", "a*b"], "only the end may be `*`"),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_words(options, words):
    command = [sys.executable, "-m", "greenroom", "token", "--secret", SECRET, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode != 0, done.stdout, "Traceback" in done.stderr) == (True, "", False)
    assert words in done.stderr
