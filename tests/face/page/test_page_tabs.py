"""Tabs of one user: duplicated, reloaded, closed and opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.face.page.browser import (
    NEEDS_CHROMIUM,
    Demo,
    OpenPage,
    StartDemo,
    ask,
    assert_shows_all,
    attach,
    duplicate,
    stored,
    wait_live,
    wait_run,
    wait_until,
)

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), pytest.mark.fault("C5"), NEEDS_CHROMIUM]

WITHOUT_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });"
LOCKS_DENIED = """
    LockManager.prototype.request = async () => {
        throw new DOMException("denied", "SecurityError");
    };
"""
SCRIPTS = {"locks": "", "no locks": WITHOUT_LOCKS, "locks denied": LOCKS_DENIED}


def session_of(page: api.Page) -> str | None:
    """None between two sessions."""
    session: str | None = stored(page, "position").get("session")
    return session


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_duplicated_tab_is_a_live_tab_of_its_own(
    start_demo: StartDemo, open_page: OpenPage, script: str
) -> None:
    """Web Locks part them; without, the tabs ask each other; and if all fails, the server does."""
    demo = start_demo(0.01)
    first = open_page(demo, script=script)
    attach(first)
    ask(first, "total cost by service")
    wait_run(first, "done")
    second = duplicate(first)
    wait_until(first, lambda: len({session_of(first), session_of(second), None}) == 3)
    for tab, nth in ((first, 1), (second, 2)):
        wait_live(tab)
        ask(tab, "how many rows by service")
        for each in (first, second):
            wait_run(each, "done", nth=nth)
    for each in (first, second):
        assert_shows_all(each, demo)
        assert each.is_hidden("[data-testid=notice]")


@pytest.mark.parametrize(
    "script", [SCRIPTS["locks"], SCRIPTS["no locks"]], ids=["locks", "no locks"]
)
def test_the_first_of_two_tabs_keeps_its_session_and_so_does_a_reload(
    demo: Demo, open_page: OpenPage, script: str
) -> None:
    first = open_page(demo, script=script)
    session = session_of(first)
    second = duplicate(first)
    other = session_of(second)
    assert other != session
    for _ in range(2):
        for tab in (first, second):
            tab.reload()
            wait_live(tab)
    assert (session_of(first), session_of(second)) == (session, other)


def test_a_closed_tab_that_is_opened_again_has_its_session_again(
    demo: Demo, open_page: OpenPage
) -> None:
    first = open_page(demo)
    second = duplicate(first)
    kept = second.evaluate("JSON.stringify(Object.entries(sessionStorage))")
    session = session_of(second)
    second.close()
    third = first.context.new_page()
    third.add_init_script(f"for (const [k, v] of {kept}) sessionStorage.setItem(k, v);")
    third.goto(demo.url)
    wait_live(third)
    assert session_of(third) == session
