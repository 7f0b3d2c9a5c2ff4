"""examples/ag_ui: a chat in the terminal, by AG-UI's own client, with the demo's server."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.clients.browser.sdk_page import ROOT
from tests.protocol.front_ends.agent import agent
from tests.protocol.server import serving, token_for

EXAMPLE = ROOT / "examples" / "ag_ui"
PACKAGES = ROOT / "clients" / "js" / "node_modules"  # the example's own have the same client

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="needs node"),
    pytest.mark.skipif(
        not (PACKAGES / "@ag-ui").exists(), reason="needs npm packages: `npm ci` in clients/js"
    ),
]


def test_what_is_typed_is_answered_and_a_question_is_asked(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    with serving(agent=agent) as server:
        where = {
            "GREENROOM_URL": f"http://127.0.0.1:{server.port}",
            "GREENROOM_TOKEN": token_for("alice"),
        }
        chat = subprocess.run(
            [str(shutil.which("node")), "chat.js"],
            cwd=tmp_path / "example",
            env=where,
            input="tools\nask\nyes\n",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert chat.returncode == 0, chat.stderr
    assert '[add {"a":1}]\n[→ 2]' in chat.stdout
    assert "Sure? (yes, no) yestwo" in chat.stdout
