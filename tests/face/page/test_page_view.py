"""What the page shows of a conversation: the newest, the earlier, the stopped; its charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenroom.delivery.events.kinds import JSON, Kind
from tests.delivery.outbox.three_runs import THREADS, record
from tests.face.page.browser import NEEDS_CHROMIUM, Demo, OpenPage, wait_run, wait_until
from tests.face.page.servers.played_server import PlayedServer

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]

GROW = """([times, where]) => {
    // Each time right after the page has followed, before the browser tells it that it moved.
    const grow = () => {
        const tall = document.createElement("p");
        tall.style.height = "500px";
        document.querySelector(where).append(tall);
    };
    return new Promise((done) => new ResizeObserver((_, observer) => {
        if (times-- > 0) return grow();
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(done));
    }).observe(document.querySelector("main")));
}"""
BELOW = "document.documentElement.scrollHeight - innerHeight - scrollY"
IN_VIEW = """selector => {
    const { top, bottom } = document.querySelector(selector).getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
}"""
AT_THE_END = """new MutationObserver(() => {
    const done = document.querySelector("article.agent[data-state=done] .answer");
    if (done) globalThis.atTheEnd ??= done.innerText;
}).observe(document, {subtree: true, attributes: true, attributeFilter: ["data-state"]});"""
"""What of the answer is on screen in the very moment in which it is said to be done."""
CUT_OFF = """() => [...document.querySelectorAll("#conversation :not(.unseen)")]
    .filter((each) => each.clientHeight && getComputedStyle(each).overflowY !== "visible"
        && each.scrollHeight > each.clientHeight + 1)
    .map((each) => each.className)"""
DAYS = [f"2026-0{1 + day // 28}-{1 + day % 28:02}" for day in range(60)]
DRAW = """async (days) => {
    const { drawChart } = await import("/chart.js");
    const chart = { type: "line", x: days, y: days.map((_, i) => i) };
    document.getElementById("conversation").append(drawChart(chart, "By day"));
}"""
NAMES = """() => [...document.querySelectorAll("[data-testid=chart] .tick")].map((name) => {
    const { left, right } = name.getBoundingClientRect();
    return [left, right];
})"""
CHART = """() => {
    const { left, right } = document.querySelector(".chart svg").getBoundingClientRect();
    return [left, right];
}"""


def scroll_y(page: api.Page) -> float:
    return float(page.evaluate("scrollY"))


def test_the_view_follows_what_is_new_however_fast_it_comes_until_the_user_looks_back(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    page.evaluate(GROW, [4, "#conversation"])
    wait_until(page, lambda: page.evaluate(BELOW) < 2)
    followed = scroll_y(page)
    assert followed > 0
    page.mouse.move(400, 300)
    page.mouse.wheel(0, -700)
    wait_until(page, lambda: abs(scroll_y(page) - (followed - 700)) < 1)
    page.evaluate(GROW, [2, "#conversation"])
    assert abs(scroll_y(page) - (followed - 700)) < 1


def test_a_conversation_too_long_to_draw_at_once_shows_what_was_earlier_when_asked(
    demo: Demo, open_page: OpenPage
) -> None:
    texts = [f"<{number}>" for number in range(2, 20)]
    log = [
        record(1, Kind.AGENT_STARTED, agent="analyst"),
        *[record(n, Kind.PARTIAL_RESULT, text=text) for n, text in enumerate(texts, 2)],
    ]
    page = open_page(demo)
    PlayedServer(log, page=1).play(page, THREADS[0])
    page.wait_for_selector("[data-testid=earlier]")
    assert page.text_content("[data-testid=answer]") == "".join(texts[-15:])
    page.click("[data-testid=earlier]")
    page.wait_for_selector("[data-testid=earlier]", state="hidden")
    assert page.text_content("[data-testid=answer]") == "".join(texts)
    assert page.locator("article.agent").count() == 1


@pytest.mark.requirement("R45")
def test_the_pieces_of_a_thought_are_one_text_though_some_were_merged_and_some_fetched(
    demo: Demo, open_page: OpenPage
) -> None:
    thinking = Kind.AGENT_THINKING
    history = [
        record(1, Kind.AGENT_STARTED, agent="analyst"),
        record(2, thinking, text="Let ", thought=0, index=0),
        record(3, thinking, text="me ", thought=0, index=1),
    ]
    live = [
        record(2, Kind.SUPERSEDED, through=3),
        record(4, thinking, text="Let me see", thought=0, index=2, merges=[2, 3]),
        record(5, thinking, text="Whole."),
        record(6, Kind.TOOL_EXECUTING, tool_call="c", tool_name="look"),
        record(7, thinking, text=": one", thought=0, index=3),
        record(8, thinking, text="Two", thought=1, index=0),
    ]
    page = open_page(demo)
    server = PlayedServer(history, live)
    server.play(page, THREADS[0])
    page.wait_for_selector("[data-offset='8']", state="attached")
    thoughts = page.locator(".thinking p").all_text_contents()
    assert thoughts == ["Let me see: one", "Whole.", "Two"]
    wait_until(page, lambda: {2, 3, 4, 5, 7, 8} <= server.displayed)


def test_a_run_that_ended_meanwhile_is_stopped_without_complaint(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    log = [record(1, Kind.AGENT_STARTED, agent="analyst")]
    end = [record(2, Kind.AGENT_FAILED, reason="lost")]
    server = PlayedServer(log, on_cancel=end)
    server.play(page, THREADS[0])
    page.click("[data-testid=stop]")
    wait_run(page, "failed")
    assert page.is_hidden("[data-testid=problem]")


def test_a_new_conversation_does_not_hide_a_run_that_goes_on(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    PlayedServer([record(1, Kind.AGENT_STARTED, agent="analyst")]).play(page, THREADS[0])
    page.wait_for_selector("[data-testid=stop]")
    page.click("[data-testid=new-thread]")
    page.wait_for_selector("[data-testid=problem] >> text=stop it first")
    assert page.is_visible("[data-testid=stop]")


@pytest.mark.parametrize("width", [360, 1_000])
def test_the_names_below_a_line_do_not_overlap(demo: Demo, open_page: OpenPage, width: int) -> None:
    page = open_page(demo, {"width": width, "height": 700})
    page.evaluate(DRAW, DAYS)
    page.wait_for_selector("[data-testid=chart] .tick >> nth=1", state="attached")
    names, (left, right) = page.evaluate(NAMES), page.evaluate(CHART)
    edges = [left, *[edge for name in names for edge in name], right]
    assert edges == sorted(edges)


def test_the_question_stays_in_view_while_the_answer_grows_past_the_window(
    demo: Demo, open_page: OpenPage
) -> None:
    line = "A line of an answer that goes on for longer than the window is tall.\n\n"
    log = [
        record(1, Kind.USER_SAID, body="How much?", say="say-1"),
        record(2, Kind.AGENT_STARTED, agent="analyst"),
        *[record(n, Kind.PARTIAL_RESULT, text=line, index=n) for n in range(3, 60)],
    ]
    page = open_page(demo)
    PlayedServer(log[:1], log[1:]).play(page, THREADS[0])
    page.wait_for_selector("[data-offset='59']", state="attached")
    wait_until(page, lambda: page.evaluate(BELOW) > 500)
    assert page.evaluate(IN_VIEW, ".you")


def test_who_has_read_on_is_not_taken_back_by_what_comes(demo: Demo, open_page: OpenPage) -> None:
    log = [
        record(1, Kind.USER_SAID, body="How much?", say="say-1"),
        record(2, Kind.AGENT_STARTED, agent="analyst"),
        record(3, Kind.PARTIAL_RESULT, text="So much.\n\n" * 80, index=0),
    ]
    page = open_page(demo)
    PlayedServer(log).play(page, THREADS[0])
    page.wait_for_selector("[data-offset='3']", state="attached")
    page.evaluate("scrollTo(0, 900)")
    page.evaluate(GROW, [2, "[data-testid=answer]"])
    assert page.evaluate("scrollY") == 900


def test_past_many_steps_the_view_follows_to_the_beginning_of_the_answer(
    demo: Demo, open_page: OpenPage
) -> None:
    calls = [record(n, Kind.TOOL_EXECUTING, tool_call=f"c{n}", tool_name="t") for n in range(3, 40)]
    log = [
        record(1, Kind.USER_SAID, body="How much?", say="say-1"),
        record(2, Kind.AGENT_STARTED, agent="analyst"),
        *calls,
        record(40, Kind.PARTIAL_RESULT, text="# Two\n\n" + "So much.\n\n" * 80, index=0),
    ]
    page = open_page(demo)
    PlayedServer(log[:1], log[1:]).play(page, THREADS[0])
    page.wait_for_selector("[data-offset='40']", state="attached")
    wait_until(page, lambda: bool(page.evaluate(IN_VIEW, "[data-testid=answer] :first-child")))
    assert not page.evaluate(IN_VIEW, ".you")
    assert page.evaluate(IN_VIEW, "[data-testid=asked]")
    assert page.inner_text("[data-testid=asked]") == "How much?"
    assert page.inner_text("[data-testid=run-state]") == "Running t, t, t and 34 more…"


def test_what_says_that_an_answer_is_done_stands_above_all_of_it(
    demo: Demo, open_page: OpenPage
) -> None:
    log = [
        record(1, Kind.USER_SAID, body="How much?", say="say-1"),
        record(2, Kind.AGENT_STARTED, agent="analyst"),
        record(3, Kind.PARTIAL_RESULT, text="So much.", index=0),
        record(4, Kind.AGENT_COMPLETED, outcome="ok"),
    ]
    page = open_page(demo, script=AT_THE_END)
    PlayedServer(log[:1], log[1:]).play(page, THREADS[0])
    wait_run(page, "done")
    assert page.evaluate("atTheEnd") == "So much."


def test_what_is_printed_is_whole_and_what_a_run_used_is_told(
    demo: Demo, open_page: OpenPage
) -> None:
    usage: dict[str, JSON] = {"input_tokens": 1_200, "output_tokens": 40}
    log = [
        record(1, Kind.USER_SAID, body="word " * 2_000, say="say-1"),
        record(2, Kind.AGENT_STARTED, agent="analyst"),
        record(3, Kind.PARTIAL_RESULT, text="Much.\n\n" * 200, index=0),
        record(4, Kind.AGENT_COMPLETED, outcome="ok", usage=usage),
    ]
    page = open_page(demo)
    PlayedServer(log).play(page, THREADS[0])
    assert page.text_content("[data-testid=usage]") == "1,200 input tokens · 40 output tokens"
    assert page.evaluate(CUT_OFF) == ["prose folded"]
    page.emulate_media(media="print")
    assert page.evaluate(CUT_OFF) == []
    assert page.is_hidden(".you button")
