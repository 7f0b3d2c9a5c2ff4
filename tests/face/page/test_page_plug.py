"""The page shows how far each answer has come, and what comes of it when its plug is pulled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.face.page.browser import (
    NEEDS_CHROMIUM,
    Demo,
    OpenPage,
    StartDemo,
    ask,
    assert_shows_all,
    attach,
    wait_live,
    wait_run,
    wait_until,
)

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]

STRIP = "[data-testid=delivery]"
OUTCOME = "[data-testid=plug-outcome]"
FRAMES = "[data-testid=wire] summary code"


def shows(page: api.Page, words: str) -> None:
    wait_until(page, lambda: re.search(words, page.inner_text(OUTCOME)) is not None)


@pytest.mark.requirement("R13")
def test_below_an_answer_stands_how_far_it_has_come_and_on_demand_each_event(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    page.click("[data-testid=example] >> nth=0")
    wait_run(page, "done")
    page.evaluate("scrollTo(0, 0)")
    wait_until(page, lambda: page.locator(f"{STRIP} .whole").count() >= 2)
    page.click(STRIP)
    page.wait_for_selector(".strip tbody tr")
    rows = page.locator(".strip tbody tr").all_inner_texts()
    kinds = [row.split("\t")[1] for row in rows]
    assert kinds[0] == "agent_started"
    assert kinds[-1] == "agent_completed"
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    wait_until(page, lambda: page.locator(f"{STRIP} .whole").count() == 3)
    words = page.inner_text(STRIP)
    assert [part in words for part in ("on disk", "received", "seen")] == [True] * 3
    assert " of " not in words


def test_the_wire_shows_each_frame_and_no_token(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(demo)
    page.click("[data-testid=open-plug]")
    page.click("[data-testid=show-wire]")
    page.click("[data-testid=drop-connection]")
    wait_until(page, lambda: page.locator(FRAMES).all_inner_texts().count("ready") >= 2)
    assert "hello" in page.locator(FRAMES).all_inner_texts()
    assert "eyJ" not in page.inner_text("[data-testid=wire]")


def test_a_dropped_connection_is_back_with_all_that_was_missed_and_nothing_twice(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.1)
    page = open_page(demo)
    attach(page)
    ask(page, "total cost by service")
    page.wait_for_selector("[data-testid=tool-call]")
    page.click("[data-testid=open-plug]")
    page.click("[data-testid=drop-connection]")
    shows(
        page,
        r"^Reconnected in [\d.]+ m?s: (nothing was missed|\d+ events? caught up, none twice)\.$",
    )
    wait_run(page, "done")
    assert_shows_all(page, demo)


def test_a_copy_of_the_tab_says_that_it_has_a_session_of_its_own(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    page.click("[data-testid=open-plug]")
    with page.context.expect_page() as popup:
        page.click("[data-testid=duplicate-tab]")
    wait_live(popup.value)
    popup.value.click("[data-testid=open-plug]")
    shows(popup.value, "This tab is a copy")
    shows(page, "A copy of this tab is open")


@pytest.mark.requirement("R56")
def test_a_server_that_the_page_kills_is_back_by_itself_and_the_run_goes_on(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.2)
    page = open_page(demo)
    page.click("[data-testid=open-plug]")
    attach(page)
    ask(page, "total cost by service")
    page.wait_for_selector("[data-testid=tool-call]")
    page.click("[data-testid=kill-server]")
    shows(
        page,
        r"killed and started again; reconnected in [\d.]+ m?s: .*(caught up, none twice|nothing)",
    )
    wait_run(page, "done")
    assert page.inner_text(".earlier-attempt summary") == "Before the interruption"
    assert page.locator("[data-testid=report]").count() == 1
    assert_shows_all(page, demo)


def test_a_server_that_is_no_demo_offers_no_kill(guided: Demo, open_page: OpenPage) -> None:
    page = open_page(guided, url=guided.link("kim"))
    page.click("[data-testid=open-plug]")
    assert page.is_visible("[data-testid=drop-connection]")
    assert page.is_hidden("[data-testid=kill-server]")
