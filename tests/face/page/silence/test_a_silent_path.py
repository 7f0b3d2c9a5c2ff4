"""A path that falls silent, on the browser's own clock: what the page shows, and before what.

A timer of the page's own measures: timers of one page fire in the order in which they are due,
however busy the machine is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.face.page.browser import NEEDS_CHROMIUM, Demo, OpenPage, wait_live
from tests.face.page.servers.stalling_path import StallingPath, stalling_path

pytestmark = [pytest.mark.requirement("R34"), pytest.mark.fault("C6"), NEEDS_CHROMIUM]

AGENT = Path(__file__).parents[1] / "servers" / "long_answers.py"
HEARTBEAT = 1
SHOWN_FIRST = """([wake, ms]) => new Promise((resolve) => {
    const connection = document.querySelector("[data-testid=connection]");
    const watched = { attributes: true, attributeFilter: ["data-state"] };
    new MutationObserver(() => resolve(connection.dataset.state)).observe(connection, watched);
    setTimeout(() => resolve("nothing"), ms);
    if (wake) document.dispatchEvent(new Event(wake));
})"""
"""What the connection's state becomes first, or that `ms` pass without another one."""


@pytest.fixture
def beating(tmp_path: Path) -> Iterator[Demo]:
    server = Demo(tmp_path / "journal.db", 0.01)
    server.start("serve", f"{AGENT}:agent", GREENROOM_HEARTBEAT=str(HEARTBEAT))
    yield server
    server.end()


@pytest.fixture
def path(demo: Demo) -> Iterator[StallingPath]:
    with stalling_path(demo.port) as path:
        yield path


def test_three_seconds_after_it_wakes_a_page_shows_that_it_reconnects(
    path: StallingPath, demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo, url=path.url)
    path.stall()
    assert page.evaluate(SHOWN_FIRST, ["resume", 3_000]) in ("waiting", "connecting")
    wait_live(page)


def test_without_a_wake_a_page_shows_it_after_one_and_a_half_heartbeats(
    beating: Demo, open_page: OpenPage
) -> None:
    with stalling_path(beating.port) as path:
        link = beating.link("ada").replace(beating.url, path.url)
        page = open_page(beating, url=link)
        path.stall()
        limit = 1_500 * HEARTBEAT + 250  # bytes that came just before are read first
        assert page.evaluate(SHOWN_FIRST, ["", limit]) in ("waiting", "connecting")
        wait_live(page)
