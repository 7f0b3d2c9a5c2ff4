"""The pages that docs/ag-ui.md and docs/ai-sdk.md print, and the agent printed there."""

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

from tests.clients.browser.sdk_page import ROOT
from tests.face.asgi.uvicorn_process import free_port, uvicorn
from tests.face.page.browser import NEEDS_CHROMIUM, WAIT

if TYPE_CHECKING:
    from playwright import sync_api as api

PACKAGES = ROOT / "clients" / "js" / "node_modules"
VITE = PACKAGES / ".bin" / "vite"
INDEX = '<!doctype html><div id="root"></div><script type="module" src="{}"></script>'
LONG = "Mint " * 500  # it takes 25 s to say that again
REACT = """import { createRoot } from "react-dom/client";
import App from "./App";
createRoot(document.querySelector("#root")!).render(<App />);
"""

pytestmark = [
    NEEDS_CHROMIUM,
    pytest.mark.skipif(shutil.which("node") is None, reason="needs node"),
    pytest.mark.skipif(not VITE.exists(), reason="needs npm packages: `npm ci` in clients/js"),
]


def printed(page: str, language: str) -> str:
    """The first block in this language on a page of the docs."""
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the agent of the page on AG-UI."""
    folder = tmp_path_factory.mktemp("agent")
    code = printed("ag-ui.md", "python").replace("chat.db", ":memory:").replace("0.2", "0.05")
    (folder / "app.py").write_text(code)
    with uvicorn("app:app", "--app-dir", str(folder)) as (_, port):
        yield port


@contextmanager
def shown(browser: api.Browser, folder: Path, port: int, **files: str) -> Iterator[api.Page]:
    """A page of these files, built by Vite and served beside the agent as the docs say."""
    config = printed("ag-ui.md", "js").replace("8700", str(port))
    files = {"vite_config.js": config, **files}
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    (folder / "node_modules").symlink_to(PACKAGES)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "tsconfig.json").write_text('{"compilerOptions": {"jsx": "react-jsx"}}')
    (folder / "index.html").write_text(INDEX.format(f"/{name.replace('_', '.', 1)}"))
    built = subprocess.run([VITE, "build"], cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    where = ["--host", "127.0.0.1", "--strictPort", "--port", str(own := free_port())]
    environ = os.environ | {"NO_COLOR": "1"}
    with subprocess.Popen(
        [VITE, "preview", *where], cwd=folder, env=environ, stdout=subprocess.PIPE, text=True
    ) as vite:
        page = browser.new_page()
        page.set_default_timeout(WAIT)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            assert vite.stdout is not None
            assert any("Local:" in line for line in vite.stdout), "it says where it is"
            page.goto(f"http://127.0.0.1:{own}/")
            page.wait_for_function("() => document.querySelector('input')")
            yield page
            assert errors == []
        finally:
            page.close()
            vite.terminate()


def say(page: api.Page, text: str) -> None:
    page.fill("input", text)
    page.click("text=Send")


def test_the_page_for_ag_ui_streams_asks_and_stops(
    browser: api.Browser, agent: int, tmp_path: Path
) -> None:
    with shown(browser, tmp_path, agent, main_ts=printed("ag-ui.md", "ts")) as page:
        page.on("dialog", lambda asked: asked.accept())
        say(page, "Thyme")
        page.wait_for_selector("text=assistant: Thyme grows in bed 3.")
        page.wait_for_selector("text=tool: watered")
        page.wait_for_selector("button:enabled >> text=Send")
        say(page, LONG)
        page.wait_for_selector("text=assistant: Mint")
        page.click("text=Stop")
        page.wait_for_selector("button:enabled >> text=Send")
        assert page.inner_text("pre").count("tool:") == 1


def test_the_page_for_the_ai_sdk_streams_asks_while_a_tool_executes_and_stops(
    browser: api.Browser, agent: int, tmp_path: Path
) -> None:
    files = {"App_tsx": printed("ai-sdk.md", "tsx"), "main_tsx": REACT}
    with shown(browser, tmp_path, agent, **files) as page:
        say(page, "Thyme")
        page.wait_for_selector("text=water: input-available")
        page.click("text=No")
        page.wait_for_selector("text=question: output-denied")
        page.wait_for_selector("text=water: output-available")
        say(page, LONG)
        page.wait_for_selector("p:has-text('Mint') >> nth=1")
        page.click("text=Stop")
        page.wait_for_selector("button:enabled >> text=Send")
        assert page.locator("p:has-text('Yes')").count() == 0
        say(page, "Thyme")
        page.wait_for_selector("p:has-text('Yes')")
        page.click("text=Stop")
        page.wait_for_selector("p:has-text('Yes')", state="detached")
