"""examples/react, built, in Chromium: a chat with the demo's agent, and with one that asks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenroom.transport.auth.tokens import sign_token
from tests.clients.browser.sdk_page import DIST, ROOT
from tests.face.page.browser import NEEDS_CHROMIUM, SCREENSHOTS, SECRET, WAIT, Demo
from tests.system.processes import free_port

if TYPE_CHECKING:
    from playwright import sync_api as api

EXAMPLE = ROOT / "examples" / "react"
VITE = EXAMPLE / "node_modules" / ".bin" / "vite"
AGENT = "tests.clients.browser.asking_agent:agent"
ANSWERS = "article[data-status=ok]"

pytestmark = [
    NEEDS_CHROMIUM,
    pytest.mark.skipif(shutil.which("node") is None, reason="needs node"),
    pytest.mark.skipif(not VITE.exists(), reason="needs npm packages: `npm ci` in examples/react"),
    pytest.mark.skipif(not DIST.exists(), reason="needs the SDK: `npm run build` in clients/js"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    for step in (["tsc"], ["vite", "build", "--outDir", str(folder), "--emptyOutDir"]):
        command = [str(VITE.with_name(step[0])), *step[1:]]
        done = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@contextmanager
def shown(browser: api.Browser, built: Path, demo: Demo, token: str = "") -> Iterator[api.Page]:
    """The example's page, served by Vite, which hands its connections on to the server."""
    port = free_port()
    command = [str(VITE), "preview", "--outDir", str(built), "--port", str(port), "--strictPort"]
    environ = os.environ | {"GREENROOM_URL": demo.url, "NO_COLOR": "1"}
    where = ["--host", "127.0.0.1"]
    with subprocess.Popen(
        [*command, *where], cwd=EXAMPLE, env=environ, stdout=subprocess.PIPE, text=True
    ) as vite:
        context = browser.new_context()
        context.set_default_timeout(WAIT)
        try:
            assert vite.stdout is not None
            assert any("Local:" in line for line in vite.stdout), "it says where it is"
            page = context.new_page()
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"http://127.0.0.1:{port}/{token}")
            page.wait_for_selector(".connection[data-state=ready]")
            yield page
            assert errors == []
        finally:
            context.close()
            vite.terminate()


def answered(page: api.Page, count: int) -> list[str]:
    page.wait_for_selector(f"{ANSWERS} >> nth={count - 1}")
    return page.locator("article").all_inner_texts()


def test_the_react_example_asks_the_demo_shows_its_answer_and_goes_on_after_a_reload(
    browser: api.Browser, built: Path, tmp_path: Path
) -> None:
    demo = Demo(tmp_path / "journal.db", pace=0.01)
    demo.start()
    try:
        with shown(browser, built, demo) as page:
            page.get_by_role("button", name="Total cost by service").click()
            first = answered(page, 1)[0]
            assert re.search(r"load_table\s+done", first)
            assert "Compute" in page.locator("table").inner_text()
            page.locator("article .choices button").first.click()
            both = answered(page, 2)
            page.fill("form input", "Check every value")
            page.press("form input", "Enter")
            page.get_by_role("button", name="Stop").click()
            page.wait_for_selector("article[data-status=cancelled]")
            page.reload()
            again = answered(page, 2)
            assert [text.split("\n")[0] for text in again[:2]] == [
                text.split("\n")[0] for text in both
            ]
            assert len(again) == len(page.locator(".said").all()) == 3
            SCREENSHOTS.mkdir(exist_ok=True)
            page.screenshot(path=SCREENSHOTS / "react-example.png")
    finally:
        demo.end()


def test_the_react_example_has_an_agents_question_answered_by_a_button(
    browser: api.Browser, built: Path, tmp_path: Path
) -> None:
    server = Demo(tmp_path / "journal.db", pace=0)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    server.start("serve", AGENT, PYTHONPATH=path)
    try:
        token = f"#token={sign_token(SECRET, 'alice', 600)}"
        with shown(browser, built, server, token) as page:
            page.fill("form input", "Delete it")
            page.press("form input", "Enter")
            page.get_by_role("group", name="Are you sure?").get_by_role(
                "button", name="yes"
            ).click()
            assert "You said yes." in answered(page, 1)[0]
    finally:
        server.end()
