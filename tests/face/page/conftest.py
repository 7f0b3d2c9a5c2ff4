"""A browser, demos to open in it, and pages on which no error goes unnoticed."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.face.page.browser import (
    CHROMIUM,
    DESKTOP,
    QUIET,
    SCREENSHOTS,
    WAIT,
    Demo,
    OpenPage,
    StartDemo,
    wait_live,
)

if TYPE_CHECKING:
    from playwright import sync_api as api


ROOT = Path(__file__).parents[3]
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="package")
def browser() -> Iterator[api.Browser]:
    from playwright.sync_api import sync_playwright  # the tests without a browser need it not

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[StartDemo]:
    started: list[Demo] = []

    def start(pace: float) -> Demo:
        demo = Demo(tmp_path / f"demo-{len(started)}.db", pace)
        started.append(demo)
        demo.start()
        return demo

    yield start
    for demo in started:
        demo.end()


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all tests that need no restart: each page is a user of its own."""
    demo = Demo(tmp_path_factory.mktemp("demo") / "journal.db", 0.01)
    demo.start()
    yield demo
    demo.end()


@contextmanager
def serving(directory: Path, agent: str) -> Iterator[Demo]:
    server = Demo(directory / "journal.db", 0.01)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    server.start("serve", agent, PYTHONPATH=path)
    yield server
    server.end()


@pytest.fixture(scope="package")
def guided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A server whose agent asks."""
    with serving(tmp_path_factory.mktemp("guided"), "tests.asks.page_agent:guide") as server:
        yield server


@pytest.fixture(scope="package")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A server whose agent takes files."""
    agent = "tests.face.page.files.files_agent:reader"
    with serving(tmp_path_factory.mktemp("files"), agent) as server:
        yield server


@pytest.fixture
def open_page(browser: api.Browser, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Each page it opens is a browser of its own; an error on a page fails the test.

    What the pages of a test that fails show is kept in `screenshots/`.
    """
    contexts: list[api.BrowserContext] = []
    errors: list[str] = []

    def open_page(
        demo: Demo,
        viewport: api.ViewportSize = DESKTOP,
        *,
        script: str = "",
        live: bool = True,
        url: str = "",
    ) -> api.Page:
        context = browser.new_context(viewport=viewport)
        context.set_default_timeout(WAIT)
        context.add_init_script(script)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url or demo.url)
        if live:
            wait_live(page)
        return page

    yield open_page
    SCREENSHOTS.mkdir(exist_ok=True)
    for index, context in enumerate(contexts):
        if request.node.stash[FAILED] or errors:
            context.pages[0].screenshot(path=SCREENSHOTS / f"{request.node.name}-{index}.png")
        context.close()
    assert errors == []
