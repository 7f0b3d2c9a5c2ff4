"""The output and the pictures in the documentation are what the programs give now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs_output import DOCS, OUTPUTS, PICTURES, PLACE, current, pages

pytestmark = pytest.mark.requirement("R41")

STALE = "stale: python -m tests.docs_output"


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_every_output_on_a_page_is_current(page: Path) -> None:
    text = page.read_text("utf-8")
    assert current(text) == text, STALE


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_current(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == PICTURES[name](), STALE


def test_every_output_is_shown_somewhere() -> None:
    shown = {place["name"] for page in pages() for place in PLACE.finditer(page.read_text("utf-8"))}
    assert shown == OUTPUTS.keys()
