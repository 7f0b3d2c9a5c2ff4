"""A browser, and pages of the observer on which no error goes unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.face.observer.browsing import LOOK
from tests.face.page.browser import DESKTOP
from tests.face.page.conftest import browser as browser
from tests.face.page.conftest import open_page as open_page
from tests.face.page.conftest import pytest_runtest_makereport as pytest_runtest_makereport
from tests.protocol.server import ADMIN, Server, serving

if TYPE_CHECKING:
    from playwright import sync_api as api

Observe: TypeAlias = "Callable[..., api.Page]"
"""`observe(server, view="", token=ADMIN, viewport=DESKTOP)`: a page that signed in, at `#/view`."""


@pytest.fixture(scope="package")
def observed() -> Iterator[Server]:
    """One server for all tests that need no other."""
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        yield server


@pytest.fixture
def observe(open_page: Callable[..., api.Page]) -> Observe:
    def observe(
        server: Server,
        view: str = "",
        token: str | None = ADMIN,
        viewport: api.ViewportSize = DESKTOP,
    ) -> api.Page:
        url = f"http://127.0.0.1:{server.port}/observer#/{view}"
        page = open_page(None, viewport, live=False, url=url)
        if token is not None:
            sign_in(page, token)
        return page

    return observe


def sign_in(page: api.Page, token: str) -> None:
    page.fill("[data-testid=token]", token)
    page.click("[data-testid=enter]")
    page.wait_for_selector("[data-testid=view][data-state=shown]")
