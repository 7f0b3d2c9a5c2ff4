"""The observer's tree and a node's page in a browser, beside ten thousand users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from greenroom.supervisor import DynamicSupervisorRef
from tests.face.observer.browsing import LOOK
from tests.face.observer.looks import NEEDS_AXE, looks
from tests.face.observer.tree.crowds import HOSTILE, Busy, busy, crowd
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

if TYPE_CHECKING:
    from playwright import sync_api as api

    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R42"), NEEDS_CHROMIUM]

ROWS = "[data-testid=tree-row]"
TREE = "[data-testid=tree]"
CROWD = "greenroom/crowd"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN) as server:
        server.run(crowd, server, HOSTILE, *(f"user:{number:05}" for number in range(10_000)))
        busy(server, HOSTILE, "one", "two")
        yield server


def row(name: str) -> str:
    return f"{ROWS}:has(bdi:text-is('{name}'))"


def cell(page: api.Page, name: str, place: int) -> str:
    return page.inner_text(f"{row(name)} >> [role=gridcell] >> nth={place}")


def in_sight(page: api.Page) -> list[str]:
    return page.locator(f"{ROWS} a").all_inner_texts()


def test_a_tree_that_is_refused_says_so_and_asks_no_more(
    observed: Server, observe: Observe
) -> None:
    page, asked = observe(observed, "", LOOK), []
    page.wait_for_selector("[data-testid=alerts-sum]")

    def refuse(route: api.Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=403, json={"error": "Only this machine may look."})

    page.route("**/admin/nodes**", refuse)
    page.click("[data-testid=navigation] >> text=Tree")
    page.wait_for_selector("text=Only this machine may look. This page no longer looks again")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.click("[data-testid=navigation] >> text=Users")
    page.wait_for_selector("[data-testid=view-title] >> text=Users")
    assert len(asked) == 2, "the stream, and the window instead of it"


def test_the_reader_goes_through_ten_thousand_users_with_keys_and_by_scrolling(
    server: Server, observe: Observe
) -> None:
    page = observe(server, "tree")
    page.click(row("crowd"))
    page.press(TREE, "ArrowRight")
    page.wait_for_selector(row("user:00003"))
    assert page.get_attribute(row("crowd"), "aria-expanded") == "true"
    assert page.get_attribute(row("user:00003"), "aria-level") == "3"
    assert page.locator("img[onerror]").count() == 0
    assert "\\u{202e}" in page.inner_text(f"{ROWS} >> text=onerror")
    page.press(TREE, "End")
    page.wait_for_selector(row("user:09999"))
    page.evaluate("document.querySelector('[data-testid=tree]').scrollTop = 5000 * 36")
    page.wait_for_selector(row("user:05000"))
    assert all(name > "user:04" for name in in_sight(page))
    assert page.locator(ROWS).count() < 60, "only rows in sight have elements"
    page.press(TREE, "Home")
    page.wait_for_selector(row("greenroom"))
    page.click(row("crowd"))
    page.press(TREE, "ArrowLeft")
    page.wait_for_selector(f"{row('crowd')}[aria-expanded=false]")


def test_lists_show_the_worst_first_and_follow_it_as_it_changes(
    server: Server, observe: Observe
) -> None:
    page = observe(server, "tree")
    page.select_option("[data-testid=tree-sort]", "waiting")
    page.wait_for_selector(row("busy"))
    waiting = cell(page, "busy", 2)
    page.focus(TREE)
    server.run(tell_busy, server)
    page.wait_for_selector(f"{row('busy')} >> text='{int(waiting) + 1}'")
    assert page.evaluate("document.activeElement.dataset.testid") == "tree", "the focus stays"
    page.select_option("[data-testid=tree-sort]", "")
    page.fill("[data-testid=tree-search]", "USER:0123")
    page.wait_for_selector("[data-testid=tree-count] >> text=10 nodes")
    assert len(in_sight(page)) == 10
    page.click(f"{row('user:01234')} a")
    page.wait_for_selector("[data-testid=node-title] >> text=user:01234")


async def tell_busy(server: Server) -> None:
    above = server.runtime.root.child("crowd", DynamicSupervisorRef)
    above.child(HOSTILE, DynamicSupervisorRef).child("busy", Busy).tell("more")


def test_a_machine_is_drawn_with_its_present_state_lit_until_it_is_gone(
    server: Server, observe: Observe
) -> None:
    with Client(server.port, token_for("alice")) as tab:
        tab.hello()
        path = server.run_sync(connection_of, server)
        page = observe(server, "tree/" + path.replace("/", "%2F"))
        page.wait_for_selector(".machine svg .state.is-lit[data-state=READY]")
        assert page.locator(".is-lit").count() == 1
        assert page.inner_text("[data-testid=moves] >> li >> nth=0").startswith("READY from")
        assert page.get_attribute("text=alice >> nth=0", "class") == "name"
    page.reload()
    page.wait_for_selector("[data-testid=gone]")


def connection_of(server: Server) -> str:
    return next(each.path for each in server.runtime.tree().walk() if each.phase == "READY")


@NEEDS_AXE
def test_the_tree_and_a_node_are_for_everybody(server: Server, observe: Observe) -> None:
    page = observe(server, "tree")
    page.wait_for_selector(ROWS)
    if page.get_attribute(row("crowd"), "aria-expanded") == "false":
        page.click(row("crowd"))
        page.press(TREE, "ArrowRight")
    page.wait_for_selector(row("user:00003"))
    found = [*looks(page, "tree")]
    with Client(server.port, token_for("bob")) as tab:
        tab.hello()
        path = server.run_sync(connection_of, server)
        page.goto(page.url.partition("#")[0] + "#/tree/" + path.replace("/", "%2F"))
        page.wait_for_selector(".machine svg .is-lit")
        found += looks(page, "node")
    assert not found, "\n".join(found)
