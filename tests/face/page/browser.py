"""The page in a real browser: a demo's process to talk to, and what tests do on the page."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.transport.auth.tokens import sign_token
from tests.system.processes import free_port

if TYPE_CHECKING:
    from playwright import sync_api as api

CHROMIUM = os.environ.get("GREENROOM_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EXAMPLE = Path(__file__).parents[3] / "examples" / "csv_analyst.py"
SCREENSHOTS = Path(__file__).parents[3] / "screenshots"
DESKTOP: api.ViewportSize = {"width": 1180, "height": 860}
PHONE: api.ViewportSize = {"width": 360, "height": 740}
WAIT = 20_000  # ms; how long the slowest machine may take, not how long it takes

SECRET = "a secret of the tests, 32 bytes or more"
COSTS = "service,cost\nCompute,100\nStorage,40\nCompute,50\nEmail,5\n"
PASTE = """text => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    const how = {clipboardData: data, bubbles: true, cancelable: true};
    const question = document.querySelector("[data-testid=question]");
    question.dispatchEvent(new ClipboardEvent("paste", how));
}"""
PAINTED = """() => new Promise(
    painted => requestAnimationFrame(() => setTimeout(painted)) // a chart is drawn with its frame
)"""
CLIENTS = {"position", "unanswered"}
"""What the client keeps over a reload; the rest is the page's."""
SHOWN = "() => [...document.querySelectorAll('[data-offset]')].map(e => Number(e.dataset.offset))"

NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="needs Chromium and playwright (apt-get install chromium; pip install playwright)",
)


class Demo:
    """`greenroom demo` as a process of its own, on one port and one journal over restarts."""

    def __init__(self, journal: Path, pace: float) -> None:
        self.journal, self.pace, self.port = journal, pace, free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.process: subprocess.Popen[str] | None = None

    def start(self, *command: str, **environ: str) -> None:
        """`environ`: further variables, such as settings."""
        where = ["--port", str(self.port), "--journal", str(self.journal)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "greenroom", *(command or ["demo"]), *where],
            env=os.environ
            | {"GREENROOM_DEMO_PACE": str(self.pace), "GREENROOM_SECRET": SECRET}
            | environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.url in self.process.stdout.readline(), "it prints where it is, once it is up"

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.communicate(timeout=30)
            self.process = None

    def token(self, user: str) -> str:
        """As whoever runs the server makes one."""
        command = [sys.executable, "-m", "greenroom", "token", "--user", user]
        environ = os.environ | {"GREENROOM_SECRET": SECRET}
        return subprocess.check_output(command, env=environ, text=True).strip()

    def link(self, user: str) -> str:
        """What signs a browser in: the page's address with a token of this user."""
        return f"{self.url}#token={sign_token(SECRET, user, 3_600)}"

    def accepted(self) -> list[tuple[int, str]]:
        """(offset, kind) of every event in the journal; the tests that ask have one user."""
        found = JournalReader(self.journal).read()
        return [(one.record.offset, str(one.record.kind)) for one in found]


StartDemo = Callable[[float], Demo]
OpenPage = Callable[..., "api.Page"]


def wait_live(page: api.Page) -> None:
    page.wait_for_selector("[data-testid=connection][data-state=live]")


def duplicate(page: api.Page) -> api.Page:
    with page.context.expect_page() as popup:
        page.evaluate("window.open(location.href)")  # copies sessionStorage, as duplicating does
    wait_live(popup.value)
    return popup.value


def stored(page: api.Page, name: str) -> Any:
    """What the page, or its client, keeps over a reload under this name."""
    return json.loads(page.evaluate(f"sessionStorage.getItem({_key(name)}) ?? 'null'"))


def store(page: api.Page, name: str, value: object) -> None:
    text = json.dumps(value)
    page.evaluate(f"text => sessionStorage.setItem({_key(name)}, text)", text)


def _key(name: str) -> str:
    if name in CLIENTS:
        return f"`greenroom:${{new URL('live', document.baseURI)}}:{name}`"
    return f"'greenroom.{name}'"


def attach(page: api.Page, text: str = COSTS) -> None:
    page.evaluate(PASTE, text)
    page.wait_for_selector("[data-testid=chip]")


def ask(page: api.Page, question: str) -> None:
    page.fill("[data-testid=question]", question)
    page.click("[data-testid=send]")


def wait_run(page: api.Page, state: str, nth: int = 0) -> None:
    page.wait_for_selector(f"article.agent[data-state={state}] >> nth={nth}", timeout=60_000)
    page.evaluate(PAINTED)


def wait_answering(page: api.Page) -> None:
    """A few chunks of the answer are on screen, and more are to come."""
    page.wait_for_selector("[data-kind=partial_result] >> nth=1", state="attached")


def wait_until(page: api.Page, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT / 1_000
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)  # playwright's events come while it waits


def assert_shows_all(page: api.Page, demo: Demo) -> None:
    """Every accepted event is on screen, in order, once."""
    accepted = [offset for offset, _ in demo.accepted()]
    page.wait_for_selector(f"[data-offset] >> nth={len(accepted) - 1}", state="attached")
    assert sorted(page.evaluate(SHOWN)) == accepted


def expired_token(user: str) -> str:
    return sign_token(SECRET, user, 60, now=time.time() - 120)


def give_token(page: api.Page, token: str) -> None:
    page.wait_for_selector("[data-testid=token-form]")
    page.fill("[data-testid=token]", token)
    page.press("[data-testid=token]", "Enter")
