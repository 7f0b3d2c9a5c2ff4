"""The demo in a real browser: what a user sees over reloads, stops, crashes and other users."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.outbox.folding import fold
from tests.delivery.outbox.three_runs import THREADS, record
from tests.face.page.browser import (
    EXAMPLE,
    NEEDS_CHROMIUM,
    PHONE,
    SCREENSHOTS,
    WAIT,
    Demo,
    OpenPage,
    StartDemo,
    ask,
    assert_shows_all,
    attach,
    give_token,
    store,
    stored,
    wait_answering,
    wait_live,
    wait_run,
    wait_until,
)
from tests.face.page.servers.played_server import PlayedServer

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]


def test_a_pasted_table_and_a_question_give_tools_a_report_a_table_and_a_chart(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.01)
    page = open_page(demo)
    attach(page)
    assert "4 rows × 2 columns" in page.inner_text("[data-testid=chip]")
    ask(page, "total cost by service")
    wait_run(page, "done")
    tools = page.locator("[data-testid=tool-call] code").all_inner_texts()
    assert tools == ["load_table", "answer"]
    cells = page.locator("[data-testid=report] tbody td").all_inner_texts()
    assert cells == ["Compute", "150", "2", "Storage", "40", "1", "Email", "5", "1"]
    assert page.locator("[data-testid=chart] .bar").count() == 3
    description = page.locator("[data-testid=chart] desc").text_content()
    assert description == "Compute: 150; Storage: 40; Email: 5"
    page.click("#next button >> text=Anything unusual in cost?")  # offered by the report
    wait_run(page, "done", nth=1)
    assert_shows_all(page, demo)


def test_a_reload_in_the_middle_of_a_run_loses_nothing_and_doubles_nothing(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.3)
    page = open_page(demo)
    attach(page)
    ask(page, "total cost by service")
    page.wait_for_selector("[data-testid=tool-call]")
    page.reload()
    page.wait_for_selector("[data-testid=stop]")  # the run goes on, and can still be stopped
    for _ in range(2):
        wait_answering(page)
        page.reload()
    wait_run(page, "done")
    assert_shows_all(page, demo)
    assert page.locator("[data-testid=report]").count() == 1
    answer = page.inner_text("[data-testid=answer]")
    assert answer.startswith("Total cost by service: the highest of 3 groups is 150 (Compute)")


def test_a_place_that_was_stored_late_only_makes_history_and_replay_overlap(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.05)
    page = open_page(demo)
    attach(page)
    ask(page, "total cost by service")
    wait_run(page, "done")
    store(page, "position", {**stored(page, "position"), "offset": 2})
    page.reload()
    wait_run(page, "done")
    ask(page, "how many rows by service")
    wait_run(page, "done", nth=1)
    assert_shows_all(page, demo)


def test_a_reload_before_the_answer_to_a_question_sends_it_once(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.01)
    page = open_page(demo)
    attach(page)
    page.fill("[data-testid=question]", "total cost by service")
    with page.expect_navigation():
        page.evaluate("document.querySelector('[data-testid=send]').click(); location.reload()")
    wait_run(page, "done")
    assert [kind for _, kind in demo.accepted()].count("user_said") == 1
    assert_shows_all(page, demo)


@pytest.mark.parametrize("how", ["button", "escape", "button after a reload"])
def test_a_run_can_be_stopped(start_demo: StartDemo, open_page: OpenPage, how: str) -> None:
    demo = start_demo(1.0)
    page = open_page(demo)
    attach(page)
    ask(page, "total cost by service")
    page.wait_for_selector("[data-testid=tool-call]")
    if how.endswith("reload"):
        page.reload()
        page.wait_for_selector("[data-testid=tool-call]")
    if how == "escape":
        page.keyboard.press("Escape")
    else:
        page.click("[data-testid=stop]")
    wait_run(page, "stopped")
    assert page.is_visible("[data-testid=send]")
    assert page.is_hidden("[data-testid=stop]")
    assert demo.accepted()[-1][1] == "agent_completed"
    assert_shows_all(page, demo)


@pytest.mark.requirement("R28", "R35")
def test_a_killed_server_comes_back_and_the_page_with_it(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.3)
    page = open_page(demo)
    attach(page)
    ask(page, "total cost by service")
    wait_answering(page)
    demo.end(signal.SIGKILL)
    page.wait_for_selector("[data-testid=connection] >> text=Reconnecting")
    demo.pace = 0.01
    demo.start()
    wait_live(page)
    wait_run(page, "done")  # the run goes on by itself
    assert demo.accepted()[-1][1] == "agent_completed"
    assert_shows_all(page, demo)
    ask(page, "how many rows by service")  # the table is remembered, and life goes on
    wait_run(page, "done", nth=1)
    assert_shows_all(page, demo)


def test_a_question_asked_while_the_server_is_away_is_answered_when_it_is_back(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.01)
    page = open_page(demo)
    demo.end(signal.SIGKILL)
    attach(page)
    ask(page, "total cost by service")
    page.wait_for_selector(".you.unsent >> text=Not sent yet")
    demo.start()
    wait_run(page, "done")
    assert_shows_all(page, demo)


@pytest.mark.requirement("R08", "R23")
def test_two_browsers_are_two_users_and_see_only_their_own(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.05)
    pages = [open_page(demo), open_page(demo)]
    for page, secret in zip(pages, ["Apricot", "Blueberry"], strict=True):
        attach(page, f"fruit,cost\n{secret},1\n{secret},2\nother,3\n")
        ask(page, "total cost by fruit")
    for page in pages:
        wait_run(page, "done")
    first, second = (page.inner_text("main") for page in pages)
    assert "Apricot" in first
    assert "Blueberry" not in first
    assert "Blueberry" in second
    assert "Apricot" not in second
    users = {one.record.user for one in JournalReader(demo.journal).read()}
    assert len(users) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_all_without_scrolling_sideways(
    start_demo: StartDemo, open_page: OpenPage, scheme: Literal["light", "dark"]
) -> None:
    demo = start_demo(0.01)
    page = open_page(demo, PHONE)
    page.emulate_media(color_scheme=scheme)
    widths = [page.evaluate("document.documentElement.scrollWidth")]
    page.click("[data-testid=sample]")
    wait_run(page, "done")
    page.wait_for_selector("[data-testid=chart] svg")
    page.click("[data-testid=tool-call] summary >> nth=0")
    widths.append(page.evaluate("document.documentElement.scrollWidth"))
    demo.end(signal.SIGKILL)
    page.wait_for_selector("[data-testid=connection][data-state=waiting]")
    widths.append(page.evaluate("document.documentElement.scrollWidth"))
    assert widths == [360, 360, 360]


def test_everything_can_be_done_from_the_keyboard(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.1)
    page = open_page(demo)
    focused = "document.activeElement.dataset.testid"
    assert page.evaluate(focused) == "question"
    for _ in range(20):
        if page.evaluate(focused) == "sample":
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    wait_run(page, "done")
    page.focus("[data-testid=question]")
    page.keyboard.type("cost")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("per month")
    page.keyboard.press("Enter")
    wait_run(page, "done", nth=1)
    assert page.locator("[data-testid=chart] .line").count() == 1
    ask(page, "check every value")
    page.wait_for_selector("[data-testid=stop]")
    page.keyboard.press("Escape")
    wait_run(page, "stopped")


@pytest.mark.requirement("R13")
def test_what_was_on_screen_is_reported_displayed(demo: Demo, open_page: OpenPage) -> None:
    frames: list[str] = []
    page = open_page(demo)
    page.on("websocket", lambda ws: ws.on("framesent", lambda data: frames.append(str(data))))
    page.reload()
    wait_live(page)
    page.click("[data-testid=sample]")
    wait_run(page, "done")
    wait_until(page, lambda: any('"type":"displayed"' in frame for frame in frames))
    assert any('"type":"ack"' in frame for frame in frames)


@pytest.mark.requirement("R12")
def test_a_page_that_lagged_shows_and_reports_the_same_as_one_that_did_not(
    demo: Demo, open_page: OpenPage
) -> None:
    """Also when history brought some of what comes folded."""
    texts = [f"{number} " * (5_000 if number > 97 else 1) for number in range(1, 100)]
    pieces = [record(n, Kind.PARTIAL_RESULT, text=text) for n, text in enumerate(texts, 2)]
    log = [
        record(1, Kind.AGENT_STARTED, agent="analyst"),
        *pieces,
        record(101, Kind.FINAL_REPORT, report={"saving": "10%"}),
    ]
    folded = [*fold(log[1:51]).records, *fold(log[51:]).records]
    page = open_page(demo)
    for known in (1, 70):
        server = PlayedServer(log[:known], folded)
        server.play(page, THREADS[0])
        page.wait_for_selector("[data-testid=report]")
        assert page.text_content("[data-testid=answer]") == "".join(texts)
        look_at_all(page)
        wait_until(page, partial(server.displayed.issuperset, range(1, 102)))
        assert server.displayed == set(range(1, 102))
        assert server.acked == 101


def look_at_all(page: api.Page) -> None:
    page.evaluate("""async () => {
        const painted = () => new Promise((done) =>
            requestAnimationFrame(() => setTimeout(done, 20)));
        for (let top = 0; top < document.documentElement.scrollHeight; top += innerHeight / 2) {
            scrollTo({ top });
            await painted();
        }
    }""")


def test_too_large_a_table_is_refused_in_words(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(demo)
    noise = "a,b\n" + os.urandom(150_000).hex()
    file: api.FilePayload = {"name": "noise.csv", "mimeType": "text/csv", "buffer": noise.encode()}
    page.set_input_files("[data-testid=file]", files=[file])
    page.wait_for_selector("[data-testid=problem]")
    assert "too large to send, even compressed" in page.inner_text("[data-testid=problem]")


def test_a_large_table_that_packs_well_is_sent_packed(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(demo)
    rows = "service,cost\n" + "Compute,1\nStorage,2\n" * 20_000
    file: api.FilePayload = {"name": "many.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    page.set_input_files("[data-testid=file]", files=[file])
    page.wait_for_selector("[data-testid=chip]")
    ask(page, "total cost by service")
    wait_run(page, "done")
    cells = page.locator("[data-testid=report] tbody td").all_inner_texts()
    assert cells == ["Storage", "40,000", "20,000", "Compute", "20,000", "20,000"]


def test_markup_in_a_table_stays_text(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(demo)
    attach(page, 'name,cost\n"<img src=x onerror=boom()>",1\n<b>b</b>,2\n')
    ask(page, "total cost by name")
    wait_run(page, "done")
    assert "<b>b</b>" in page.inner_text("[data-testid=report]")
    assert page.locator("main img").count() == 0


@pytest.mark.requirement("R37")
def test_the_demos_agent_is_a_template_served_with_real_tokens(
    browser: api.Browser, tmp_path: Path
) -> None:
    demo = Demo(tmp_path / "served.db", 0.01)
    demo.start("serve", f"{EXAMPLE}:agent")
    page = browser.new_page()
    page.set_default_timeout(WAIT)
    try:
        page.goto(demo.url)
        give_token(page, demo.token("alice"))
        wait_live(page)
        attach(page)
        ask(page, "total cost by service")
        wait_run(page, "done")
        assert_shows_all(page, demo)
        assert {str(one.record.user) for one in JournalReader(demo.journal).read()} == {"alice"}
        page.screenshot(path=SCREENSHOTS / "served-with-a-token.png")
    finally:
        page.close()
        demo.end()
