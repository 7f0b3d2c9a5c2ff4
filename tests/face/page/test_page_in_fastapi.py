"""The page below a prefix of a FastAPI app under uvicorn, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.face.asgi.uvicorn_process import uvicorn
from tests.face.page.browser import NEEDS_CHROMIUM, Demo, OpenPage, ask, wait_live, wait_run

pytestmark = [pytest.mark.requirement("R40"), NEEDS_CHROMIUM]

CARD = "[data-testid=question-asked][data-state=open]"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The address of the page, of examples/fastapi_chat.py."""
    journal = tmp_path_factory.mktemp("chat") / "chat.db"
    app = ("fastapi_chat:app", "--app-dir", str(Path(__file__).parents[3] / "examples"))
    with uvicorn(*app, CHAT_JOURNAL=str(journal)) as (_, port):
        demo = Demo(journal, 0)
        demo.url = f"http://127.0.0.1:{port}/chat/"
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


def test_stop_ends_the_run(chat: Demo, open_page: OpenPage) -> None:
    page = open_page(chat)
    ask(page, "Mint")
    page.wait_for_selector(CARD)
    page.click("[data-testid=stop]")
    wait_run(page, "stopped")


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
