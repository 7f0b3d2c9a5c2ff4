"""A run's page in a browser: its diagram goes step by step, and shows texts only when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.face.observer.users.accounts import report
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.protocol.server import Server

if TYPE_CHECKING:
    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R38"), pytest.mark.requirement("R42"), NEEDS_CHROMIUM]

STEP = "[data-testid=step]"
DETAILS = "[data-testid=details]"


def test_a_run_is_gone_through_by_keys_and_played(observed: Server, observe: Observe) -> None:
    run = report(observed, "played", "<b>bold</b>")
    page = observe(observed, f"runs/{run}")
    page.wait_for_selector(f"{STEP} >> text=5 of 5")
    assert page.locator("[data-testid=sequence] .step").count() == 5
    page.focus("[data-testid=slider]")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f"{STEP} >> text=2 of 5")
    assert "tool_executing look_up" in page.inner_text(DETAILS)
    assert page.locator("[data-testid=sequence] .later").count() == 3
    page.select_option("[data-testid=speed]", "64")
    page.click("[data-testid=play]")
    page.wait_for_selector(f"{STEP} >> text=5 of 5")
    page.click("[data-testid=sequence] .step >> nth=3")
    assert "<b>bold</b>" not in page.inner_text(DETAILS)
    page.check("[data-testid=texts]")
    page.wait_for_selector(f"{STEP} >> text=5 of 5")
    page.click("[data-testid=previous]")
    page.wait_for_selector(f"{DETAILS} pre >> text=<b>bold</b>")


def test_a_long_run_is_shown_a_page_at_a_time(observed: Server, observe: Observe) -> None:
    run = observed.run(_long, observed)
    page = observe(observed, f"runs/{run}")
    page.wait_for_selector("text=Events 1 to 200.")
    assert page.locator("[data-testid=sequence] .step").count() == 200
    page.click("[data-testid=later]")
    page.wait_for_selector("text=Events 201 to 252, the last")
    page.click("[data-testid=earlier]")
    page.wait_for_selector("text=Events 1 to 200.")


def test_a_run_that_is_not_there_has_nothing_to_page_through(
    observed: Server, observe: Observe
) -> None:
    page = observe(observed, "overview")
    page.goto(page.url.partition("#")[0] + "#/runs/run_01m8hm2m8heknawvtyvaj4vv9x")
    page.wait_for_selector("[data-testid=problem]")
    assert page.locator("[data-testid=earlier], [data-testid=later]").count() == 0


async def _long(server: Server) -> str:
    async with server.runtime.run(user="long", agent="analyst") as run:
        for number in range(250):
            await run.agent_thinking(text=str(number))
        return run.context.run
