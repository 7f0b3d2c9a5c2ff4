"""The page below a prefix of a FastAPI app under uvicorn, in a real browser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.face.asgi.uvicorn_process import uvicorn
from tests.face.page.browser import (
    NEEDS_CHROMIUM,
    SECRET,
    Demo,
    OpenPage,
    ask,
    assert_shows_all,
    wait_live,
    wait_run,
)

pytestmark = [pytest.mark.requirement("R40"), NEEDS_CHROMIUM]

CARD = "[data-testid=question-asked][data-state=open]"
SEEN = ["agent_thinking", "tool_executing", "partial_result", "final_report"]


def serving(demo: Demo) -> AbstractContextManager[tuple[subprocess.Popen[bytes], int]]:
    """examples/fastapi_chat.py, on the demo's port and journal."""
    demo.url = f"http://127.0.0.1:{demo.port}/chat/"
    app = ("fastapi_chat:app", "--app-dir", str(Path(__file__).parents[3] / "examples"))
    kept = {"CHAT_JOURNAL": str(demo.journal), "GREENROOM_SECRET": SECRET}
    return uvicorn(*app, port=demo.port, **kept)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("chat") / "chat.db", 0)
    with serving(demo):
        yield demo


def test_a_user_asks_reloads_amid_the_run_and_answers_the_agents_question(
    chat: Demo, open_page: OpenPage
) -> None:
    page = open_page(chat)
    ask(page, "Thyme")
    page.wait_for_selector(CARD)
    page.reload()
    wait_live(page)
    page.wait_for_selector(CARD)
    page.click("[data-testid=option] >> nth=0")
    wait_run(page, "done")
    assert "watered" in page.inner_text("[data-testid=report]")
    for kind in SEEN:
        assert page.locator(f"[data-kind={kind}]").count() > 0, kind


def test_of_a_server_that_is_killed_amid_a_run_the_page_loses_nothing_and_shows_nothing_twice(
    tmp_path: Path, open_page: OpenPage
) -> None:
    demo = Demo(tmp_path / "chat.db", 0)
    with serving(demo) as (process, _):
        page = open_page(demo)
        ask(page, "Thyme")
        page.wait_for_selector(CARD)
        process.kill()
    with serving(demo):
        wait_run(page, "failed")
        assert_shows_all(page, demo)
        ask(page, "Sage")
        page.wait_for_selector(CARD)
        assert_shows_all(page, demo)


def test_the_page_offers_no_table_for_an_agent_that_takes_none(
    chat: Demo, open_page: OpenPage
) -> None:
    page = open_page(chat)
    assert page.is_visible("text=Ask the agent below, in plain words.")
    assert not page.is_visible("[data-testid=sample]")


def test_stop_ends_the_run(chat: Demo, open_page: OpenPage) -> None:
    page = open_page(chat)
    ask(page, "Mint")
    page.wait_for_selector(CARD)
    page.click("[data-testid=stop]")
    wait_run(page, "stopped")


@pytest.fixture(scope="module")
def by_cookie(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The address of the page, of a service that knows its users by a cookie."""
    with uvicorn("tests.face.asgi.service:app") as (_, port):
        demo = Demo(tmp_path_factory.mktemp("unused"), 0)
        demo.url = f"http://127.0.0.1:{port}/by-cookie/"
        yield demo


@pytest.mark.parametrize("stale", ["", "localStorage['greenroom.token'] ??= '\"stale\"'"])
def test_the_page_needs_no_token_where_a_cookie_of_the_service_says_who_the_user_is(
    stale: str, by_cookie: Demo, open_page: OpenPage
) -> None:
    page = open_page(by_cookie, script=stale, live=False)
    page.wait_for_selector("text=You are not signed in. Sign in to this service")
    assert not page.is_visible("[data-testid=token-form]")
    page.context.add_cookies([{"name": "user", "value": "alice", "url": by_cookie.url}])
    wait_live(page)
    ask(page, "0")
    wait_run(page, "done")
    page.reload()
    wait_live(page)
    wait_run(page, "done")


TALK = """async () => {
    const {token} = await (await fetch("demo/token")).json();
    const bearer = {Authorization: `Bearer ${token}`};
    await fetch("live/session", {method: "POST", headers: bearer});
    const source = new EventSource("live/events?features=asks");
    const ready = await new Promise(heard => source.addEventListener("ready", heard, {once: true}));
    const {connection} = JSON.parse(ready.data);
    const post = frame => fetch(`live/frames?connection=${connection}`, {
        method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(frame),
    }).then(answer => answer.json());
    const kinds = [], ids = [];
    const over = new Promise(ended => source.addEventListener("message", async message => {
        const event = JSON.parse(message.data);
        kinds.push(event.kind);
        ids.push(message.lastEventId.endsWith(`:${event.offset}`));
        if (event.kind === "input_requested")
            await post([{type: "answer", id: "a", ask: event.data.ask, value: "no"}]);
        if (event.kind === "agent_completed") ended();
    }));
    const [said] = await post({type: "say", id: "s", body: "Sage"});
    await over;
    source.close();
    return {said: said.ok, kinds, ids, cookie: document.cookie};
}"""


@pytest.mark.requirement("R49")
def test_an_event_source_with_the_cookie_and_posts_are_a_whole_conversation(
    chat: Demo, open_page: OpenPage
) -> None:
    talk = open_page(chat).evaluate(TALK)
    assert (talk["said"], talk["cookie"]) == (True, "")
    assert {"agent_thinking", "tool_completed", "input_answered"} <= set(talk["kinds"])
    assert talk["kinds"][-2:] == ["final_report", "agent_completed"]
    assert all(talk["ids"])
