"""The observer's frame in a browser: signing in and out, and a session that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.face.observer.browsing import LOOK
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.protocol.server import ADMIN, Server

if TYPE_CHECKING:
    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R42"), NEEDS_CHROMIUM]

KEPT = (
    "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
)
SIGN_IN = "[data-testid=sign-in]"


def test_a_visitor_signs_in_looks_reloads_and_signs_out(observed: Server, observe: Observe) -> None:
    page = observe(observed, token=LOOK)
    assert page.title() == "Overview · observer"
    assert page.inner_text("[data-testid=role]") == "You may look"
    assert page.evaluate(KEPT).count(LOOK) == 0
    assert page.evaluate("() => document.cookie") == ""
    page.click("[data-testid=navigation] >> text=Tree")
    page.wait_for_url("**/observer/#/tree")
    page.reload()
    page.wait_for_selector("[data-testid=view-title] >> text=Tree")
    page.click("[data-testid=sign-out]")
    page.wait_for_selector(SIGN_IN)
    page.reload()
    page.wait_for_selector(SIGN_IN)


def test_a_wrong_token_is_refused_and_an_ended_session_asks_again(
    observed: Server, observe: Observe
) -> None:
    page = observe(observed, token=None)
    page.fill("[data-testid=token]", "wrong")
    page.click("[data-testid=enter]")
    page.wait_for_selector("[data-testid=sign-in-problem] >> text=does not know this token")
    page.fill("[data-testid=token]", ADMIN)
    page.click("[data-testid=enter]")
    page.wait_for_selector("[data-testid=role] >> text=You may act")
    page.context.clear_cookies()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # it looks again
    page.wait_for_selector("[data-testid=sign-in-problem] >> text=session has ended")
