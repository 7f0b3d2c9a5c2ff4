"""The page shows an agent's question as buttons or a small form, until it has its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.face.page.browser import (
    NEEDS_CHROMIUM,
    PHONE,
    SCREENSHOTS,
    Demo,
    OpenPage,
    ask,
    wait_live,
    wait_run,
    wait_until,
)

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R44"), NEEDS_CHROMIUM]

CARD = "[data-testid=question-asked]"


def text_of(page: api.Page, what: str = CARD) -> str:
    return page.inner_text(what)


def test_options_are_buttons_and_the_choice_is_the_answer(
    guided: Demo, open_page: OpenPage
) -> None:
    page = open_page(guided, url=guided.link("ann"))
    ask(page, "choose")
    page.wait_for_selector(f"{CARD}[data-state=open]")
    buttons = page.locator("[data-testid=option]").all_inner_texts()
    assert buttons == ["yes", "no", '{"keep":3}']
    assert page.inner_text("[data-testid=run-state]") == "Waiting for you"
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "question-options.png")
    page.click("[data-testid=option] >> nth=2")
    wait_run(page, "done")
    assert "keep" in page.inner_text("[data-testid=report]")
    assert page.get_attribute(CARD, "data-state") == "answered"
    assert page.locator("[data-testid=option]").count() == 0


def test_a_schema_is_a_small_form_that_gives_values_of_its_types(
    guided: Demo, open_page: OpenPage
) -> None:
    page = open_page(guided, PHONE, url=guided.link("ben"))
    ask(page, "fill in")
    page.wait_for_selector(f"{CARD} form")
    page.fill(f"{CARD} input[type=text] >> nth=0", "Rome")
    page.click("[data-testid=answer-form]")
    assert page.get_attribute(CARD, "data-state") == "open", "the browser asks for the rest"
    page.fill(f"{CARD} input[type=number]", "2")
    page.select_option(f"{CARD} select", label="double")
    page.check(f"{CARD} input[type=checkbox]")
    page.fill(f"{CARD} textarea", "Milan, by train\n\n Siena \n")
    page.screenshot(path=SCREENSHOTS / "question-form.png")
    page.click("[data-testid=answer-form]")
    wait_run(page, "done")
    report = page.inner_text("[data-testid=report]")
    for expected in ("Rome", "2", "double", "true", "Milan, by train", "Siena"):
        assert expected in report


def test_a_question_with_neither_is_a_box_for_text(guided: Demo, open_page: OpenPage) -> None:
    page = open_page(guided, url=guided.link("cyd"))
    ask(page, "hello")
    page.fill(f"{CARD} input[type=text]", "Cyd")
    page.click("[data-testid=answer-form]")
    wait_run(page, "done")
    assert "Cyd" in page.inner_text("[data-testid=report]")


def test_every_tab_closes_its_prompt_when_one_has_answered(
    guided: Demo, open_page: OpenPage
) -> None:
    first = open_page(guided, url=guided.link("dan"))
    ask(first, "choose")
    first.wait_for_selector(f"{CARD}[data-state=open]")
    second = open_page(guided, url=guided.link("dan"))
    second.wait_for_selector(f"{CARD}[data-state=open]")  # a new tab opens what waits for its user
    second.click("[data-testid=option] >> text=no")
    for page in (first, second):
        page.wait_for_selector(f"{CARD}[data-state=answered]")
        assert "Answered: no" in text_of(page)
        wait_run(page, "done")


def test_who_asks_while_the_agent_waits_reads_that_it_waits_for_an_answer(
    guided: Demo, open_page: OpenPage
) -> None:
    page = open_page(guided, url=guided.link("gil"))
    ask(page, "choose")
    page.wait_for_selector(f"{CARD}[data-state=open]")
    page.fill("#question", "and then?")
    page.press("#question", "Enter")
    assert "waits for your answer" in page.inner_text("[data-testid=problem]")
    page.click("[data-testid=option] >> text=yes")
    wait_run(page, "done")
    page.wait_for_selector("[data-testid=problem]", state="hidden")


def test_a_reload_keeps_the_question_and_its_answer(guided: Demo, open_page: OpenPage) -> None:
    page = open_page(guided, url=guided.link("eve"))
    ask(page, "choose")
    page.wait_for_selector(f"{CARD}[data-state=open]")
    page.reload()
    wait_live(page)
    page.click("[data-testid=option] >> text=yes")
    wait_run(page, "done")
    page.reload()
    page.wait_for_selector(f"{CARD}[data-state=answered]")
    assert page.locator(CARD).count() == 1


def test_a_question_that_expires_closes_its_prompt(guided: Demo, open_page: OpenPage) -> None:
    page = open_page(guided, url=guided.link("flo"))
    ask(page, "hurry")
    page.wait_for_selector(f"{CARD}[data-state=expired]")
    assert "expired" in text_of(page)
    wait_run(page, "done")
    wait_until(page, lambda: "too late" in page.inner_text("[data-testid=report]"))
