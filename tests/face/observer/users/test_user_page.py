"""A user's page in a browser: found in the list, disconnected, exported and erased."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.face.observer.browsing import LOOK
from tests.face.observer.users.accounts import HOSTILE, report
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.protocol.client import Client
from tests.protocol.server import Server, token_for

if TYPE_CHECKING:
    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R42"), NEEDS_CHROMIUM]

DONE = "[data-testid=done]"


def test_a_user_is_found_in_the_list_disconnected_and_admitted_again(
    observed: Server, observe: Observe
) -> None:
    report(observed, "found-ann")
    with Client(observed.port, token_for("found-ann")) as tab:
        tab.hello()
        page = observe(observed, "users")
        page.fill("[data-testid=begins]", "found-")
        page.click("[data-testid=users] >> text=found-ann")
        page.wait_for_selector("section >> text=ready")
        page.click("[data-testid=actions] summary")
        page.fill("[data-testid=reason]", "for a while")
        page.select_option("[data-testid=until]", label="1 hour")
        page.click("[data-testid=disconnect]")
        page.wait_for_selector("[data-testid=ask-twice] >> text=refused for 1 hour")
        page.click("[data-testid=agree]")
        page.wait_for_selector(f"{DONE} >> text=1 connections ended")
        assert tab.closed_with() == 4509
    page.wait_for_selector("[data-testid=refused]")
    page.click("[data-testid=admit]")
    page.wait_for_selector(f"{DONE} >> text=Admitted again")
    page.wait_for_selector("[data-testid=refused]", state="detached")


def test_a_user_with_a_hostile_name_is_exported_and_erased_once_the_name_is_typed(
    observed: Server, observe: Observe, tmp_path: Path
) -> None:
    report(observed, HOSTILE)
    page = observe(observed, f"users/{quote(HOSTILE, safe='')}")
    assert page.inner_text("[data-testid=headline] .user") == HOSTILE
    page.click("[data-testid=actions] summary")
    with page.expect_download() as download:
        page.click("[data-testid=export]")
    download.value.save_as(tmp_path / "export")
    assert (tmp_path / "export").read_text().splitlines()[-1].startswith('{"end":')
    page.click("[data-testid=erase]")
    assert page.is_disabled("[data-testid=agree]")
    page.fill("[data-testid=typed]", HOSTILE)
    page.click("[data-testid=agree]")
    page.wait_for_selector(f"{DONE} >> text=is erased")
    assert observed.run_sync(observed.runtime.users.is_known, HOSTILE) is False


def test_who_may_look_is_offered_no_action_and_no_text(observed: Server, observe: Observe) -> None:
    run = report(observed, "looked-at")
    page = observe(observed, "users/looked-at", LOOK)
    assert page.locator("[data-testid=actions], [data-testid=texts]").count() == 0
    page.click(f"text={run}")
    page.wait_for_selector("[data-testid=sequence]")
    assert page.locator("[data-testid=texts]").count() == 0
