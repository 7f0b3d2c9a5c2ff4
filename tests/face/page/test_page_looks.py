"""What the page looks like in each state, and that everybody can use it: axe-core finds nothing.

The pictures are in `screenshots/`: to be looked at after a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from tests.face.page.browser import (
    DESKTOP,
    NEEDS_CHROMIUM,
    PAINTED,
    PHONE,
    SCREENSHOTS,
    Demo,
    OpenPage,
    StartDemo,
    ask,
    attach,
    wait_live,
    wait_run,
    wait_until,
)
from tests.face.page.servers.markdown_history import MARKDOWN_HISTORY, THREAD
from tests.face.page.servers.played_server import PlayedServer

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]

AXE = Path(__file__).parents[3] / "clients/page/node_modules/axe-core/axe.min.js"
FOUND = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    const where = (nodes) => nodes.map(({ html }) => html.slice(0, 90)).join(" ");
    return violations.map(({ id, nodes }) => `${id}: ${where(nodes)}`);
}"""
SMALLEST: api.ViewportSize = {"width": 320, "height": 640}
SLOWLY = 10.0  # of a demo that is still at work however long it is looked at
SIDEWAYS = "document.documentElement.scrollWidth"
NEEDS_AXE = pytest.mark.skipif(not AXE.exists(), reason="needs `npm ci` in clients/page")


def looks(page: api.Page, state: str) -> Iterator[str]:
    """A picture of each width and scheme; what axe-core finds there; and what is too wide."""
    page.evaluate(AXE.read_text())
    for size in (DESKTOP, PHONE, SMALLEST):
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate(PAINTED)
            where = f"{state}-{size['width']}-{scheme}"
            page.screenshot(path=SCREENSHOTS / f"{where}.png")
            yield from [f"{where}: {found}" for found in page.evaluate(FOUND)]
        if page.evaluate(SIDEWAYS) > size["width"]:
            yield f"{state} is wider than {size['width']} px"
    page.set_viewport_size(DESKTOP)


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@NEEDS_AXE
def test_the_demo_is_for_everybody_from_its_welcome_to_a_pulled_plug(
    demo: Demo, open_page: OpenPage
) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page = open_page(demo)
    found = [*looks(page, "welcome")]
    page.click("[data-testid=example] >> nth=0")
    wait_run(page, "done")
    page.wait_for_selector("[data-testid=chart] svg")
    found += looks(page, "report")
    page.click("[data-testid=open-plug]")
    page.click("[data-testid=show-wire]")
    page.click("[data-testid=drop-connection]")
    page.wait_for_selector("[data-testid=plug-outcome] >> text=Reconnected")
    found += looks(page, "plug")
    assert not found, "\n".join(found)


@NEEDS_AXE
def test_an_answer_at_work_cut_off_stopped_or_not_asked_for_yet_is_for_everybody(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    page = open_page(start_demo(SLOWLY))
    attach(page)
    ask(page, "total cost by service")
    page.wait_for_selector("[data-kind=tool_executing]", state="attached")
    found = [*looks(page, "working")]
    page.context.set_offline(True)
    page.wait_for_selector("[data-testid=connection]:not([data-state=live])")
    found += looks(page, "reconnecting")
    page.context.set_offline(False)
    wait_live(page)
    page.click("[data-testid=stop]")
    wait_run(page, "stopped")
    assert page.locator("[data-testid=tool-call]").get_attribute("data-state") == "stopped"
    assert page.locator(".tool .error").count() == 0
    found += looks(page, "stopped")
    page.context.set_offline(True)
    ask(page, "average cost by service")
    page.wait_for_selector(".you.unsent")
    found += looks(page, "unsent")
    assert not found, "\n".join(found)


@NEEDS_AXE
def test_a_question_and_the_form_to_sign_in_are_for_everybody(
    guided: Demo, open_page: OpenPage
) -> None:
    page = open_page(guided, live=False)
    page.wait_for_selector("[data-testid=token-form]")
    found = [*looks(page, "sign-in")]
    page.goto(guided.link("ann"))
    ask(page, "fill in")
    page.wait_for_selector("[data-testid=question-asked] form")
    found += looks(page, "question")
    page.click("[data-testid=open-user]")
    found += looks(page, "user")
    page.keyboard.press("Escape")
    page.click("[data-testid=stop]")
    wait_run(page, "stopped")
    assert not found, "\n".join(found)


@NEEDS_AXE
def test_markdown_is_drawn_as_elements_and_markup_in_it_stays_text(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    PlayedServer(MARKDOWN_HISTORY).play(page, THREAD)
    wait_run(page, "failed")
    answer = page.locator("[data-testid=answer]")
    assert answer.locator("h3, strong, em, li, table, blockquote, pre").count() >= 7
    assert answer.locator("img, script, b").count() == 0
    assert "<b>not bold</b>" in answer.inner_text()
    hrefs = [link.get_attribute("href") for link in answer.locator("a").all()]
    assert hrefs == ["https://example.org/", "https://example.org/x.png"]
    found = [*looks(page, "markdown")]
    assert not found, "\n".join(found)
    wait_until(page, lambda: page.is_visible("[data-testid=ask-again]"))
