"""A page that imports the built SDK, in a real browser, from a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenroom.transport.auth.tokens import sign_token
from tests.clients.browser.sdk_page import DIST, OpenSdk, Server, wait_state
from tests.face.page.browser import CHROMIUM, QUIET, SECRET, WAIT, expired_token

if TYPE_CHECKING:
    from playwright import sync_api as api

PAGE = Path(__file__).parent / "page.html"
OPEN = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
"""Chromium takes what `_serve` answers for a page from elsewhere, and bars it from this machine."""


@pytest.fixture(scope="package")
def browser() -> Iterator[api.Browser]:
    from playwright.sync_api import sync_playwright  # it may be missing

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, OPEN])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("sdk") / "journal.db", 0)
    server.begin()
    yield server
    server.end()


@pytest.fixture
def open_sdk(
    browser: api.Browser, server: Server, request: pytest.FixtureRequest
) -> Iterator[OpenSdk]:
    """A page of its own user and browser.

    `url`: where it finds the server; `is_expired`: which tokens are, by what they are for.
    """
    contexts: list[api.BrowserContext] = []
    errors: list[str] = []

    def open_sdk(
        url: str = "", script: str = "", is_expired: Callable[[str], bool] = lambda reason: False
    ) -> api.Page:
        context = browser.new_context()
        contexts.append(context)
        context.set_default_timeout(WAIT)
        url = url or server.url
        context.route(f"{url}sdk/**", _serve)
        context.add_init_script(f"window.server = {url!r}; {script}")
        user = request.node.name

        def token(reason: str) -> str:
            return expired_token(user) if is_expired(reason) else sign_token(SECRET, user, 600)

        context.expose_function("token", token)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{url}sdk/page.html")
        wait_state(page, "ready")
        return page

    yield open_sdk
    for context in contexts:
        context.close()
    assert errors == []


def _serve(route: api.Route) -> None:
    name = route.request.url.rpartition("/")[2]
    route.fulfill(path=PAGE if name == PAGE.name else DIST / name)
