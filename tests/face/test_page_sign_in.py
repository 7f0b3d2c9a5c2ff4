"""Signing in to a server that is no demo: the form, and tokens that are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.face.browser import (
    EXAMPLE,
    NEEDS_CHROMIUM,
    PHONE,
    Demo,
    OpenPage,
    give_token,
)

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]

ON_TOP = """() => {
    const { x, y, width, height } = document.getElementById("token").getBoundingClientRect();
    return document.elementFromPoint(x + width / 2, y + height / 2)?.id;
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    served = Demo(tmp_path_factory.mktemp("served") / "journal.db", 0.01)
    served.start("serve", f"{EXAMPLE}:agent")
    yield served
    served.end()


def sizes() -> Iterator[api.ViewportSize]:
    yield PHONE
    yield {"width": 1_000, "height": 700}


def test_nothing_covers_the_box_for_the_token(served: Demo, open_page: OpenPage) -> None:
    page = open_page(served, PHONE, live=False)
    page.wait_for_selector("[data-testid=token-form]")
    for size in sizes():
        page.set_viewport_size(size)
        assert page.evaluate(ON_TOP) == "token"
        assert page.is_hidden("[data-testid=question]")


def test_what_can_be_no_token_is_refused_at_the_form_and_never_kept(
    served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False)
    give_token(page, "“eyJhbGciOi”")
    page.wait_for_selector("[data-testid=token-problem] >> text=That is no token")
    assert page.is_visible("[data-testid=token]")
    page.evaluate("localStorage.setItem('greenroom.token', JSON.stringify('“kept before”'))")
    page.reload()
    page.wait_for_selector("[data-testid=token-form]")


def test_a_refused_token_is_said_to_be_and_another_can_be_given(
    served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False)
    give_token(page, "not-a-good-one")
    page.wait_for_selector("[data-testid=token-problem] >> text=That token was not accepted")


def test_an_agent_that_is_not_the_demos_is_not_said_to_want_tables(
    demo: Demo, served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False)
    give_token(page, served.token("alice"))
    page.wait_for_selector("[data-testid=connection][data-state=live]")
    assert page.is_visible("text=What would you like to know?")
    assert page.is_hidden("[data-testid=sample]")
    assert open_page(demo).is_visible("[data-testid=sample]")
