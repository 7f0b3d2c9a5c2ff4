"""Signing in to a server that is no demo: the form, and tokens that are none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import pytest

from greenroom.admin.client import AdminClient
from greenroom.delivery.events.ids import UserId
from greenroom.transport.auth.tokens import sign_token
from tests.face.page.browser import (
    DESKTOP,
    EXAMPLE,
    NEEDS_CHROMIUM,
    PHONE,
    SCREENSHOTS,
    SECRET,
    Demo,
    OpenPage,
    ask,
    expired_token,
    give_token,
    wait_live,
    wait_run,
    wait_until,
)
from tests.face.page.servers.stalling_path import stalling_path
from tests.protocol.server import ADMIN

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]

ON_TOP = """() => {
    const { x, y, width, height } = document.getElementById("token").getBoundingClientRect();
    return document.elementFromPoint(x + width / 2, y + height / 2)?.id;
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    served = Demo(tmp_path_factory.mktemp("served") / "journal.db", 0.01)
    served.start("serve", f"{EXAMPLE}:agent", GREENROOM_ADMIN_TOKEN=ADMIN)
    yield served
    served.end()


def sizes() -> Iterator[api.ViewportSize]:
    yield PHONE
    yield {"width": 1_000, "height": 700}


def test_nothing_covers_the_box_for_the_token(served: Demo, open_page: OpenPage) -> None:
    page = open_page(served, PHONE, live=False)
    page.wait_for_selector("[data-testid=token-form]")
    for size in sizes():
        page.set_viewport_size(size)
        assert page.evaluate(ON_TOP) == "token"
        assert page.is_hidden("[data-testid=question]")


def test_what_can_be_no_token_is_refused_at_the_form_and_never_kept(
    served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False)
    give_token(page, "“eyJhbGciOi”")
    page.wait_for_selector("[data-testid=token-problem] >> text=This cannot be a token")
    assert page.is_visible("[data-testid=token]")
    page.evaluate("localStorage.setItem('greenroom.token', JSON.stringify('“kept before”'))")
    page.reload()
    page.wait_for_selector("[data-testid=token-form]")


def test_a_refused_token_is_said_to_be_and_another_can_be_given(
    served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False)
    give_token(page, "not-a-good-one")
    page.wait_for_selector("[data-testid=token-problem] >> text=That token was not accepted")


def test_an_agent_that_is_not_the_demos_is_not_said_to_want_tables(
    demo: Demo, served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, live=False)
    give_token(page, served.token("alice"))
    page.wait_for_selector("[data-testid=connection][data-state=live]")
    assert page.is_visible("text=What would you like to know?")
    assert page.is_hidden("[data-testid=sample]")
    assert open_page(demo).is_visible("[data-testid=sample]")


USER = """async () => {
    const Authorization = `Bearer ${JSON.parse(localStorage.getItem("greenroom.token"))}`;
    return (await (await fetch("whoami", { headers: { Authorization } })).json()).user;
}"""


def user_of(page: api.Page) -> str:
    return str(page.evaluate(USER))


def follow(page: api.Page, url: str) -> None:
    """As a link in a mail does: from elsewhere."""
    page.goto("about:blank")
    page.goto(url)


def assert_no_token_in_sight(page: api.Page) -> None:
    assert page.evaluate("location.hash") == ""
    page.reload()
    assert "token" not in page.evaluate("location.href + performance.getEntries()[0].name")


@pytest.mark.fault("P7")
@pytest.mark.parametrize("how", ["from elsewhere", "in the open page"])
@pytest.mark.parametrize("answer", ["stay", "switch", "Escape"])
def test_a_link_that_signs_in_somebody_else_asks_first(
    served: Demo, open_page: OpenPage, answer: str, how: str
) -> None:
    page = open_page(served, url=served.link("alice"))
    ask(page, "a secret of Alice's")
    wait_run(page, "done")
    if how == "from elsewhere":
        follow(page, served.link("bob"))
    else:
        page.goto(served.link("bob"))
    page.wait_for_selector("[data-testid=confirm-user]")
    words = page.inner_text("[data-testid=confirm-user]")
    assert "You are signed in as alice" in words
    assert "sign you in as bob" in words
    assert page.evaluate("document.activeElement.dataset.testid") == "stay"
    assert page.evaluate("location.hash") == ""
    if answer == "Escape":
        page.keyboard.press("Escape")
    else:
        page.click(f"[data-testid={answer}]")
    wait_live(page)
    expected = "bob" if answer == "switch" else "alice"
    wait_until(page, lambda: user_of(page) == expected)
    is_hers = expected == "alice"
    wait_until(page, lambda: ("a secret of Alice's" in page.inner_text("main")) is is_hers)
    assert_no_token_in_sight(page)
    wait_live(page)
    assert user_of(page) == expected


@pytest.mark.fault("P7")
def test_a_link_for_the_same_user_or_for_nobody_yet_needs_no_question(
    served: Demo, open_page: OpenPage
) -> None:
    page = open_page(served, url=served.link("alice"))
    assert user_of(page) == "alice"
    newer = sign_token(SECRET, "alice", 7_200)
    follow(page, f"{served.url}#token={newer}")
    wait_live(page)
    assert page.evaluate("JSON.parse(localStorage.getItem('greenroom.token'))") == newer
    assert page.is_hidden("[data-testid=confirm-user]")
    assert_no_token_in_sight(page)


@pytest.mark.fault("P7")
@pytest.mark.parametrize("bad", ["", "“quoted”", "nonsense", expired_token("bob")])
def test_a_link_whose_token_is_no_good_leaves_who_is_signed_in(
    served: Demo, open_page: OpenPage, bad: str
) -> None:
    page = open_page(served, url=served.link("alice"))
    follow(page, f"{served.url}#token={bad}")
    page.wait_for_selector("[data-testid=problem] >> text=The link that you followed has no token")
    wait_live(page)
    assert user_of(page) == "alice"
    assert_no_token_in_sight(page)


@pytest.mark.fault("P7")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_question_who_to_be_fits_the_window_and_is_all_that_can_be_used(
    served: Demo, open_page: OpenPage, scheme: Literal["light", "dark"], size: api.ViewportSize
) -> None:
    long = "somebody.with.a.very.long.name@a.very.long.name.of.a.company.example"
    page = open_page(served, size, url=served.link("alice"))
    page.emulate_media(color_scheme=scheme)
    follow(page, served.link(long))
    page.wait_for_selector("[data-testid=confirm-user]")
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    page.screenshot(path=SCREENSHOTS / f"who-to-be-{scheme}-{size['width']}.png")
    seen = []
    for _ in range(3):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.dataset.testid ?? null"))
    assert set(seen) <= {"stay", "switch", None}  # None: the browser's own bar
    assert page.get_by_role("dialog", name=f"Sign in as {long}?").is_visible()


def large(user: str, size: int) -> str:
    """A token with so many characters more."""
    return sign_token(SECRET, user, 3_600, roles="r" * (size * 3 // 4))


def cookies(demo: Demo, size: int) -> list[api.SetCookieParam]:
    names = [f"{number:05}" for number in range(size // 1_000)]
    return [{"name": name, "value": "c" * 993, "url": demo.url} for name in names]


@pytest.mark.fault("P10")
def test_a_large_token_beside_large_cookies_is_let_in(served: Demo, open_page: OpenPage) -> None:
    page = open_page(served, live=False)
    page.context.add_cookies(cookies(served, 5_000))
    give_token(page, large("alice", 9_000))
    wait_live(page)


@pytest.mark.fault("P10")
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_token_too_large_beside_its_cookies_is_refused_in_words_until_it_fits(
    served: Demo, open_page: OpenPage, size: api.ViewportSize
) -> None:
    page = open_page(served, size, live=False)
    page.context.add_cookies(cookies(served, 18_000))
    give_token(page, large("alice", 12_000))
    page.wait_for_selector("[data-testid=notice] >> text=clear the cookies of this site")
    assert "The request head is too large" in page.inner_text("[data-testid=notice]")
    assert page.inner_text("[data-testid=connection]") == "Disconnected"
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    page.screenshot(path=SCREENSHOTS / f"too-large-{size['width']}.png")
    page.context.clear_cookies()
    page.click("[data-testid=notice-button]")
    wait_live(page)
    assert page.is_hidden("[data-testid=notice]")


ANSWERS = {
    "not now": ("GET ", "503 Unavailable", "text/plain", "Back at noon.", "Back at noon. (503)"),
    "too many": ("GET ", "429 Too Many", "text/html", "<p>no</p>", "Close other tabs"),
    "a login page": ("GET ", "200 OK", "text/html", "<p>hotel</p>", "sign in first"),
    "no WebSocket": ("GET /live", "400 Bad", "text/html", "<p>?</p>", "may not let WebSocket"),
}


@pytest.mark.fault("P10")
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_why_nobody_is_let_in_is_shown_while_the_page_tries_again(
    served: Demo, open_page: OpenPage, answer: tuple[str, str, str, str, str]
) -> None:
    *given, words = answer
    with stalling_path(served.port) as path:
        page = open_page(served, url=f"{path.url}#token={sign_token(SECRET, 'alice', 3_600)}")
        path.cut()
        path.mend()
        path.answer(*given)
        page.wait_for_selector(f"[data-testid=notice] >> text={words}")
        page.wait_for_selector("[data-testid=connection] >> text=Reconnecting")
        path.mend()
        page.evaluate("document.getElementById('notice-button').click()")  # gone once it is live
        wait_live(page)
        assert page.is_hidden("[data-testid=notice]")


@pytest.mark.requirement("R47")
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_who_is_thrown_out_is_shown_why_and_stays_out_until_admitted_again(
    served: Demo, open_page: OpenPage, size: api.ViewportSize
) -> None:
    mallory = UserId(f"mallory-{size['width']}")
    service = AdminClient(served.url, ADMIN)
    page = open_page(served, size, url=served.link(mallory))
    until = str(time.time() + 3_600)
    assert service.disconnect(mallory, reason="Ask your teacher.", until=until) == 1
    said = "The service has disconnected you: Ask your teacher."
    page.wait_for_selector(f"[data-testid=notice] >> text={said}")
    assert page.inner_text("[data-testid=connection]") == "Disconnected"
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    page.screenshot(path=SCREENSHOTS / f"thrown-out-{size['width']}.png")
    page.click("[data-testid=notice-button]")
    page.wait_for_selector("[data-testid=notice] >> text=The service has disconnected this user.")
    assert page.inner_text("[data-testid=connection]") == "Disconnected"
    assert "address" not in page.inner_text("[data-testid=notice]"), "that is for other pages"
    assert service.readmit(mallory)
    page.click("[data-testid=notice-button]")
    wait_live(page)
    assert page.is_hidden("[data-testid=notice]")
    service.disconnect(mallory, reconnect="yes")
    page.wait_for_selector("[data-testid=connection] >> text=Reconnecting")
    wait_live(page)
