"""The overview in a browser: numbers, alerts and charts that a reader of any kind can read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from greenroom.delivery.events.kinds import Kind
from greenroom.metrics.last_hour import EVERY
from tests.face.observer.browsing import LOOK
from tests.face.observer.looks import NEEDS_AXE, looks
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

if TYPE_CHECKING:
    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R42"), NEEDS_CHROMIUM]

POINTS = 200
READOUT = "[data-testid=chart] >> nth=0 >> .readout"


def live_half_an_hour(server: Server) -> None:
    """Of a server whose load comes in waves, and whose clients forge reports of late."""
    metrics = server.runtime.metrics
    assert metrics is not None
    for point in range(POINTS):
        events = round(100 + 80 * math.sin(point / 12))
        metrics.sent(events, events * 250, replay=False)
        metrics.received(Kind.FINAL_REPORT, 0.02 + point / 4000, events)
        metrics._accepted[(Kind.FINAL_REPORT, "critical")] += events
        if point % 9 == 0:
            metrics.displayed(Kind.FINAL_REPORT, 0.4)
            metrics.retried(Kind.FINAL_REPORT, 3)
        if point > 130:
            metrics.report_refused("displayed")
        for _ in range(EVERY):
            metrics.lagged(0.004)


@pytest.fixture(scope="module")
def busy() -> Iterator[Server]:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        server.run_sync(live_half_an_hour, server)
        with Client(server.port, token_for("alice")) as client:
            client.hello()
            yield server


def test_the_overview_shows_numbers_alerts_and_values_that_keys_read(
    busy: Server, observe: Observe
) -> None:
    page = observe(busy, token=LOOK)
    assert page.inner_text("[data-tile=Connections] .value") == "1"
    assert page.inner_text("[data-tile=Redeliveries]").endswith("in the last hour")
    alert = page.inner_text("[data-testid=alerts]")
    assert "Clients of this server acknowledge events they were not sent." in alert
    assert "GreenroomForgedReports · warning · fires" in alert
    page.focus("[data-testid=chart] >> nth=0 >> .plot")
    newest = page.inner_text(READOUT)
    for key in ("ArrowLeft", "PageUp"):
        page.keyboard.press(key)
    assert page.inner_text(READOUT) != newest
    assert "accepted" in newest
    page.click("[data-testid=chart] >> nth=0 >> text=As a table")
    rows = page.locator("[data-testid=chart] >> nth=0 >> tbody tr")
    rows.nth(0).wait_for()
    assert rows.count() == math.ceil((POINTS - 1) / 6)


def test_a_page_that_is_not_looked_at_asks_for_nothing(busy: Server, observe: Observe) -> None:
    page = observe(busy, token=LOOK)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert asked == []
    page.evaluate("delete document.hidden")
    with page.expect_request("**/admin/overview"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@NEEDS_AXE
def test_the_overview_and_the_sign_in_are_for_everybody(busy: Server, observe: Observe) -> None:
    page = observe(busy, token=None)
    page.wait_for_selector("[data-testid=sign-in]")
    found = [*looks(page, "sign-in")]
    page.fill("[data-testid=token]", ADMIN)
    page.click("[data-testid=enter]")
    page.wait_for_selector("[data-testid=view][data-state=shown]")
    found += looks(page, "overview")
    assert not found, "\n".join(found)
