"""A server to talk to, and what tests do on a page of the SDK."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.face.page.browser import Demo

if TYPE_CHECKING:
    from playwright import sync_api as api

ROOT = Path(__file__).parents[3]
DIST = ROOT / "clients" / "js" / "dist"
AGENT = "tests.clients.browser.agent:count"

OpenSdk = Callable[..., "api.Page"]


class Server(Demo):
    """`greenroom serve` with the agent that counts, on one port and one journal over restarts."""

    def begin(self) -> None:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self.start("serve", AGENT, PYTHONPATH=path)


def wait_state(page: api.Page, state: str) -> None:
    page.wait_for_function("state => window.client?.state === state", arg=state)


def say(page: api.Page, **said: Any) -> None:
    """It is waited for by none: an answer may come after a reload."""
    page.evaluate("said => void client.say(said)", said)


def wait_delivered(page: api.Page, count: int) -> None:
    page.wait_for_function("count => delivered().length >= count", arg=count)


def assert_delivered(page: api.Page, count: int) -> None:
    """As many events, all that the server keeps: each once, in order."""
    wait_delivered(page, count)
    assert page.evaluate("delivered()") == list(range(1, count + 1)) == page.evaluate("kept()")
