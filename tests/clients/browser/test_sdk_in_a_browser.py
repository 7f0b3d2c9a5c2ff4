"""The built SDK in Chromium: whatever befalls it, each event arrives once, in order."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.clients.browser.sdk_page import (
    DIST,
    OpenSdk,
    Server,
    assert_delivered,
    say,
    wait_delivered,
    wait_state,
)
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.face.page.servers.stalling_path import stalling_path

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [
    pytest.mark.requirement("R34"),
    NEEDS_CHROMIUM,
    pytest.mark.skipif(not DIST.exists(), reason="needs the SDK: `npm run build` in clients/js"),
]

MINE = 3  # events of a run beside its pieces: what was said, its start and its end
PIECES = 30
SLOW = {"count": PIECES, "pace": 0.04}
ALL = MINE + PIECES
MEGABYTE = 1_000_000
LINK = {"offline": False, "latency": 50, "uploadThroughput": -1}  # -1: as fast as it can
BARRED = """WebSocket = class {
    constructor() { setTimeout(() => this.onclose({})); }
    close() {}
};"""


def session_of(page: api.Page) -> str:
    session: str = page.evaluate("""() => {
        const name = Object.keys(sessionStorage).find(each => each.endsWith(":position"));
        return JSON.parse(sessionStorage.getItem(name)).session;
    }""")
    return session


def states_of(page: api.Page) -> list[str]:
    states: list[str] = page.evaluate("states.map(({ state }) => state)")
    return states


def freeze(page: api.Page, state: str) -> None:
    page.context.new_cdp_session(page).send("Page.setWebLifecycleState", {"state": state})


def test_a_cut_network_loses_nothing_and_is_shown(open_sdk: OpenSdk) -> None:
    page = open_sdk()
    say(page, **SLOW)
    wait_delivered(page, 5)
    page.context.set_offline(True)
    page.wait_for_function("client.reason?.offline")
    page.context.set_offline(False)
    wait_state(page, "ready")
    assert_delivered(page, ALL)


def test_a_path_that_falls_silent_is_found_dead_on_waking(
    open_sdk: OpenSdk, server: Server
) -> None:
    with stalling_path(server.port) as path:
        page = open_sdk(path.url)
        say(page, **SLOW)
        wait_delivered(page, 5)
        path.stall()
        page.evaluate("document.dispatchEvent(new Event('resume'))")
        page.wait_for_function("states.some(({ state }) => state === 'reconnecting')")
        wait_state(page, "ready")
        assert_delivered(page, ALL)


def test_a_killed_server_has_all_again_when_it_is_back(open_sdk: OpenSdk, server: Server) -> None:
    page = open_sdk()
    say(page, count=5)
    wait_delivered(page, MINE + 5)
    server.end(signal.SIGKILL)
    wait_state(page, "reconnecting")
    say(page, count=5)  # kept until the server is back
    server.begin()
    assert_delivered(page, 2 * (MINE + 5))


def test_a_reload_goes_on_where_it_was_in_the_same_session(open_sdk: OpenSdk) -> None:
    page = open_sdk()
    say(page, **SLOW)
    wait_delivered(page, 5)
    session = session_of(page)
    page.reload()
    assert_delivered(page, ALL)
    assert session_of(page) == session


def test_what_was_said_offline_is_sent_after_a_reload(open_sdk: OpenSdk) -> None:
    page = open_sdk()
    page.evaluate("client.close()")
    say(page, count=1)
    page.reload()
    assert_delivered(page, MINE + 1)
    assert page.evaluate("client.unanswered") == []


def test_a_duplicated_tab_has_a_session_of_its_own(open_sdk: OpenSdk) -> None:
    page = open_sdk()
    say(page, **SLOW)
    wait_delivered(page, 5)
    with page.context.expect_page() as popup:
        page.evaluate("window.open(location.href)")  # copies sessionStorage, as duplicating does
    twin = popup.value
    wait_state(twin, "ready")
    assert session_of(twin) != session_of(page)
    for each in (page, twin):
        assert_delivered(each, ALL)
        assert states_of(each) == ["ready"]


def test_a_page_that_cannot_fetch_the_second_half_hears_and_says_all_the_same(
    open_sdk: OpenSdk,
) -> None:
    """Nor does it lose its session: it is reloaded, and would ask for the lock."""
    page = open_sdk()
    session = session_of(page)
    barred: list[str] = []

    def bar(route: api.Route) -> None:
        barred.append(route.request.url)
        route.abort()

    page.context.route("**/shared-upkeep.js", bar)
    page.reload()
    wait_state(page, "ready")
    say(page, count=5)
    assert_delivered(page, MINE + 5)
    assert barred
    assert session_of(page) == session


def test_two_tabs_of_a_user_both_have_all(open_sdk: OpenSdk) -> None:
    page = open_sdk()
    other = page.context.new_page()
    other.goto(page.url)
    wait_state(other, "ready")
    say(page, count=5)
    say(other, count=5)
    for each in (page, other):
        assert_delivered(each, 2 * (MINE + 5))


def test_a_frozen_tab_catches_up(open_sdk: OpenSdk) -> None:
    page = open_sdk()
    say(page, **SLOW)
    wait_delivered(page, 5)
    freeze(page, "frozen")
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_function(f"kept().then(all => all.length === {ALL})", polling=200)
    freeze(page, "active")
    assert_delivered(page, ALL)


def test_server_sent_events_take_over_where_websockets_are_barred(open_sdk: OpenSdk) -> None:
    page = open_sdk(script=BARRED)
    say(page, **SLOW)
    assert_delivered(page, ALL)
    assert page.evaluate("reasons") == ["connect", "refused", "refused"]


def test_what_comes_into_view_is_reported_as_displayed(open_sdk: OpenSdk) -> None:
    page = open_sdk()
    run = page.evaluate("client.say({ count: 1 }).then(({ run }) => run)")
    wait_delivered(page, MINE + 1)
    element = page.evaluate_handle("run => showFarDown(run)", run)
    page.evaluate("client.history()")  # a turn of the wire
    assert page.evaluate("shown") == []
    element.evaluate("element => element.scrollIntoView()")
    page.wait_for_function("shown.length > 0")
    assert page.evaluate("shown") == list(range(1, MINE + 2))


def test_an_expired_token_is_followed_by_a_new_one(open_sdk: OpenSdk) -> None:
    page = open_sdk(is_expired=lambda reason: reason == "connect")
    assert page.evaluate("reasons") == ["connect", "refused"]
    say(page, count=5)
    assert_delivered(page, MINE + 5)


def test_a_megabyte_arrives_over_a_slow_link(open_sdk: OpenSdk) -> None:
    page = open_sdk()
    cdp = page.context.new_cdp_session(page)
    cdp.send("Network.enable")
    cdp.send("Network.emulateNetworkConditions", {**LINK, "downloadThroughput": 500_000})
    say(page, count=1, bytes=MEGABYTE)
    wait_delivered(page, MINE + 2)
    cdp.send("Network.emulateNetworkConditions", {**LINK, "downloadThroughput": -1})
    assert_delivered(page, MINE + 2)
    assert states_of(page) == ["ready"]


def test_a_clock_that_is_set_ends_no_connection(open_sdk: OpenSdk) -> None:
    page = open_sdk()
    say(page, **SLOW)
    wait_delivered(page, 5)
    page.evaluate("{ const now = Date.now; Date.now = () => now() + 3_600_000; }")
    assert_delivered(page, ALL)
    assert states_of(page) == ["ready"]
