"""The page's connection over bad tokens, bad networks and messages that a server does not take."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenroom.delivery.events.ids import ThreadId
from greenroom.transport.auth.tokens import sign_token
from tests.face.page.browser import (
    EXAMPLE,
    NEEDS_CHROMIUM,
    SECRET,
    Demo,
    OpenPage,
    StartDemo,
    ask,
    assert_shows_all,
    attach,
    expired_token,
    give_token,
    store,
    stored,
    wait_live,
    wait_run,
    wait_until,
)
from tests.face.page.servers.played_server import PlayedServer
from tests.face.page.servers.stalling_path import StallingPath, stalling_path

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]

CLIENT = """async (answers) => {
    // A client of its own in the page, whose token function gives these answers in turn.
    const { Client } = await import("/client.js");
    const url = new URL("live", document.baseURI);
    window.asked = 0;
    window.states = [];
    const getToken = async () => {
        const answer = answers[Math.min(asked++, answers.length - 1)];
        if (answer === null) throw new Error("the sign-in service is away");
        return answer;
    };
    window.client = new Client({ url, getToken, store: null });
    client.on("state", ({ newState }) => states.push(newState));
}"""
MANY_REQUESTS = """() => {
    window.settled = 0;
    const settle = () => { settled += 1; };
    for (let i = 0; i < 75; i += 1) {
        client.history({ limit: 1 }).then(settle, settle);
        client.cancel("run_01ARZ3NDEKTSV4RRFFQ69G5FAV").then(settle, settle);
    }
}"""
STATES = """() => {
    // Each state that the page shows, from before its own scripts on.
    window.shownStates = [];
    const look = () => {
        const state = document.querySelector(".connection")?.dataset.state;
        if (state && state !== shownStates.at(-1)) shownStates.push(state);
    };
    const all = { subtree: true, childList: true, attributes: true };
    new MutationObserver(look).observe(document, all);
}"""
WAKES = {
    "online": "dispatchEvent(new Event('online'))",
    "shown again": "document.dispatchEvent(new Event('visibilitychange'))",
    "unfrozen": "document.dispatchEvent(new Event('resume'))",
    "the clock went on": "(() => { const now = Date.now; Date.now = () => now() + 3_600_000; })()",
}
KEPT_FOR_BACK = """() => {
    dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
    dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
}"""
SMALL_FRAMES = {"GREENROOM_MAX_FRAME_BYTES": str(16 * 1024)}
LONG = "word " * 6_000
LONG_ANSWERS = Path(__file__).with_name("servers") / "long_answers.py"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    served = Demo(tmp_path_factory.mktemp("served") / "journal.db", 0.01)
    served.start("serve", f"{EXAMPLE}:agent")
    yield served
    served.end()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A server that takes small frames only."""
    small = Demo(tmp_path_factory.mktemp("small") / "journal.db", 0.01)
    small.start("serve", f"{EXAMPLE}:agent", **SMALL_FRAMES)
    yield small
    small.end()


@pytest.fixture
def talker(tmp_path: Path) -> Iterator[Demo]:
    """A server whose agent gives long answers, and which is impatient."""
    talker = Demo(tmp_path / "journal.db", 0.01)
    talker.start("serve", f"{LONG_ANSWERS}:agent", GREENROOM_HEARTBEAT="2")
    yield talker
    talker.end()


@pytest.fixture
def path(demo: Demo) -> Iterator[StallingPath]:
    with stalling_path(demo.port) as path:
        yield path


def wait_for(page: api.Page, condition: str) -> None:
    """As `page.wait_for_function`, which the page's Content-Security-Policy forbids."""
    wait_until(page, lambda: page.evaluate(condition) is True)


def wait_client(page: api.Page, state: str) -> None:
    wait_for(page, f"states.at(-1) === '{state}'")


@pytest.mark.fault("C1")
def test_a_token_function_that_fails_or_gives_a_stale_token_is_asked_again(
    served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False)
    stale = expired_token("alice")
    good = sign_token(SECRET, "alice", 3_600)
    page.evaluate(CLIENT, [None, stale, None, good])
    page.evaluate("client.connect()")
    wait_client(page, "ready")
    assert page.evaluate("asked") == 4
    assert "closed" not in page.evaluate("states")


@pytest.mark.fault("C1")
def test_a_live_socket_lives_on_while_its_token_cannot_be_refreshed(
    served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False, script=STATES)
    page.clock.install()
    short, long = (sign_token(SECRET, "alice", seconds) for seconds in (40, 3_600))
    page.evaluate(CLIENT, [short, None, expired_token("alice"), long])
    page.evaluate("client.connect()")
    wait_client(page, "ready")
    page.clock.run_for(21_000)  # half of the token's life: it is to be refreshed
    for asked in (3, 4):
        wait_for(page, f"asked >= {asked - 1}")  # a retry may come within the same jump
        while page.evaluate("asked") < asked:
            page.clock.run_for(500)
    assert page.evaluate("client.history({ limit: 1 }).then(({ events }) => events)") == []
    assert page.evaluate("states") == ["connecting", "ready"]


@pytest.mark.fault("C1")
def test_a_token_of_a_live_socket_is_never_asked_of_the_user(
    served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False)
    page.clock.install()
    give_token(page, sign_token(SECRET, "alice", 40))
    wait_live(page)
    page.evaluate("""() => {
        window.asks = 0;
        const real = fetch;
        window.fetch = (path, ...rest) => {
            asks += path === "demo/token";
            if (path !== "whoami") return real(path, ...rest);
            return Promise.resolve(new Response("", { status: 401 }));
        };
    }""")
    page.clock.run_for(21_000)
    wait_for(page, "asks > 0")
    assert page.is_visible("[data-testid=question]")
    wait_live(page)


@pytest.mark.fault("C2")
def test_a_message_larger_than_the_server_takes_is_refused_in_words_and_stays_in_the_box(
    small: Demo, open_page: OpenPage
) -> None:
    page = open_page(small, url=small.link("alice"))
    ask(page, LONG)
    page.wait_for_selector("[data-testid=problem]")
    words = page.inner_text("[data-testid=problem]")
    assert "30.1 kB" in words
    assert "16.4 kB at most" in words
    assert page.input_value("[data-testid=question]") == LONG
    assert stored(page, "unanswered") is None
    page.reload()  # the limit is known before the server has told it again
    wait_live(page)
    attach(page)
    ask(page, "total cost by service")
    wait_run(page, "done")


@pytest.mark.fault("C2")
@pytest.mark.parametrize("tells", [True, False], ids=["told", "not told"])
def test_a_stored_message_larger_than_the_server_takes_fails_once_and_the_session_goes_on(
    small: Demo, open_page: OpenPage, *, tells: bool
) -> None:
    """It was said before the limit was known. An older server closes the socket for it."""
    page = open_page(small, url=small.link("alice"), script="" if tells else FORGETFUL)
    store(page, "unanswered", [{"type": "say", "id": "long", "body": LONG}])
    page.reload()
    page.wait_for_selector(".refused .fate")
    words = page.inner_text(".refused .fate")
    assert "30.0 kB" in words or "30 kB" in words
    assert ("16.4 kB at most" in words) == tells
    wait_live(page)
    assert stored(page, "unanswered") == []
    attach(page)
    ask(page, "total cost by service")
    wait_run(page, "done")
    page.reload()
    wait_live(page)
    assert stored(page, "unanswered") == []


FORGETFUL = """
    const parse = JSON.parse; // as if `ready` did not tell the limit, which older servers do not
    JSON.parse = (text) => {
        const { max_frame_bytes, ...frame } = Object(parse(text));
        return max_frame_bytes === undefined ? parse(text) : frame;
    };
"""


@pytest.mark.fault("C3")
def test_requests_made_while_offline_are_sent_no_faster_than_the_server_takes_them(
    served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False)
    token = sign_token(SECRET, "alice", 3_600)
    page.evaluate(CLIENT, [token])
    page.evaluate(MANY_REQUESTS)
    page.evaluate("client.connect()")
    wait_for(page, "settled === 150")
    assert page.evaluate("states") == ["connecting", "ready"]


@pytest.mark.fault("C6")
@pytest.mark.parametrize("wake", WAKES)
def test_a_socket_that_died_while_the_machine_slept_is_noticed_in_three_seconds(
    demo: Demo, path: StallingPath, open_page: OpenPage, wake: str
) -> None:
    page = open_page(demo, url=path.url, script=f"({STATES})()")
    page.clock.install()
    path.stall()
    page.evaluate(WAKES[wake])
    page.clock.run_for(1_100)  # the clock is looked at once a second
    page.clock.run_for(2_500)
    wait_for(page, "shownStates.filter((state) => state === 'live').length > 1")
    attach(page)
    ask(page, "total cost by service")
    wait_run(page, "done")


@pytest.mark.fault("C6")
def test_a_live_socket_outlives_every_wake(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(demo, script=f"({STATES})()")
    page.clock.install()
    for wake in WAKES.values():
        page.evaluate(wake)
        page.clock.run_for(1_100)
    attach(page)
    ask(page, "total cost by service")
    wait_run(page, "done")
    page.clock.run_for(3_000)
    assert page.evaluate("shownStates") == ["connecting", "live"]


@pytest.mark.fault("C6")
def test_offline_is_shown_at_once_and_live_when_the_network_is_back(
    demo: Demo, path: StallingPath, open_page: OpenPage
) -> None:
    page = open_page(demo, url=path.url)
    path.stall()
    page.context.set_offline(True)
    page.wait_for_selector("[data-testid=connection][data-state=offline] >> text=Offline")
    page.context.set_offline(False)
    wait_live(page)


@pytest.mark.fault("C6")
def test_a_server_that_answers_though_the_browser_is_offline_is_live(
    demo: Demo, open_page: OpenPage
) -> None:
    """One on the same machine, say."""
    page = open_page(demo, script=f"({STATES})()")
    page.evaluate("dispatchEvent(new Event('offline'))")
    wait_for(page, "shownStates.length === 4")
    assert page.evaluate("shownStates") == ["connecting", "live", "offline", "live"]


@pytest.mark.fault("C6")
def test_a_page_that_the_browser_kept_for_the_back_button_connects_again(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    session = stored(page, "position")["session"]
    page.evaluate(KEPT_FOR_BACK)
    wait_live(page)
    assert stored(page, "position")["session"] == session


@pytest.mark.fault("D6")
def test_half_a_surrogate_pair_is_sent_as_a_replacement_character(
    start_demo: StartDemo, open_page: OpenPage
) -> None:
    demo = start_demo(0.01)
    page = open_page(demo)
    attach(page)
    half = "total cost by service \\ud83d and \\\\ud83d"
    page.evaluate(f"document.getElementById('question').value = '{half}'")
    page.click("[data-testid=send]")
    wait_run(page, "done")
    assert "total cost by service \ufffd and \\ud83d" in page.inner_text("main")
    assert stored(page, "unanswered") == []


@pytest.mark.fault("D6")
def test_half_a_surrogate_pair_that_an_older_page_left_unsent_is_sent_after_a_reload(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    store(page, "unanswered", [{"type": "say", "id": "half", "body": "help \ud83d"}])
    page.reload()
    wait_run(page, "done")
    assert stored(page, "unanswered") == []


@pytest.mark.fault("D6")
@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("unanswered", [{"type": "say", "id": "bad"}]),
        ("unanswered", [{"type": "say", "id": "bad" * 50, "body": "hi"}]),
        ("unanswered", {"not": "a list"}),
        ("position", {"session": "nonsense", "epoch": "e", "offset": "x"}),
    ],
    ids=["a say that is refused", "one that gets no reply", "no list", "a refused place"],
)
def test_what_a_page_left_in_storage_cannot_keep_it_from_being_live(
    demo: Demo, open_page: OpenPage, name: str, left: object
) -> None:
    page = open_page(demo)
    store(page, name, left)
    page.reload()
    wait_live(page)
    wait_until(page, lambda: "bad" not in json.dumps(stored(page, "unanswered")))
    attach(page)
    ask(page, "total cost by service")
    wait_run(page, "done")


@pytest.mark.fault("D5")
def test_after_a_restored_backup_the_page_shows_what_is_new_and_forgets_what_is_no_longer_so(
    tmp_path: Path, open_page: OpenPage
) -> None:
    """While it is away, so much happens that its offset is there again, with another event."""
    served = Demo(tmp_path / "journal.db", 0.01)
    served.start("serve", f"{EXAMPLE}:agent")
    try:
        with stalling_path(served.port) as path:
            page = open_page(served, url=f"{path.url}#{served.link('alice').partition('#')[2]}")
            ask(page, "what was asked before the backup")
            wait_run(page, "done")
            served.end()
            backup = shutil.copy(served.journal, tmp_path / "backup.db")
            served.start("serve", f"{EXAMPLE}:agent")
            wait_live(page)
            ask(page, "what is lost")
            wait_run(page, "done", nth=1)
            path.cut()
            served.end()
            shutil.copy(backup, served.journal)
            served.start("serve", f"{EXAMPLE}:agent")
            other = open_page(served, url=served.link("alice"))
            store(other, "thread", stored(page, "thread"))
            other.reload()
            wait_run(other, "done")
            for nth, question in enumerate(("what is new", "what is newer"), 1):
                ask(other, question)
                wait_run(other, "done", nth=nth)
            path.mend()
            page.wait_for_selector("text=what is newer")
            wait_run(page, "done", nth=2)
            assert_shows_all(page, served)
            assert "what is lost" not in page.inner_text("main")
            page.reload()
            wait_live(page)
            assert_shows_all(page, served)
    finally:
        served.end()


@pytest.mark.fault("D7")
def test_a_large_frame_is_waited_for_as_long_as_its_bytes_may_take_and_no_longer(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo, script=f"({STATES})()")
    page.clock.install()
    PlayedServer([], announces=1_000_000).play(page, ThreadId("thread_1"))
    wait_live(page)
    page.clock.run_for(240_000)  # at 4 KiB/s it takes 244 s; a heartbeat is a minute
    assert page.evaluate("shownStates") == ["connecting", "live"]
    page.clock.run_for(100_000)
    wait_for(page, "shownStates.length > 2")


@pytest.mark.fault("D7")
def test_a_long_answer_over_a_slow_link_is_waited_for(talker: Demo, open_page: OpenPage) -> None:
    """It takes four heartbeats and more; so does the history that has it."""
    with stalling_path(talker.port) as path:
        link = f"{path.url}#{talker.link('alice').partition('#')[2]}"
        page = open_page(talker, url=link, script=f"({STATES})()")
        path.bytes_per_second = 40_000
        page.reload()
        wait_live(page)
        ask(page, "say it all")
        wait_run(page, "done")
        assert page.evaluate("shownStates") == ["connecting", "live"]
        page.reload()
        wait_run(page, "done")
        assert page.evaluate("shownStates") == ["connecting", "live"]
