"""The page takes care: of the focus, of what it says while it is away, of who is signed in."""

from __future__ import annotations

import signal

import pytest

from greenroom.delivery.events.kinds import Kind
from tests.delivery.outbox.three_runs import record
from tests.face.page.browser import (
    NEEDS_CHROMIUM,
    Demo,
    OpenPage,
    StartDemo,
    ask,
    attach,
    stored,
    wait_live,
    wait_run,
    wait_until,
)
from tests.face.page.servers.markdown_history import MARKDOWN_HISTORY, THREAD
from tests.face.page.servers.played_server import PlayedServer

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]

FOCUSED = "document.activeElement.dataset.testid ?? document.activeElement.tagName"
FOCUS_IN_VIEW = """() => {
    const focused = document.activeElement, { left, top, width, height } =
        focused.getBoundingClientRect();
    return focused.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""
CARD = "[data-testid=question-asked]"


def test_while_the_server_is_away_no_spinner_says_that_a_tool_goes_on(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(1.0)
    page = open_page(demo)
    attach(page)
    ask(page, "total cost by service")
    page.wait_for_selector(".spinner")
    spins = "getComputedStyle(document.querySelector('.spinner')).animationName"
    assert page.evaluate(spins) == "turn"
    assert page.inner_text("[data-testid=run-state]") == "Running load_table…"
    demo.end(signal.SIGKILL)
    page.wait_for_selector("[data-testid=connection][data-state=waiting]")
    assert page.evaluate(spins) == "none"


def test_the_focus_goes_to_the_box_to_ask_in_when_the_button_that_has_it_goes_away(
    guided: Demo, open_page: OpenPage
) -> None:
    page = open_page(guided, url=guided.link("lea"))
    ask(page, "choose")
    page.wait_for_selector(f"{CARD}[data-state=open]")
    page.focus("[data-testid=option] >> nth=0")
    page.keyboard.press("Enter")
    wait_run(page, "done")
    wait_until(page, lambda: page.evaluate(FOCUSED) == "question")


def test_escape_closes_an_open_menu_and_stops_no_run(guided: Demo, open_page: OpenPage) -> None:
    page = open_page(guided, url=guided.link("max"))
    ask(page, "choose")
    page.wait_for_selector(f"{CARD}[data-state=open]")
    page.click("[data-testid=open-user]")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-testid=user-menu]", state="hidden")
    assert page.is_enabled("[data-testid=stop]")
    page.keyboard.press("Escape")
    wait_run(page, "stopped")


def test_whoever_signs_out_leaves_nothing_on_screen_and_is_asked_for_a_token(
    guided: Demo, open_page: OpenPage
) -> None:
    page = open_page(guided, url=guided.link("ned"))
    ask(page, "hello")
    page.wait_for_selector(f"{CARD}[data-state=open]")
    page.click("[data-testid=open-user]")
    assert page.inner_text("[data-testid=user-menu] bdi") == "ned"
    page.click("[data-testid=sign-out]")
    page.wait_for_selector("[data-testid=token-form]")
    assert page.evaluate("localStorage.getItem('greenroom.token')") is None
    assert "hello" not in page.inner_text("body")
    assert page.evaluate(FOCUSED) == "token"
    page.goto(guided.link("ola"))
    wait_live(page)
    assert page.is_hidden("[data-testid=token-form]")


def test_a_run_that_failed_is_asked_again_and_a_long_message_is_folded(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    PlayedServer(MARKDOWN_HISTORY).play(page, THREAD)
    wait_run(page, "failed")
    assert page.locator("article.you .folded").count() == 1
    page.click("article.you >> text=Show all")
    assert page.locator("article.you .folded").count() == 0
    page.click("[data-testid=ask-again]")
    assert page.locator("article.you").count() == 2
    (said,) = stored(page, "unanswered")
    assert (said["body"], said["thread"]) == ("How much did we spend in May?\n" * 40, THREAD)
    assert page.evaluate(FOCUSED) == "question"


def test_what_has_the_focus_is_behind_no_bar_whichever_way_the_keyboard_goes(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo, {"width": 320, "height": 640})
    tools = [
        record(n, Kind.TOOL_EXECUTING, tool_call=f"c{n}", tool_name="look") for n in range(3, 33)
    ]
    begun = record(2, Kind.AGENT_STARTED, agent="analyst")
    PlayedServer([record(1, Kind.USER_SAID, body="Hm?", say="s1"), begun, *tools]).play(
        page, THREAD
    )
    page.wait_for_selector("[data-offset='32']", state="attached")
    page.click("[data-testid=open-plug]")
    page.focus("[data-testid=delivery]")
    for key in ["Shift+Tab"] * 25 + ["Tab"] * 25:
        page.keyboard.press(key)
        assert page.evaluate(FOCUS_IN_VIEW), page.evaluate(FOCUSED)
