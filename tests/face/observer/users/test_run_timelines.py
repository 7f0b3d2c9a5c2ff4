"""A run as the observer tells it, a page at a time, with its texts for those who may read them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tests.face.http_get import get
from tests.face.observer.browsing import LOOK
from tests.face.observer.users.accounts import asked, report
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

pytestmark = [pytest.mark.requirement("R38"), pytest.mark.requirement("R42")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        yield server


def kinds(page: Any) -> list[str]:
    return [each["event"]["kind"] for each in page["moments"]]


def told_when_displayed(server: Server, run: str) -> Any:
    """The journal keeps what clients report a moment later."""
    deadline = time.monotonic() + 20
    while (told := asked(server, f"runs/{run}", LOOK))["moments"][3]["stage"] != "displayed":
        assert time.monotonic() < deadline, told
        time.sleep(0.02)  # in this thread: the server goes on
    return told


def test_a_run_is_told_with_what_each_session_saw_and_without_texts(server: Server) -> None:
    with Client(server.port, token_for("alice")) as tab:
        session = tab.hello()["session"]
        run = report(server, "alice")
        offsets = [event["offset"] for event in tab.events()]
        tab.send("ack", offset=offsets[-1])
        tab.send("displayed", offsets=offsets[-2:-1])
        tab.fence()
        told = told_when_displayed(server, run)
    assert (told["user"], told["agent"], told["ending"]) == ("alice", "analyst", "ok")
    assert kinds(told) == [
        *("agent_started", "tool_executing", "tool_completed", "final_report", "agent_completed")
    ]
    assert told["moments"][1]["name"] == "look_up"
    assert all("data" not in each["event"] and each["bytes"] > 0 for each in told["moments"])
    assert [each["session"] for each in told["moments"][3]["sessions"]] == [session]
    assert b"a secret word" not in orjson.dumps(told)


def test_its_texts_are_for_those_who_may_act(server: Server) -> None:
    run = report(server, "bob")
    told = asked(server, f"runs/{run}?texts=yes")
    assert told["moments"][3]["event"]["data"]["report"] == "a secret word"
    assert get(server, f"/admin/runs/{run}?texts=yes", LOOK)[0] == 403


def test_a_page_ends_where_the_next_begins(server: Server) -> None:
    run = report(server, "carol")
    report(server, "carol")
    first = asked(server, f"runs/{run}?limit=3")
    second = asked(server, f"runs/{run}?limit=3&after={first['after']}")
    assert kinds(first) + kinds(second) == kinds(asked(server, f"runs/{run}"))
    assert first["agent"] == second["agent"] == "analyst", "also where its beginning is not"
    assert (first["ending"], second["ending"], second["after"]) == (None, "ok", None)


def test_ids_of_other_kinds_and_of_nothing_are_refused_in_words(server: Server) -> None:
    status, body, _ = get(server, "/admin/runs/evt_01m8hm2m8heknawvtyvaj4vv9x")
    assert status == 400
    assert "event" in orjson.loads(body)["error"]
    status, body, _ = get(server, "/admin/runs/run_01m8hm2m8heknawvtyvaj4vv9x")
    assert status == 404
    assert "trimmed or erased" in orjson.loads(body)["advice"]
    assert get(server, "/admin/runs/run_00000000000000000000000000")[0] == 400


def test_a_thread_is_found_by_its_id_and_its_title_is_for_who_may_act(server: Server) -> None:
    report(server, "eve")
    (found,) = asked(server, "users/eve")["threads"]
    path = f"threads/{found['thread']}"
    get(server, f"/admin/{path}?user=eve&title=a+secret+title", method="POST")
    for token in (ADMIN, LOOK):
        assert asked(server, path, token) == {
            "schema": "greenroom.thread/1",
            "thread": found["thread"],
            "user": "eve",
            "title": None,
        }
    assert asked(server, f"{path}?texts=yes")["title"] == "a secret title"
    assert get(server, f"/admin/{path}?texts=yes", LOOK)[0] == 403


def test_a_run_of_an_erased_thread_is_gone(server: Server) -> None:
    run = report(server, "dora")
    (thread,) = asked(server, "users/dora")["threads"]
    get(server, f"/admin/threads/{thread['thread']}?user=dora", method="DELETE")
    assert get(server, f"/admin/runs/{run}")[0] == 404
