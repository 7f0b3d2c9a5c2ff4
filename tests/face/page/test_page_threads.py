"""The page lists the user's conversations: to open, begin, rename, archive and erase one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenroom.delivery.events.kinds import Kind
from tests.delivery.outbox.three_runs import THREADS, record
from tests.face.page.browser import (
    NEEDS_CHROMIUM,
    SCREENSHOTS,
    WAIT,
    Demo,
    OpenPage,
    ask,
    wait_live,
    wait_run,
    wait_until,
)
from tests.face.page.servers.played_server import PlayedServer
from tests.face.page.servers.stalling_path import stalling_path

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R50"), NEEDS_CHROMIUM]

SMALL: api.ViewportSize = {"width": 320, "height": 640}
QUESTION = "[data-testid=question-asked]"
OPEN = "[data-testid=thread][aria-current=true]"
FOCUSED = "document.activeElement.dataset.testid ?? document.activeElement.id"
NAMELESS = """() => [...document.querySelectorAll("#threads button, .top button")].filter(
    (button) => !(button.getAttribute("aria-label") ?? button.textContent).trim()
).length"""
OUTSIDE = """(selector) => [...document.querySelectorAll(selector)].filter((found) => {
    const { left, right, top, bottom } = found.getBoundingClientRect();
    return left < 0 || right > innerWidth || top < 0 || bottom > innerHeight;
}).length"""


def titles(page: api.Page) -> list[str]:
    return page.locator("[data-testid=thread] .title").all_inner_texts()


def wait_titles(page: api.Page, *expected: str) -> None:
    wait_until(page, lambda: titles(page) == list(expected))


def begin(page: api.Page, said: str) -> None:
    """Say something in a new conversation."""
    if page.is_visible("[data-testid=new-thread]"):
        page.click("[data-testid=new-thread]")
    ask(page, said)
    page.wait_for_selector(OPEN)


def choose(page: api.Page, title: str, act: str) -> None:
    page.click(f"#thread-list li:has-text('{title}') [data-testid=thread-menu]")
    page.click(f"[data-testid={act}-thread]")


def test_each_conversation_is_opened_with_its_history_its_questions_and_its_live_run(
    guided: Demo, open_page: OpenPage
) -> None:
    page = open_page(guided, url=guided.link("gus"))
    begin(page, "hello")
    page.wait_for_selector(f"{QUESTION}[data-state=open]")
    begin(page, "choose")
    wait_titles(page, "choose", "hello")
    page.wait_for_selector(f"{QUESTION} >> text=Delete 14 files?")
    waiting = page.locator("#thread-list [data-state=waiting]")
    wait_until(page, lambda: waiting.count() == 2)
    assert "Asks: What is your name?" in page.inner_text("#thread-list")
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "threads.png")
    page.focus("[data-testid=thread] >> nth=1")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{QUESTION} >> text=What is your name?")
    assert "Delete 14 files?" not in page.inner_text("main")
    assert page.inner_text(f"{OPEN} .title") == "hello"
    assert page.evaluate(FOCUSED) == "question"
    assert page.is_visible("[data-testid=stop]")
    page.fill(f"{QUESTION} input", "Gus")
    page.click("[data-testid=answer-form]")
    wait_run(page, "done")
    wait_titles(page, "hello", "choose")
    wait_until(page, lambda: waiting.count() == 1)
    page.click("[data-testid=thread] >> text=choose")
    page.click("[data-testid=option] >> text=no")
    wait_run(page, "done")
    assert page.locator("article.you").all_inner_texts() == ["choose"]


def test_a_title_given_by_the_agent_or_in_another_tab_shows_without_asking_by_hand(
    guided: Demo, open_page: OpenPage
) -> None:
    first = open_page(guided, url=guided.link("hal"))
    second = first.context.new_page()
    second.goto(guided.url)
    wait_live(second)
    begin(first, "title")
    for tab in (first, second):
        wait_titles(tab, "Named by the agent")
    assert first.title() == "Named by the agent · greenroom"
    choose(second, "Named by the agent", "rename")
    second.keyboard.type("Never mind")
    second.keyboard.press("Escape")
    assert titles(second) == ["Named by the agent"]
    choose(second, "Named by the agent", "rename")
    second.keyboard.type("<b>Mine</b>")
    second.keyboard.press("Enter")
    wait_titles(second, "<b>Mine</b>")
    first.evaluate("dispatchEvent(new Event('focus'))")  # the user looks at it
    wait_titles(first, "<b>Mine</b>")
    begin(first, "hello")
    first.wait_for_selector("[data-testid=stop]")
    choose(first, "Mine", "rename")
    first.keyboard.press("Escape")  # is not meant for the run
    first.click("[data-testid=stop]")
    wait_run(first, "stopped")
    assert first.locator("article.agent").count() == 1


def test_a_conversation_is_archived_brought_back_and_erased_only_when_asked_twice(
    guided: Demo, open_page: OpenPage
) -> None:
    with stalling_path(guided.port) as path:
        page = open_page(guided, url=guided.link("ida"))
        away = open_page(guided, url=f"{path.url}#{guided.link('ida').partition('#')[2]}")
        begin(page, "title")
        begin(page, "hello")
        wait_titles(page, "hello", "Named by the agent")
        choose(page, "Named", "archive")
        wait_titles(page, "hello")
        page.click("[data-testid=archived-threads]")
        wait_titles(page, "Named by the agent")
        choose(page, "Named", "archive")
        wait_titles(page)
        assert page.evaluate(FOCUSED) == "archived-threads"  # what had the focus is gone
        page.keyboard.press("Enter")
        wait_titles(page, "hello", "Named by the agent")
        other = page.context.new_page()
        other.goto(guided.url)
        for tab in (other, away):
            tab.click("[data-testid=thread] >> text=hello")
            tab.wait_for_selector(QUESTION)
        path.cut()
        away.wait_for_selector("[data-testid=connection][data-state=waiting]")
        choose(page, "hello", "erase")
        page.keyboard.press("Escape")
        page.wait_for_selector("[data-testid=confirm-erase]", state="hidden")
        assert page.is_visible(f"{QUESTION}[data-state=open]")
        choose(page, "hello", "erase")
        page.click("[data-testid=erase-for-good]")
        for tab in (page, other):
            wait_titles(tab, "Named by the agent")
            tab.wait_for_selector(QUESTION, state="detached")
        assert page.is_hidden("[data-testid=problem]")
        assert "was erased, in another tab" in other.inner_text("[data-testid=problem]")
        path.mend()
        away.wait_for_selector("[data-testid=problem] >> text=no longer kept")
        assert away.locator("article").count() == 0
        wait_titles(away, "Named by the agent")


def test_on_the_smallest_phone_a_drawer_shows_page_after_page_of_conversations(
    guided: Demo, open_page: OpenPage
) -> None:
    words = "An answer that is longer than the drawer has room for, and longer still"
    threads = [
        {
            "thread": THREADS[0] if n == 39 else f"thr_{n:026}",
            "title": f"{n} {'of a long series of words ' * 5}" if n else None,
            "created": 1,
            "updated": 1_700_000_000_000 - n,
            "runs": 1,
            "last": {"kind": "agent_failed", "text": words},
            "archived": False,
        }
        for n in range(40)
    ]
    page = open_page(guided, SMALL, url=guided.link("joe"))
    server = PlayedServer([record(1, Kind.AGENT_STARTED, agent="analyst")], threads=threads)
    server.play(page, THREADS[0])
    wait_live(page)
    page.click("[data-testid=open-threads]")
    page.wait_for_selector("[data-testid=thread] >> nth=29")
    page.click("[data-testid=more-threads]")
    page.wait_for_selector("[data-testid=thread] >> nth=39")
    assert page.is_hidden("[data-testid=more-threads]")
    assert page.locator(OPEN).count() == 1
    page.locator("[data-testid=thread-menu] >> nth=39").click()
    page.wait_for_selector("#thread-menu", state="visible")
    assert page.evaluate(OUTSIDE, "#thread-menu, .drawer") == 0
    assert page.evaluate(FOCUSED) == "rename-thread"
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert page.evaluate(NAMELESS) == 0
    page.screenshot(path=SCREENSHOTS / "threads-phone.png")
    page.keyboard.press("Escape")
    page.wait_for_selector("#thread-menu", state="hidden")
    page.keyboard.press("Escape")
    page.wait_for_selector(".drawer", state="hidden", timeout=WAIT)
    assert page.evaluate(FOCUSED) == "open-threads"
    assert page.is_enabled("[data-testid=stop]"), "Escape was not meant for the run"
