"""The search box: from what is quoted to the page about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenroom.delivery.events.ids import EventId, IdSource, RunId, ThreadId
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.protocol.client import Client
from tests.protocol.server import Server, token_for

if TYPE_CHECKING:
    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R42"), NEEDS_CHROMIUM]

SOUGHT = "[data-testid=sought]"


def test_what_is_quoted_leads_to_the_page_about_it(observed: Server, observe: Observe) -> None:
    page = observe(observed)
    ids = IdSource()
    event, run = ids.new(EventId), ids.new(RunId)
    for sought, view in (
        (event, f"why/{event}"),
        (run, f"runs/{run}"),
        ("alice", "users/alice"),
        ("ann/<b>?#", "users/ann%2F%3Cb%3E%3F%23"),
        ("zzzzzzzz", "users/zzzzzzzz"),
        ("greenroom/users", "tree/greenroom%2Fusers"),
    ):
        page.keyboard.press("/")
        page.keyboard.type(f" {sought} ")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/observer/#/{view}")
        page.wait_for_selector("#view-title:focus")  # the keys do not go into the box
    page.fill(SOUGHT, ids.new(ThreadId))
    page.press(SOUGHT, "Enter")
    page.wait_for_selector("[data-testid=search-problem] >> text=search for its user")


def test_a_thread_leads_to_its_user(observed: Server, observe: Observe) -> None:
    with Client(observed.port, token_for("dora")) as client:
        client.hello()
        thread = client.story()[-1]["thread"]
    page = observe(observed)
    page.fill(SOUGHT, thread)
    page.press(SOUGHT, "Enter")
    page.wait_for_url("**/observer/#/users/dora")
