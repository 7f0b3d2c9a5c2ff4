"""Why a user did not see something, in a browser: the page says what the endpoint says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenroom.delivery.history.unseen.cause import UnseenCause
from tests.face.admin.incidents import crash_twice, erase_threads, report, take_over, wait_for, why
from tests.face.observer.browsing import LOOK
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, serving, token_for

if TYPE_CHECKING:
    from playwright import sync_api as api

    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R42"), NEEDS_CHROMIUM]


def sentence(page: api.Page) -> str:
    return page.inner_text("[data-testid=sentence]")


def test_each_incident_is_named_with_its_evidence_and_where_to_look_next(observe: Observe) -> None:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        report(server)
        take_over(server)
        found = wait_for(server, UnseenCause.TAKEN_OVER)
        page = observe(server, "why/alice", LOOK)
        assert sentence(page) == found.sentence
        assert page.inner_text("[data-testid=advice]") == found.advice
        with Client(server.port, token_for("alice")) as tab:
            tab.hello()
            event = report(server)
            tab.events()
            found = wait_for(server, UnseenCause.DEAF_TAB)
            page.click("[data-testid=look-again]")
            page.wait_for_selector(f"text={found.sentence}")
        crash_twice(server)
        found = wait_for(server, UnseenCause.CRASH_LOOP)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # it looks by itself
        page.wait_for_selector(f"text={found.sentence}")
        (crash,) = page.locator("[data-testid=advice] a").all()
        assert crash.inner_text() in found.advice
        erase_threads(server)
        page.goto(page.url.replace("why/alice", f"why/{event}"))
        page.wait_for_selector(f"text={why(server, event).sentence}")
        assert page.locator("[data-testid=why] a[href*=runs]").count() == 0, "it has no run now"


def test_an_id_of_another_kind_and_an_unknown_one_are_refused_in_words(observe: Observe) -> None:
    with serving(admin_token=ADMIN) as server:
        page = observe(server, "why/sess_01m8hm2m8heknawvtyvaj4vv9x", None)
        page.fill("[data-testid=token]", ADMIN)
        page.click("[data-testid=enter]")
        page.wait_for_selector(
            "[data-testid=problem] >> text=expected an event, run, thread or user id"
        )
        page.goto(page.url.replace("sess_", "evt_"))
        page.wait_for_selector("[data-testid=problem] >> text=it was trimmed")
