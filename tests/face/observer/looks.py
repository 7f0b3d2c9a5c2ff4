"""What a view of the observer looks like at each width, in each scheme, and what axe-core finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from tests.face.page.browser import DESKTOP, PAINTED, PHONE, SCREENSHOTS

if TYPE_CHECKING:
    from playwright import sync_api as api

AXE = Path(__file__).parents[3] / "clients/page/node_modules/axe-core/axe.min.js"
NEEDS_AXE = pytest.mark.skipif(not AXE.exists(), reason="needs `npm ci` in clients/page")
FOUND = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    const where = (nodes) => nodes.map(({ html }) => html.slice(0, 90)).join(" ");
    return violations.map(({ id, nodes }) => `${id}: ${where(nodes)}`);
}"""
SMALLEST: api.ViewportSize = {"width": 320, "height": 640}
SIDEWAYS = "document.documentElement.scrollWidth"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

TRIED_BY_AXE = ((DESKTOP, "dark"), (SMALLEST, "light"))  # half a second each


def looks(page: api.Page, view: str) -> Iterator[str]:
    """What is wrong. The pictures are in `screenshots/`: to be looked at after a change."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.evaluate(AXE.read_text())
    for size in (DESKTOP, PHONE, SMALLEST):
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate(PAINTED)
            where = f"observer-{view}-{size['width']}-{scheme}"
            if size is not SMALLEST:
                page.screenshot(path=SCREENSHOTS / f"{where}.png", full_page=True)
            if (size, scheme) in TRIED_BY_AXE:
                yield from [f"{where}: {found}" for found in page.evaluate(FOUND)]
        if page.evaluate(SIDEWAYS) > size["width"]:
            yield f"{view} is wider than {size['width']} px"
    page.set_viewport_size(DESKTOP)
