"""The chat of FastAPI as its first lines say: uvicorn, a browser's token, and a talk."""

from __future__ import annotations

import json
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.face.asgi.uvicorn_process import uvicorn
from tests.protocol.client import Client

pytestmark = pytest.mark.requirement("R40")


def ask(port, path, method="GET"):
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", method=method)) as answer:
        return answer.read()


def connected(port, token):
    return Client(port, token, uri=f"ws://127.0.0.1:{port}/chat/live")


def test_a_user_of_the_page_asks_answers_a_question_after_a_reload_and_is_spoken_to(tmp_path):
    with uvicorn(
        "fastapi_chat:app", "--app-dir", "examples", CHAT_JOURNAL=str(tmp_path / "chat.db")
    ) as (_, port):
        assert b"<!doctype html>" in ask(port, "/chat/")
        demo = json.loads(ask(port, "/chat/demo/token"))
        with connected(port, demo["token"]) as client:
            ready = client.hello()
            client.ask("say", id="1", body="Thyme")
            seen = client.events(until="input_requested")
            client.cut()
        with connected(port, demo["token"]) as client:
            last = seen[-1]
            client.hello(
                session=ready["session"],
                epoch=ready["epoch"],
                offset=last["offset"],
                event=last["id"],
            )
            asked = last["data"]["ask"]
            assert client.ask("answer", id="2", ask=asked, value="yes")["ok"] is True
            rest = client.events()
            assert rest[-2]["data"]["report"] == {"plant": "Thyme", "watered": True}
            offsets = [event["offset"] for event in [*seen, *rest]]
            assert offsets == list(range(1, len(offsets) + 1))
            ask(port, f"/notify/{quote(demo['user'])}?text=Rain!", "POST")
            assert client.events()[1]["data"]["report"] == "Rain!"


def test_stop_cancels_the_task_of_asyncio(tmp_path):
    journal = {"CHAT_JOURNAL": str(tmp_path / "chat.db")}
    with uvicorn("fastapi_chat:app", "--app-dir", "examples", **journal) as (_, port):
        token = json.loads(ask(port, "/chat/demo/token"))["token"]
        with connected(port, token) as client:
            client.hello()
            run = client.ask("say", id="1", body="Mint")["run"]
            client.events(until="input_requested")
            assert client.ask("cancel", id="2", run=run)["ok"] is True
            kinds = [event["kind"] for event in client.events()]
    assert kinds == ["input_closed", "agent_completed"]
