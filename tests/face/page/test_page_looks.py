"""What the page looks like in each state, and that everybody can use it: axe-core finds nothing.

The pictures are in `screenshots/`: to be looked at after a change.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
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
SIZES = (DESKTOP, PHONE, SMALLEST)
SIDEWAYS = "document.documentElement.scrollWidth"
OFF_CENTRE = """() => {
    const width = document.documentElement.clientWidth, column = document.querySelector("main");
    const { left, right } = column.getBoundingClientRect();
    const isOff = (each) => {
        const at = each.getBoundingClientRect();
        const isCut = at.left < 8 || at.right > width - 8;
        return at.width && (at.left < left || at.right > right || isCut);
    };
    return [...column.querySelectorAll("form, section > *, button")].filter(isOff)
        .map(({ outerHTML }) => outerHTML.slice(0, 90));
}"""
"""What stands beside its column, or cut by the window's edge: too little to scroll."""
WIDTHS = (320, 360, 545, 600, 768, 900, 960, 1_180)
CUT = """() => [...document.querySelectorAll(".connection, .agent > header > :not(.asked), h1")]
    .filter((each) => each.clientWidth > 1 && each.scrollWidth > each.clientWidth + 1)
    .map((each) => each.textContent)"""
FADING = """() => document.getAnimations()
    .filter(({ effect }) => !effect.pseudoElement && effect.target.textContent.trim())
    .filter(({ effect }) => effect.getKeyframes().some(({ opacity }) => Number(opacity ?? 1) < 1))
    .map(({ effect }) => effect.target.textContent)"""
"""Text that has too little contrast for a while, however good it is at other times."""
AT_WORK = "[data-kind=tool_executing]"
NEEDS_AXE = pytest.mark.skipif(not AXE.exists(), reason="needs `npm ci` in clients/page")


def looks(
    page: api.Page, state: str, sizes: Sequence[api.ViewportSize] = SIZES, at: str | None = None
) -> Iterator[str]:
    """A picture of each width and scheme; what axe-core finds there; and what is too wide.

    `at`: what the picture is to show.
    """
    SCREENSHOTS.mkdir(exist_ok=True)
    page.evaluate(AXE.read_text())
    for size in sizes:
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate(PAINTED)
            if at is not None:
                page.locator(at).scroll_into_view_if_needed()
            where = f"{state}-{size['width']}-{scheme}"
            page.screenshot(path=SCREENSHOTS / f"{where}.png")
            yield from [f"{where}: {found}" for found in page.evaluate(FOUND)]
        yield from [f"{state}-{size['width']}: off {each}" for each in page.evaluate(OFF_CENTRE)]
    yield from moves(page, state, WIDTHS if sizes is SIZES else ())
    page.set_viewport_size(sizes[0])


def moves(page: api.Page, state: str, widths: Sequence[int]) -> Iterator[str]:
    """What is hard to read in motion, or too wide for any of these windows."""
    page.emulate_media(reduced_motion="no-preference")
    yield from [f"{state}: {text!r} fades" for text in page.evaluate(FADING)]
    for width in widths:
        page.set_viewport_size({"width": width, "height": 640})
        if page.evaluate(SIDEWAYS) > width:
            yield f"{state} is wider than {width} px"
        yield from [f"{state}: {text!r} is cut at {width} px" for text in page.evaluate(CUT)]


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@NEEDS_AXE
def test_the_demo_is_for_everybody_from_its_welcome_to_a_pulled_plug(
    demo: Demo, open_page: OpenPage
) -> None:
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
    demo = start_demo(SLOWLY)
    page = open_page(demo)
    attach(page)
    found = [*looks(page, "table-attached")]
    ask(page, "total cost by service")
    page.wait_for_selector(AT_WORK, state="attached")
    found += looks(page, "working")
    page.context.set_offline(True)
    page.wait_for_selector("[data-testid=connection][data-state=offline]")
    found += looks(page, "offline")
    page.context.set_offline(False)
    wait_live(page)
    page.click("[data-testid=stop]")
    wait_run(page, "stopped")
    assert page.locator("[data-testid=tool-call]").get_attribute("data-state") == "stopped"
    assert page.locator(".tool .error").count() == 0
    found += looks(page, "stopped")
    page.context.set_offline(True)
    ask(page, "average cost by service")
    page.wait_for_selector(".you.unsent >> text=Not sent yet")
    found += looks(page, "unsent")
    page.context.set_offline(False)
    page.wait_for_selector(f"{AT_WORK} >> nth=1", state="attached")
    demo.end(signal.SIGKILL)
    page.wait_for_selector("[data-testid=connection][data-state=waiting]")
    found += looks(page, "reconnecting")
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
    page.set_viewport_size(PHONE)
    page.click("[data-testid=open-threads]")
    found += looks(page, "drawer", [PHONE, SMALLEST])
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
    found += looks(page, "failed", at="[data-testid=ask-again]")
    page.emulate_media(media="print")
    page.screenshot(path=SCREENSHOTS / "printed.png", full_page=True)
    assert not found, "\n".join(found)


@NEEDS_AXE
def test_attached_files_are_for_everybody(reading: Demo, open_page: OpenPage) -> None:
    page = open_page(reading, url=reading.link("gil"))
    long_name = "the bill for the whole of last year, as the people of finance sent it.txt"
    page.set_input_files(
        "[data-testid=file]",
        [
            {"name": long_name, "mimeType": "text/plain", "buffer": b"one"},
            {"name": "sky.png", "mimeType": "image/png", "buffer": bytes(2_000)},
        ],
    )
    page.wait_for_selector("[data-testid=file-chip] >> nth=1")
    found = [*looks(page, "files-attached")]
    ask(page, "What are these?")
    wait_run(page, "done")
    found += looks(page, "files-sent")
    assert not found, "\n".join(found)


def test_a_demo_on_a_wide_window_has_one_list_of_conversations(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    assert page.is_visible("[data-testid=threads]")
    assert not page.is_visible("[data-testid=open-threads]")
